"""Which of my tasks should be trained together, what is that worth, and what does it cost?

``cotrain`` measures how tasks relate, decides which to train together, proves the decision against
single-task networks, one joint network and gradient-boosted trees, and ships the trained models.
"""

from typing import TYPE_CHECKING

from cotrain.lazy import lazy

__version__ = "0.1.0"

if TYPE_CHECKING:
    from cotrain.data import from_arrays as from_arrays
    from cotrain.data import from_dataset as from_dataset
    from cotrain.data import from_table as from_table
    from cotrain.data import infer_schema as infer_schema
    from cotrain.data import read_table as read_table
    from cotrain.engine.cohorts.ray import RayCluster as RayCluster
    from cotrain.errors import InputError as InputError
    from cotrain.results import Result as Result
    from cotrain.run.measure_tasks import measure_tasks as measure_tasks
    from cotrain.run.plan import plan as plan
    from cotrain.run.predictor import Predictor as Predictor
    from cotrain.run.predictor import load as load
    from cotrain.run.settings import Settings as Settings
else:
    __getattr__, __all__ = lazy(
        __name__,
        {
            "cotrain.data": [
                "from_arrays",
                "from_dataset",
                "from_table",
                "infer_schema",
                "read_table",
            ],
            "cotrain.engine.cohorts.ray": ["RayCluster"],
            "cotrain.errors": ["InputError"],
            "cotrain.results": ["Result"],
            "cotrain.run.measure_tasks": ["measure_tasks"],
            "cotrain.run.plan": ["plan"],
            "cotrain.run.predictor": ["Predictor", "load"],
            "cotrain.run.settings": ["Settings"],
        },
    )
