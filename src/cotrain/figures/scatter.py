"""The scatter of a data map: variability to the right, confidence upwards, coloured by correctness.

Letters: T tasks, N examples.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cotrain.figures.axes import axis
from cotrain.figures.plotly_text import label
from cotrain.figures.style import BLUE, FONT, LAYOUT, RED, Figure
from cotrain.figures.text import thousands

FloatArray = NDArray[np.floating[Any]]

_MOST_POINTS, _MOST_OF_A_TASK = 20_000, 2_000  # in the whole figure; in one task's scatter
_COLOURS = [[0.0, RED], [0.5, "#e0a53b"], [1.0, BLUE]]
_REGIONS = (("easy", 0.93), ("ambiguous", 0.5), ("hard", 0.07))


def map_figure(
    tasks: Sequence[str],
    *,
    variability: FloatArray,
    confidence: FloatArray,
    correctness: FloatArray,
    numbers: NDArray[np.int64] | None = None,
    left_out: int = 0,
) -> Figure:
    """One task's examples at a time, chosen from a menu; the lines part easy, ambiguous and hard.

    Of many examples evenly spaced ones are drawn: at most 2,000 a task and 20,000 in all.

    Args:
        tasks: T names, in the order of the menu.
        variability: ``[T, N]``, NaN where the example is not on the map.
        confidence: ``[T, N]``.
        correctness: ``[T, N]``, from 0 to 1.
        numbers: ``[N]`` what to call the examples; their own order if None.
        left_out: How many further tasks the caller left out, for the title.
    """
    most = min(_MOST_OF_A_TASK, _MOST_POINTS // max(1, len(tasks)))
    on_map = [np.flatnonzero(np.isfinite(row)) for row in variability]
    drawn = [_spaced(examples, most) for examples in on_map]
    values = (variability, confidence, correctness)
    names = np.arange(variability.shape[1]) if numbers is None else numbers
    traces = [
        _trace(names[examples], *(value[t, examples] for value in values), visible=t == 0)
        for t, examples in enumerate(drawn)
    ]
    titles = [
        _title(name, len(examples), len(every), left_out)
        for name, examples, every in zip(tasks, drawn, on_map, strict=True)
    ]
    most_variable = float(np.nanmax(variability, initial=0.5))
    return {"data": traces, "layout": {**_layout(most_variable), **_menu(tasks, titles)}}


def _spaced(examples: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """At most ``most`` of the examples, evenly spaced."""
    if len(examples) <= most:
        return examples
    return examples[np.linspace(0, len(examples) - 1, most).round().astype(np.intp)]


def _trace(
    examples: NDArray[np.int64], x: FloatArray, y: FloatArray, colour: FloatArray, *, visible: bool
) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "visible": visible,
        "showlegend": False,
        "x": _rounded(x),
        "y": _rounded(y),
        "customdata": examples.tolist(),
        "marker": {
            "color": _rounded(colour),
            "colorscale": _COLOURS,
            "cmin": 0,
            "cmax": 1,
            "size": 5,
            "opacity": 0.7,
            "colorbar": {"title": {"text": "correct"}, "thickness": 10, "len": 0.6},
        },
        # no name here: plotly would read %{…} in it
        "hovertemplate": (
            "row %{customdata}<br>confidence %{y:.3f}<br>variability %{x:.3f}"
            "<br>correct %{marker.color:.0%}<extra></extra>"
        ),
    }


def _rounded(values: FloatArray) -> list[float]:
    return [round(float(value), 4) for value in values]


def _title(name: str, drawn: int, examples: int, left_out: int) -> str:
    count = thousands(examples)
    shown = f"{thousands(drawn)} of {count}" if drawn < examples else count
    others = f"; {thousands(left_out)} tasks left out" if left_out else ""
    return f"{label(name)}: {shown} examples{others}"


def _menu(tasks: Sequence[str], titles: Sequence[str]) -> Figure:
    """The first title, and with several tasks a menu that shows one trace and its title."""
    title = {"text": titles[0] if titles else "", "font": FONT, "x": 0.01, "y": 0.98}
    if len(tasks) < 2:
        return {"title": title}
    buttons = [
        {
            "label": label(name),
            "method": "update",
            "args": [
                {"visible": [other == t for other in range(len(tasks))]},
                {"title.text": text},
            ],
        }
        for t, (name, text) in enumerate(zip(tasks, titles, strict=True))
    ]
    place = {"x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"}
    return {"title": title, "updatemenus": [{"buttons": buttons, "showactive": True, **place}]}


def _layout(most_variable: float) -> Figure:
    """Axes are the same for all tasks."""
    end = most_variable + 0.02
    return {
        **LAYOUT,
        "height": 520,
        "margin": {"l": 64, "r": 16, "t": 64, "b": 56},
        "xaxis": axis("variability", range=[-0.01, end], zeroline=False),
        "yaxis": axis("confidence", range=[-0.03, 1.03], zeroline=False),
        "shapes": [_border(end) for end in (0.0, 1.0)],
        "annotations": [
            {
                "text": text,
                "x": end,
                "y": y,
                "xanchor": "right",
                "showarrow": False,
                "opacity": 0.6,
            }
            for text, y in _REGIONS
        ],
    }


def _border(end: float) -> Figure:
    """A line of the map from a confidence of one half: μ ± s = ½, at ``end`` where s is one half."""
    line = {"color": "#8a9199", "width": 1, "dash": "dot"}
    return {"type": "line", "x0": 0, "y0": 0.5, "x1": 0.5, "y1": end, "line": line}
