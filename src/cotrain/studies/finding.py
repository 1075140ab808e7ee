"""What a study says: findings with their verdicts, and the sections of its page."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from textwrap import wrap

from cotrain.figures.style import Figure
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


def written(found: Interval) -> str:
    """Value and interval.

    >>> written(Interval(value=0.02, low=-0.01, high=0.05))
    '+0.020 [-0.010, +0.050]'
    """
    if math.isnan(found.value):
        return MISSING
    return f"{signed(found.value)} {NO_INTERVAL if math.isnan(found.low) else limits(found)}"


def level(found: Interval, digits: int = 3) -> str:
    """Value and interval of what is no difference, without signs.

    >>> level(Interval(value=0.02, low=-0.01, high=0.05))
    '0.020 [-0.010, 0.050]'
    >>> level(Interval(value=1, low=math.nan, high=math.nan), 1)
    '1.0 (no interval)'
    """
    if math.isnan(found.value):
        return MISSING
    ends = f"[{found.low:.{digits}f}, {found.high:.{digits}f}]"
    return f"{found.value:.{digits}f} {NO_INTERVAL if math.isnan(found.low) else ends}"


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
        """Verdict first."""
        lines = (f"{self.verdict.upper()} here: {self.claim}", *wrap(self.evidence, WIDTH))
        return "\n    ".join(lines)


@dataclass(frozen=True, kw_only=True)
class Section:
    """A picture with its words; reports treat it like a measurement.

    Args:
        title: Heading.
        about: One or two sentences for a reader who sees the figure.
        text: The numbers, as printed in the terminal.
        drawing: Plotly's JSON, with names made inert.
    """

    title: str
    about: str
    text: str
    drawing: Figure

    def figure(self) -> Figure:
        """The picture."""
        return self.drawing

    def __str__(self) -> str:
        """The numbers."""
        return self.text
