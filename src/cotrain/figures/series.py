"""Points over a measured quantity, joined by lines or not, with intervals if there are any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10

from cotrain.figures.axes import LEGEND_ABOVE, ZERO_LINE, axis, error_bars
from cotrain.figures.plotly_text import finite, hover, label, thinned
from cotrain.figures.style import BLUE, GREY, LAYOUT, RED, Figure
from cotrain.figures.text import compact
from cotrain.results import Interval

ROOM = 1.0  # beyond the values, in multiples of their range
_COLOURS = (BLUE, RED, GREY, "#e0a53b", "#5b8c5a", "#7b5ea7")
_STYLES = (
    ("solid", "circle"),
    ("dash", "diamond"),
    ("dot", "square"),
)  # lines and markers, next turn


@dataclass(frozen=True, kw_only=True)
class Series:
    """Points of one kind.

    Args:
        name: For the legend.
        x: ``[n]``.
        y: ``[n]`` values, with their intervals where they have some.
        texts: ``[n]`` what each point is, shown when it is pointed at; nothing if empty.
        joined: Whether a line joins the points.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float] | Sequence[Interval]
    texts: Sequence[str] = ()
    joined: bool = True


def series_figure(
    series: Sequence[Series],
    *,
    x_title: str,
    y_title: str,
    x_logarithmic: bool = False,
    x_names: Sequence[str] = (),
) -> Figure:
    """All series on the same axes; with names, ``x`` counts them from 0."""
    places = [x for one in series for x in one.x]
    x_axis = _logarithmic(places) if x_logarithmic else _named(x_names) if x_names else {}
    traces = [_trace(one, at) for at, one in enumerate(series)]
    layout: Figure = {
        **LAYOUT,
        "height": 380,
        "margin": {"l": 8, "r": 16, "t": 40, "b": 48},
        "showlegend": len(series) > 1,
        "legend": LEGEND_ABOVE,
        "xaxis": axis(x_title, **x_axis),
        "yaxis": axis(y_title, automargin=True, **ZERO_LINE, **_clipped(series)),
    }
    return {"data": traces, "layout": layout}


def _clipped(series: Sequence[Series]) -> Figure:
    """A range for the axis where long intervals would squeeze the values: the longest run off it."""
    ends = [
        y for one in series for y in one.y if isinstance(y, Interval) and isfinite(y.high - y.low)
    ]
    values = [y.value if isinstance(y, Interval) else y for one in series for y in one.y]
    values = [value for value in values if isfinite(value)]
    if not ends:
        return {}
    span = max(max(values) - min(values), min(own.high - own.low for own in ends))
    low, high = min(values) - ROOM * span, max(values) + ROOM * span
    if low <= min(own.low for own in ends) and max(own.high for own in ends) <= high:
        return {}
    return {
        "range": [
            max(low, min(*values, *(own.low - 0.05 * span for own in ends))),
            min(high, max(*values, *(own.high + 0.05 * span for own in ends))),
        ]
    }


def _logarithmic(places: Sequence[float]) -> Figure:
    """Ticks at 1, 2 and 5 times powers of ten, written out."""
    powers = range(floor(log10(min(places))), ceil(log10(max(places))) + 1)
    ticks = [times * 10.0**power for power in powers for times in (1, 2, 5)]
    return {"type": "log", "tickvals": ticks, "ticktext": [compact(tick) for tick in ticks]}


def _named(names: Sequence[str]) -> Figure:
    """A tick for every name, or for some of many."""
    shown = thinned(len(names), 12)
    texts = [label(names[at], 18) for at in shown]
    return {"range": [-0.5, len(names) - 0.5], "tickvals": shown, "ticktext": texts}


def _trace(series: Series, at: int) -> Figure:
    turn, place = divmod(at, len(_COLOURS))
    colour, (dash, symbol) = _COLOURS[place], _STYLES[turn % len(_STYLES)]
    values = [y.value if isinstance(y, Interval) else y for y in series.y]
    trace: Figure = {
        "type": "scatter",
        "mode": "lines+markers" if series.joined else "markers",
        "name": label(series.name),
        "x": list(series.x),
        "y": [finite(value) for value in values],
        "line": {"color": colour, "width": 2, "dash": dash},
        "marker": {
            "color": colour,
            "symbol": symbol,
            "size": 7,
            "opacity": 1.0 if series.joined else 0.7,
        },
        "hovertemplate": "%{y:.4f}<extra></extra>",
    }
    if series.texts:
        trace["hovertext"] = [hover(text) for text in series.texts]
        trace["hovertemplate"] = "%{hovertext}<br>%{y:.4f}<extra></extra>"
    ends = [y for y in series.y if isinstance(y, Interval)]
    if ends:
        trace["error_y"] = error_bars(ends, colour, thickness=1.2)
    return trace
