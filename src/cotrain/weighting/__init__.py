"""How tasks are weighted: fixed, adaptive, by their gradients, searched.

>>> from cotrain.engine.member import Member
>>> Member(name="uncertain", weights=(1.0, 1.0), weighting=Uncertainty()).weighting
Uncertainty()
"""

from cotrain.engine.loss_weighting import Fixed, LossWeighting
from cotrain.engine.member import WeightSetting
from cotrain.weighting.adaptive import (
    FAMO,
    IMTLL,
    DynamicAverage,
    GeometricMean,
    OptimalUncertainty,
    Random,
    Uncertainty,
)
from cotrain.weighting.aggregated import Aggregated
from cotrain.weighting.itmtl import (
    ITMTL,
    Candidates,
    Combined,
    ExactScore,
    FirstOrderScore,
    LeaveOneOut,
    Score,
    Sets,
    Singles,
    Together,
)
from cotrain.weighting.optimize import optimize_weights
from cotrain.weighting.schedule import WeightSchedule
from cotrain.weighting.search import Move, Searcher, WeightSearch, search_weights
from cotrain.weighting.searchers import PB2, PBT, Halving

__all__ = [
    "FAMO",
    "IMTLL",
    "ITMTL",
    "PB2",
    "PBT",
    "Aggregated",
    "Candidates",
    "Combined",
    "DynamicAverage",
    "ExactScore",
    "FirstOrderScore",
    "Fixed",
    "GeometricMean",
    "Halving",
    "LeaveOneOut",
    "LossWeighting",
    "Move",
    "OptimalUncertainty",
    "Random",
    "Score",
    "Searcher",
    "Sets",
    "Singles",
    "Together",
    "Uncertainty",
    "WeightSchedule",
    "WeightSearch",
    "WeightSetting",
    "optimize_weights",
    "search_weights",
]
