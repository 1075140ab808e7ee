"""How tasks are weighted: fixed, adaptive, by their gradients, searched.

>>> from cotrain.population.member import Member
>>> Member(name="uncertain", weights=(1.0, 1.0), weighting=Uncertainty()).weighting
Uncertainty()
"""

from cotrain.population.weighting import Fixed, LossWeighting
from cotrain.weighting.adaptive import (
    FAMO,
    IMTLL,
    DynamicAverage,
    GeometricMean,
    OptimalUncertainty,
    Random,
    Uncertainty,
)

__all__ = [
    "FAMO",
    "IMTLL",
    "DynamicAverage",
    "Fixed",
    "GeometricMean",
    "LossWeighting",
    "OptimalUncertainty",
    "Random",
    "Uncertainty",
]
