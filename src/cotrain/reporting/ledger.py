"""What the run cost, added up by what the compute was for."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cotrain.results import CostLine

PURPOSES = ("deciding", "baseline", "shipping")


@dataclass(frozen=True, kw_only=True)
class Total:
    """The sum of several lines of the cost ledger; NaN where no line of it has the quantity.

    Args:
        purpose: What the compute was for.
        trainings: Models trained.
        joint_runs: Multiples of one joint run.
        examples: Training examples.
        flops: Floating-point operations.
        seconds: Wall time.
        share: Of the joint runs of the whole ledger.
    """

    purpose: str
    trainings: int
    joint_runs: float
    examples: int
    flops: float
    seconds: float
    share: float


def total(costs: Sequence[CostLine]) -> Total:
    """The whole ledger as one line."""
    return _sum("total", costs, all_runs=_defined(line.joint_runs for line in costs))


def by_purpose(costs: Sequence[CostLine]) -> tuple[Total, ...]:
    """One line a purpose: deciding, baseline, shipping, then any other that occurs."""
    purposes = dict.fromkeys((*PURPOSES, *(line.purpose for line in costs)))
    runs = _defined(line.joint_runs for line in costs)
    parts = ((purpose, [line for line in costs if line.purpose == purpose]) for purpose in purposes)
    return tuple(_sum(purpose, lines, all_runs=runs) for purpose, lines in parts if lines)


def deciding(costs: Sequence[CostLine]) -> float:
    """The cost of deciding as a multiple of one joint run; 0 where nothing was spent on it."""
    lines = [line for line in costs if line.purpose == "deciding"]
    return _defined(line.joint_runs for line in lines) if lines else 0.0


def _sum(purpose: str, lines: Sequence[CostLine], *, all_runs: float) -> Total:
    runs = _defined(line.joint_runs for line in lines)
    return Total(
        purpose=purpose,
        trainings=sum(line.trainings for line in lines),
        joint_runs=runs,
        examples=sum(line.examples for line in lines),
        flops=_defined(line.flops for line in lines),
        seconds=_defined(line.seconds for line in lines),
        share=runs / all_runs if all_runs > 0 else math.nan,
    )


def _defined(values: Iterable[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return math.fsum(known) if known else math.nan
