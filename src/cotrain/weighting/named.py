"""The names by which the command line knows contenders with other weights than uniform."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from cotrain.engine.loss_weighting import LossWeighting
from cotrain.errors import InputError
from cotrain.weighting.adaptive import (
    FAMO,
    IMTLL,
    DynamicAverage,
    GeometricMean,
    OptimalUncertainty,
    Random,
    Uncertainty,
)
from cotrain.weighting.aggregated import Aggregated, torchjd_aggregation
from cotrain.weighting.itmtl import ITMTL
from cotrain.weighting.schedule import WeightSchedule
from cotrain.weighting.searchers import PB2, PBT

Weighting = LossWeighting | PBT | WeightSchedule


def _aggregated(name: str, **options: Any) -> LossWeighting:
    return Aggregated(aggregator=getattr(torchjd_aggregation(), name)(**options))


NAMED: dict[str, Callable[[], LossWeighting | PBT]] = {
    "it-mtl": ITMTL,
    "random": Random,
    "uncertainty": Uncertainty,
    "optimal-uncertainty": OptimalUncertainty,
    "imtl-l": IMTLL,
    "dwa": DynamicAverage,
    "geometric": GeometricMean,
    "famo": FAMO,
    "pbt": PBT,
    "pb2": PB2,
    "pcgrad": partial(_aggregated, "PCGrad"),
    "cagrad": partial(_aggregated, "CAGrad", c=0.5),  # the published radius for two and three tasks
    "aligned": partial(_aggregated, "AlignedMTL"),
    "mgda": partial(_aggregated, "MGDA"),
    "upgrad": partial(_aggregated, "UPGrad"),
}
"""Name → what makes the weighting; the last five need the extra ``torchjd``."""


def named_weighting(name: str, targets: Sequence[str]) -> Weighting | None:
    """The weighting of ``--weights``; None for uniform weights.

    Args:
        name: One of :data:`NAMED`, ``uniform``, or a file that ends in ``.json``.
        targets: T names, which a file must weigh.

    Raises:
        InputError: If there is no such name, or the file does not fit.
    """
    if name.endswith(".json"):
        return WeightSchedule.load(name, targets)
    known = name.strip().lower()
    if known == "uniform":
        return None
    if known not in NAMED:
        every = ", ".join(["uniform", *NAMED])
        raise InputError(f"--weights {name!r}: there is {every}, or a file that ends in .json")
    return NAMED[known]()
