"""What all figures share: fonts, backgrounds, colours. The page's style sheet colours text and lines."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plotly.graph_objects import Figure as PlotlyFigure

Figure = dict[str, object]  # plotly's JSON: {"data": [...], "layout": {...}}

FONT = {"family": "system-ui, sans-serif", "size": 13}
LAYOUT: Figure = {
    "font": FONT,
    "hoverlabel": {"bgcolor": "#1f2933", "bordercolor": "#1f2933", "font": {"color": "#ffffff"}},
    "hovermode": "closest",
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
}
DIVERGING = [
    [0.0, "#b2182b"],
    [0.25, "#ef8a62"],
    [0.5, "#f4f4f2"],
    [0.75, "#67a9cf"],
    [1.0, "#2166ac"],
]
SHARES = [[0.0, "#f4f4f2"], [1.0, "#2166ac"]]
BLUE, GREY, RED = "#3a86c8", "#8a9199", "#d1495b"


def as_plotly(figure: Figure) -> "PlotlyFigure":
    """The figure as plotly's object, which shows itself in a notebook and writes files."""
    from plotly.graph_objects import Figure as PlotlyFigure  # heavy: only when a person looks

    return PlotlyFigure(figure)
