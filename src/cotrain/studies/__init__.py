"""Studies: a question about multi-task training, put to your own data as populations of members.

Each is a package with its pure numbers, what trains for them, and a typed result that prints itself, saves
itself and draws itself: ``scalarization`` (constant weights and network size), ``optimizers`` (optimizers
and methods of weighting), ``scale`` (how many source tasks). Beside them stands what several of them use:
``finding`` (verdicts and sections of a page), ``looking`` (gradients on the way), ``redrawn`` (draws of the
test rows), ``ranges`` (limits of a grid). ``cotrain study`` runs them from the command line.
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
    read_scalarization,
    study_scalarization,
)
from cotrain.studies.scale import (
    ScaleGrid,
    ScaleStudy,
    by_pattern,
    by_prefix,
    read_scale,
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
    "read_scalarization",
    "read_scale",
    "study_optimizers",
    "study_scalarization",
    "study_scale",
]
