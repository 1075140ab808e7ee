"""The heatmap of a relation between tasks: what each source task does for each recipient."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from cotrain.figures.plotly_text import finite, hover, label, thinned
from cotrain.figures.style import DIVERGING, FONT, LAYOUT, SHARES, Figure
from cotrain.figures.text import MISSING, percent

FloatArray = NDArray[np.floating[Any]]

_MOST_LABELS = 40
_MOST_TEXTS = 40_000  # cells; a text for each makes a page of hundreds of tasks too heavy
_COLORBAR: Figure = {"thickness": 10, "len": 0.6, "outlinewidth": 0}
_PLACES: Figure = {"hovertemplate": "row %{y}, column %{x}: %{z:+.3g}<extra></extra>"}
_ORDERED_OPTIMALLY = 200  # tasks; beyond that the leaf order is only a good one


def matrix_figure(tasks: Sequence[str], mean: FloatArray, error: FloatArray) -> Figure:
    """Recipients in rows, sources in columns, similar tasks next to each other.

    Args:
        tasks: T names.
        mean: ``[T, T]``, NaN where not measured.
        error: ``[T, T]`` standard errors.
    """
    order = cluster_order(mean)
    names = [tasks[i] for i in order]
    ordered = np.ix_(order, order)
    trace = _trace(names, names, mean[ordered], error[ordered])
    return {"data": [trace], "layout": _layout(names, names)}


def groups_figure(
    tasks: Sequence[str], groups: Sequence[str], mean: FloatArray, error: FloatArray
) -> Figure:
    """Recipients in rows, groups as sources in columns, in the order given.

    Args:
        tasks: T names.
        groups: G names.
        mean: ``[T, G]``, NaN where not measured.
        error: ``[T, G]`` standard errors.
    """
    return {"data": [_trace(tasks, groups, mean, error)], "layout": _layout(tasks, groups)}


def shares_figure(tasks: Sequence[str], share: FloatArray) -> Figure:
    """``[T, T]`` symmetric shares of pairs of tasks, from 0 to 1; pairs with large ones are neighbours."""
    order = cluster_order(share)
    names = [tasks[i] for i in order]
    ordered = share[np.ix_(order, order)]
    texts = [
        [
            f"<b>{hover(a)}</b><br>with {hover(b)}<br>{percent(ordered[i, j])}"
            for j, b in enumerate(names)
        ]
        for i, a in enumerate(names)
    ]
    hovers: Figure = {"hoverinfo": "text", "hovertext": texts}
    trace = _cells(ordered, (0.0, 1.0), SHARES, ".0%") | hovers
    return {"data": [trace], "layout": _layout(names, names, titles=("", ""))}


def cluster_order(mean: FloatArray) -> list[int]:
    """Leaf order of average linkage on the symmetrised affinities (``[T, T]``), high = close."""
    if len(mean) < 3:
        return list(range(len(mean)))
    known = np.where(np.isfinite(mean), mean, 0.0)
    closeness = (known + known.T) / 2
    distance = closeness.max() - closeness
    np.fill_diagonal(distance, 0.0)
    tree = linkage(
        squareform(distance), "average", optimal_ordering=len(mean) <= _ORDERED_OPTIMALLY
    )
    return [int(leaf) for leaf in leaves_list(tree)]


def colour_limit(mean: FloatArray) -> float:
    """Half the width of the colour range: the 98 % quantile of the sizes, 1 where all are zero."""
    sizes = np.abs(mean[np.isfinite(mean)])
    limit = float(np.quantile(sizes, 0.98)) if sizes.size else 0.0
    return limit or float(sizes.max(initial=0.0)) or 1.0


def _trace(
    rows: Sequence[str], columns: Sequence[str], mean: FloatArray, error: FloatArray
) -> Figure:
    limit = colour_limit(mean)
    hovers = _texts(rows, columns, mean, error) if mean.size <= _MOST_TEXTS else _PLACES
    return _cells(mean, (-limit, limit), DIVERGING, "+.2~g") | hovers


def _cells(
    values: FloatArray, limits: tuple[float, float], colours: list[list[Any]], format: str
) -> Figure:
    return {
        "type": "heatmap",
        "z": [[finite(float(f"{value:.4g}")) for value in row] for row in values],
        "zmin": limits[0],
        "zmax": limits[1],
        "colorscale": colours,
        "xgap": 1,
        "ygap": 1,
        "hoverongaps": False,
        "colorbar": {**_COLORBAR, "tickformat": format},
    }


def _texts(
    rows: Sequence[str], columns: Sequence[str], mean: FloatArray, error: FloatArray
) -> Figure:
    """A text for every cell."""
    recipients, sources = ([hover(name) for name in names] for names in (rows, columns))
    return {
        "hoverinfo": "text",
        "hovertext": [
            [_hover(to, source, mean[i, j], error[i, j]) for j, source in enumerate(sources)]
            for i, to in enumerate(recipients)
        ],
    }


def _hover(recipient: str, source: str, mean: float, error: float) -> str:
    spread = f"{error:.2g}" if np.isfinite(error) else MISSING
    value = f"{mean:+.3g} ± {spread}" if np.isfinite(mean) else MISSING
    return f"<b>{recipient}</b><br>from {source}<br>{value}"


def _layout(
    rows: Sequence[str],
    columns: Sequence[str],
    titles: tuple[str, str] = ("source", "recipient"),
) -> Figure:
    tilted = {"tickangle": -60, "constrain": "domain"}
    square = {
        "autorange": "reversed",
        "scaleanchor": "x",
        "constrain": "domain",
        "constraintoward": "top",
    }
    return {
        **LAYOUT,
        "height": 180 + min(900, len(rows) * (34 if len(rows) <= 16 else 14)),
        "margin": {"l": 8, "r": 8, "t": 16, "b": 8},
        "xaxis": {**_axis(titles[0], columns), **tilted},
        "yaxis": {**_axis(titles[1], rows), **square},
    }


def _axis(title: str, names: Sequence[str]) -> Figure:
    shown = thinned(len(names), _MOST_LABELS)
    return {
        "title": {"text": title, "standoff": 8, "font": FONT},
        "tickvals": shown,
        "ticktext": [label(names[i], 20) for i in shown],
        "tickfont": {"size": 12 if len(names) <= 24 else 10},
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
        "automargin": True,
    }
