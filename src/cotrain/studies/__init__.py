"""Studies: a question about multi-task training, put to your own data as populations of members.

Each study has its pure numbers, what trains for them, and a typed result that prints itself, saves itself
and draws itself. ``cotrain study`` runs them from the command line.
"""

from cotrain.studies.pairs import Grid, Size
from cotrain.studies.scalarization import (
    ScalarizationStudy,
    read_scalarization,
    study_scalarization,
)

__all__ = ["Grid", "ScalarizationStudy", "Size", "read_scalarization", "study_scalarization"]
