"""Studies: a question about multi-task training, put to your own data as populations of members.

Each is a package: ``scalarization`` (constant weights and network size), ``optimizers`` (optimizers and
methods of weighting), ``scale`` (how many source tasks). All three fill one skeleton, ``study``: a grid is
trained by a ``trainer``, scores are collected on validation and, once a finished design opens it, on the
test split, ``estimates`` get intervals, ``findings`` verdicts, and the result prints, draws and saves
itself. Beside it stands what several studies use: ``probing`` (gradients while members are trained),
``redrawn`` (draws of the test rows), ``ranges`` (limits of a grid). ``cotrain study`` runs them.
"""

from cotrain.studies.optimizers import (
    Contestant,
    Method,
    OptimizerGrid,
    OptimizerStudy,
    study_optimizers,
)
from cotrain.studies.scalarization import (
    Grid,
    ScalarizationStudy,
    Size,
    study_scalarization,
)
from cotrain.studies.scale import (
    ScaleGrid,
    ScaleStudy,
    by_pattern,
    by_prefix,
    study_scale,
)

__all__ = [
    "Contestant",
    "Grid",
    "Method",
    "OptimizerGrid",
    "OptimizerStudy",
    "ScalarizationStudy",
    "ScaleGrid",
    "ScaleStudy",
    "Size",
    "by_pattern",
    "by_prefix",
    "study_optimizers",
    "study_scalarization",
    "study_scale",
]
