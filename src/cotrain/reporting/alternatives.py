"""The curve of alternatives: what more or fewer models would reach."""

from cotrain.figures.axes import LEGEND_ABOVE, axis
from cotrain.figures.plotly_text import finite
from cotrain.figures.style import BLUE, GREY, LAYOUT, Figure
from cotrain.results import GroupingSummary


def alternatives_figure(grouping: GroupingSummary) -> Figure:
    """Objective and bound against the number of models, the chosen number marked."""
    models = [each.models for each in grouping.alternatives]
    chosen = {
        "type": "scatter",
        "mode": "markers",
        "name": "chosen",
        "x": [len(grouping.groups)],
        "y": [finite(grouping.objective)],
        "marker": {"color": BLUE, "size": 15, "symbol": "circle-open", "line": {"width": 3}},
        "hoverinfo": "skip",
    }
    reached = _line("reached", models, [each.objective for each in grouping.alternatives], BLUE)
    data = [reached, chosen]
    if any(each.bound > each.objective for each in grouping.alternatives):
        bound = _line(
            "no groups score above", models, [a.bound for a in grouping.alternatives], GREY
        )
        data.append(bound | {"line": {"color": GREY, "dash": "dot"}})
    return {"data": data, "layout": _layout(grouping.unit, len(models))}


def _line(name: str, models: list[int], values: list[float], colour: str) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": models,
        "y": [finite(value) for value in values],
        "line": {"color": colour, "width": 2},
        "marker": {"size": 7},
        "hovertemplate": "%{x} models: %{y:.4f}",
    }


def _layout(unit: str, models: int) -> Figure:
    return {
        **LAYOUT,
        "height": 320,
        "margin": {"l": 8, "r": 16, "t": 40, "b": 48},
        "showlegend": True,
        "legend": LEGEND_ABOVE,
        "xaxis": axis("models", dtick=1 if models <= 20 else 5),
        "yaxis": axis(unit, tickformat=".2~g", automargin=True),
    }
