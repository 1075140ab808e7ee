"""Studies: a question about multi-task training, put to your own data as populations of members.

Each study has its pure numbers, what trains for them, and a typed result that prints itself, saves itself
and draws itself. ``cotrain study`` runs them from the command line.
"""

from cotrain.studies.contestants import Contestant, Method, OptimizerGrid
from cotrain.studies.families import by_pattern, by_prefix
from cotrain.studies.optimizers import OptimizerStudy, study_optimizers
from cotrain.studies.pairs import Grid, Size
from cotrain.studies.scalarization import (
    ScalarizationStudy,
    read_scalarization,
    study_scalarization,
)
from cotrain.studies.scale import ScaleStudy, read_scale, study_scale
from cotrain.studies.scale_sets import ScaleGrid

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
