"""Which of my tasks should be trained together, what is that worth, and what does it cost?

``cotrain`` measures how tasks relate, decides which to train together, proves the decision against
single-task networks, one joint network and gradient-boosted trees, and ships the trained models.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from cotrain.data import from_arrays, from_dataset, from_table, infer_schema, read_table
    from cotrain.engine.cohorts.ray import RayCluster
    from cotrain.errors import InputError
    from cotrain.results import Result
    from cotrain.run.measured import measure_tasks
    from cotrain.run.plan import plan
    from cotrain.run.predictor import Predictor, load
    from cotrain.run.settings import Settings

__all__ = [
    "InputError",
    "Predictor",
    "RayCluster",
    "Result",
    "Settings",
    "from_arrays",
    "from_dataset",
    "from_table",
    "infer_schema",
    "load",
    "measure_tasks",
    "plan",
    "read_table",
]

_HOMES = {
    "InputError": "cotrain.errors",
    "Predictor": "cotrain.run.predictor",
    "RayCluster": "cotrain.engine.cohorts.ray",
    "Result": "cotrain.results",
    "Settings": "cotrain.run.settings",
    "from_arrays": "cotrain.data",
    "from_dataset": "cotrain.data",
    "from_table": "cotrain.data",
    "infer_schema": "cotrain.data",
    "load": "cotrain.run.predictor",
    "measure_tasks": "cotrain.run.measured",
    "plan": "cotrain.run.plan",
    "read_table": "cotrain.data",
}


def __getattr__(name: str) -> Any:
    """Import public names when they are first used: ``import cotrain`` does not load torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'cotrain' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
