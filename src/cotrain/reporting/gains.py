"""The gains figure: what shipping brings each task over training it alone."""

import math
from collections.abc import Sequence

from cotrain.figures.axes import LEGEND_ABOVE, ZERO_LINE, error_bars
from cotrain.figures.plotly_text import finite, hover, label, thinned
from cotrain.figures.style import BLUE, FONT, GREY, LAYOUT, RED, Figure
from cotrain.figures.text import limits, readable, score, signed
from cotrain.reporting.ranking import by_gain, verdict
from cotrain.results import TaskResult

_LOOKS = {
    "gain": ("significant gain", BLUE),
    "unclear": ("not significant", GREY),
    "loss": ("significant loss", RED),
}
_ROW, _MOST_LABELS = 24, 120  # pixels; beyond 60 tasks rows get thinner, beyond 120 labels do


def gains_figure(tasks: Sequence[TaskResult]) -> Figure:
    """Dots with 95 % intervals, largest gain on top, and a line at zero."""
    ranked = [task for task in by_gain(tasks) if not math.isnan(task.gain_over_single.value)]
    traces = [_trace(ranked, kind, *look) for kind, look in _LOOKS.items()]
    return {"data": [trace for trace in traces if trace["y"]], "layout": _layout(ranked)}


def _trace(ranked: Sequence[TaskResult], kind: str, title: str, color: str) -> Figure:
    places = [i for i, task in enumerate(ranked) if verdict(task.gain_over_single) == kind]
    gains = [ranked[i].gain_over_single for i in places]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": title,
        "x": [finite(gain.value) for gain in gains],
        "y": places,
        "error_x": error_bars(gains, color, thickness=1.6, width=0),
        "marker": {"color": color, "size": 9},
        "hoverinfo": "text",
        "hovertext": [_hover(ranked[i]) for i in places],
    }


def _hover(task: TaskResult) -> str:
    gain = task.gain_over_single
    return (
        f"<b>{hover(task.name)}</b><br>{hover(task.metric)} {score(task.shipped)}, "
        f"served by {hover(task.served_by)}<br>{signed(gain.value)} {limits(gain)} over single-task"
    )


def _layout(ranked: Sequence[TaskResult]) -> Figure:
    size = len(ranked)
    shown = thinned(size, _MOST_LABELS)
    metrics = {readable(task.metric) for task in ranked}
    unit = metrics.pop() if len(metrics) == 1 else "score"
    return {
        **LAYOUT,
        "height": 110 + size * (_ROW if size <= 60 else _ROW * 60 // size + 8),
        "margin": {"l": 8, "r": 16, "t": 40, "b": 56},
        "showlegend": True,
        "legend": {**LEGEND_ABOVE, "itemclick": False},
        "xaxis": _gain_axis(label(unit)),
        "yaxis": _name_axis([label(ranked[i].name) for i in shown], shown, size),
    }


def _gain_axis(unit: str) -> Figure:
    return {
        "title": {"text": f"gain in test {unit}", "standoff": 12, "font": FONT},
        **ZERO_LINE,
        "tickformat": "+.3~f",
        "fixedrange": True,
    }


def _name_axis(names: Sequence[str], places: Sequence[int], size: int) -> Figure:
    return {
        "tickvals": list(places),
        "ticktext": list(names),
        "range": [size - 0.4, -0.6],
        "automargin": True,
        "zeroline": False,
        "showgrid": size <= 60,
        "fixedrange": True,
    }
