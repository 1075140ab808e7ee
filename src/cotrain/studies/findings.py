"""What a study says of a published finding: the claim, a verdict, and the numbers behind it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from textwrap import wrap

from cotrain.figures.text import MISSING, limits, signed
from cotrain.results import Interval

NO_INTERVAL = "(no interval)"
WIDTH = 92  # characters in a printed line


class Verdict(StrEnum):
    """What the data say of a published finding."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    UNDECIDED = "undecided"

    @classmethod
    def of(cls, confirmed: bool, refuted: bool) -> Verdict:
        """Undecided if the data show neither."""
        if confirmed:
            return cls.CONFIRMED
        return cls.REFUTED if refuted else cls.UNDECIDED

    @classmethod
    def above_zero(cls, found: Interval) -> Verdict:
        """On the claim that a number is above zero: confirmed or refuted by a whole interval."""
        return cls.of(found.low > 0, found.high < 0)

    @classmethod
    def below_zero(cls, found: Interval) -> Verdict:
        """On the claim that a number is below zero, likewise."""
        return cls.of(found.high < 0, found.low > 0)


def written(found: Interval) -> str:
    """A difference and its interval, with signs.

    >>> written(Interval(value=0.02, low=-0.01, high=0.05))
    '+0.020 [-0.010, +0.050]'
    """
    if math.isnan(found.value):
        return MISSING
    return f"{signed(found.value)} {NO_INTERVAL if math.isnan(found.low) else limits(found)}"


def level(found: Interval, digits: int = 3, *, sign: str = "", unit: str = "") -> str:
    """A value and its interval with so many digits, without signs unless asked for.

    >>> level(Interval(value=0.02, low=-0.01, high=0.05))
    '0.020 [-0.010, 0.050]'
    >>> level(Interval(value=1, low=math.nan, high=math.nan), 1)
    '1.0 (no interval)'
    >>> level(Interval(value=-2.04, low=-3.0, high=-1.0), 2, sign="+", unit=" %")
    '-2.04 % [-3.00, -1.00]'
    """
    if math.isnan(found.value):
        return MISSING
    value, low, high = (f"{end:{sign}.{digits}f}" for end in (found.value, found.low, found.high))
    return f"{value}{unit} {NO_INTERVAL if math.isnan(found.low) else f'[{low}, {high}]'}"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A published finding, put to the test.

    Args:
        claim: What was published.
        verdict: Whether it holds here.
        evidence: The numbers, with intervals.
    """

    claim: str
    verdict: Verdict
    evidence: str

    def __str__(self) -> str:
        """The verdict first, then the evidence."""
        lines = (f"{self.verdict.upper()} here: {self.claim}", *wrap(self.evidence, WIDTH))
        return "\n    ".join(lines)
