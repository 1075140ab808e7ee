"""Axes, legends and error bars, the same in every figure."""

from __future__ import annotations

from collections.abc import Sequence

from cotrain.figures.plotly_text import finite
from cotrain.figures.style import FONT, Figure
from cotrain.results import Interval

LEGEND_ABOVE: Figure = {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"}
ZERO_LINE: Figure = {"zeroline": True, "zerolinewidth": 1.5}


def axis(title: str, **further: object) -> Figure:
    """An axis that does not zoom.

    >>> axis("epoch", dtick=5)["title"]["text"], axis("epoch", dtick=5)["dtick"]
    ('epoch', 5)
    """
    return {"title": {"text": title, "font": FONT}, "fixedrange": True, **further}


def error_bars(intervals: Sequence[Interval], colour: str, **further: object) -> Figure:
    """The reach of each interval to both sides of its value."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [finite(own.high - own.value) for own in intervals],
        "arrayminus": [finite(own.value - own.low) for own in intervals],
        "color": colour,
        **further,
    }
