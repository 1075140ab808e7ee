"""Lines with bands over the course of a training run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cotrain.figures.axes import LEGEND_ABOVE, ZERO_LINE, axis
from cotrain.figures.plotly_text import finite, label
from cotrain.figures.style import BLUE, GREY, LAYOUT, RED, Figure

Array = NDArray[np.floating[Any]]
_COLOURS = (BLUE, RED, GREY)


@dataclass(frozen=True, kw_only=True)
class Band:
    """A line and the range around it, one value an epoch.

    Args:
        name: For the legend.
        middle: ``[E]``.
        low: ``[E]`` lower end of the range.
        high: ``[E]`` upper end.
    """

    name: str
    middle: Array
    low: Array
    high: Array


def timeline_figure(bands: Sequence[Band], *, title: str, x_title: str) -> Figure:
    """A line with a band around it for each of several quantities, over the epochs from 1.

    Args:
        bands: The quantities, in the order of the legend.
        title: Of the y axis.
        x_title: Of the x axis.
    """
    traces = [trace for at, band in enumerate(bands) for trace in _traces(band, _COLOURS[at % 3])]
    layout: Figure = {
        **LAYOUT,
        "height": 360,
        "margin": {"l": 8, "r": 16, "t": 40, "b": 48},
        "showlegend": True,
        "legend": LEGEND_ABOVE,
        "xaxis": axis(x_title),
        "yaxis": axis(title, automargin=True, **ZERO_LINE),
    }
    return {"data": traces, "layout": layout}


def _traces(band: Band, colour: str) -> list[Figure]:
    epochs = list(range(1, len(band.middle) + 1))
    known = np.isfinite(band.low) & np.isfinite(band.high)
    at = [epoch for epoch, seen in zip(epochs, known, strict=True) if seen]
    edge = [*band.high[known].tolist(), *band.low[known][::-1].tolist()]
    area: Figure = {
        "type": "scatter",
        "mode": "lines",
        "x": [*at, *at[::-1]],
        "y": edge,
        "fill": "toself",
        "fillcolor": colour,
        "opacity": 0.15,
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
        "legendgroup": band.name,
    }
    line: Figure = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": label(band.name),
        "legendgroup": band.name,
        "x": epochs,
        "y": [finite(value) for value in band.middle],
        "line": {"color": colour, "width": 2},
        "marker": {"size": 5},
        "hovertemplate": "%{y:.3f}",
    }
    return [area, line]


def steps_figure(
    names: Sequence[str], starts: Sequence[int], values: Array, *, title: str, x_title: str
) -> Figure:
    """Lines that change in steps, one a name.

    Args:
        names: C.
        starts: K + 1 places on the x axis: where each step begins, and the end of the last.
        values: ``[K, C]``.
        title: Of the y axis.
        x_title: Of the x axis.
    """
    held = np.concatenate([values, values[-1:]])
    traces: list[Figure] = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": label(name),
            "x": list(starts),
            "y": [finite(value) for value in held[:, at]],
            "line": {"shape": "hv", "width": 2},
            "hovertemplate": "%{y:.2f}",
        }
        for at, name in enumerate(names)
    ]
    layout: Figure = {
        **LAYOUT,
        "height": 360,
        "margin": {"l": 8, "r": 16, "t": 24, "b": 48},
        "showlegend": True,
        "xaxis": axis(x_title),
        "yaxis": axis(title, automargin=True, rangemode="tozero"),
    }
    return {"data": traces, "layout": layout}
