"""A page of small scatter plots as one SVG: log x, error bars, every named point with its name beside it.

All colours are of middling lightness on no background, so the page reads on white and on dark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.style import context
from matplotlib.transforms import Bbox

GREY = "#808080"
WIDTH, HEIGHT, COLUMNS = 8.0, 2.9, 2  # inches of a panel, panels side by side
STRONG = (0, 100)  # y of the lines that stand out
STYLE = {
    "svg.hashsalt": "cotrain",  # the same file each time
    "svg.fonttype": "none",
    "font.size": 8,
    "text.color": GREY,
    "axes.edgecolor": GREY,
    "axes.labelcolor": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
}
# points from a mark to its name, the nearest first
PLACES = tuple(product((7, 22, 40, 62), (0, 9, -9, 18, -18, 27, -27, 36, -36, 45), (1, -1)))


@dataclass(frozen=True, kw_only=True)
class Point:
    """One mark. Points of one ``curve`` are joined; only those with a label are named."""

    x: float
    y: float
    error: float = math.nan
    label: str = ""
    colour: str = GREY
    curve: str = ""
    hollow: bool = False


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One plot: x up to ``end``, y from ``low`` to ``high``; marks beyond become arrows with their value.

    ``note`` is written in it, if there is nothing to plot.
    """

    title: str
    points: tuple[Point, ...]
    end: float
    low: float
    high: float
    ticks: tuple[float, ...]
    note: str = ""
    x_title: str = "networks trained, in all"

    def beyond(self, point: Point) -> bool:
        """Whether a mark is outside of the plot."""
        return not self.low <= point.y <= self.high


def write_panels(path: Path, panels: Sequence[Panel], *, ticks: Sequence[float]) -> None:
    """The panels as one SVG file; ``ticks`` are those of x, which starts just below the first."""
    rows = -(-len(panels) // COLUMNS)
    with context(STYLE):
        figure = Figure(figsize=(COLUMNS * WIDTH, rows * HEIGHT), layout="constrained")
        FigureCanvasSVG(figure)
        grid = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
        for axes in grid[len(panels) :]:
            axes.set_axis_off()
        for axes, panel in zip(grid, panels, strict=False):
            _draw(axes, panel, ticks)
        figure.draw_without_rendering()
        for axes, panel in zip(grid, panels, strict=False):
            _name(axes, panel)
        figure.savefig(path, format="svg", transparent=True, metadata={"Date": None})


def _draw(axes: Axes, panel: Panel, ticks: Sequence[float]) -> None:
    """Axes, curves and marks."""
    axes.set_xscale("log")
    axes.set_xlim(0.8 * ticks[0], panel.end)
    axes.set_ylim(panel.low, panel.high)
    shown = [tick for tick in ticks if tick < panel.end]
    axes.set_xticks(shown, [f"{tick:g}" for tick in shown])
    axes.minorticks_off()
    axes.set_yticks(panel.ticks, [f"{tick:g} %".replace("-", "−") for tick in panel.ticks])
    axes.spines[["top", "right", "left"]].set_visible(False)
    for tick in panel.ticks:
        axes.axhline(tick, color=GREY, linewidth=0.9 if tick in STRONG else 0.3, zorder=0)
    axes.set_title(panel.title, loc="left", fontsize=9, fontweight="bold")
    axes.set_xlabel(panel.x_title, loc="right")
    if panel.note:
        axes.text(0.03, 0.5, panel.note, transform=axes.transAxes)
    for name in dict.fromkeys(point.curve for point in panel.points if point.curve):
        own = [point for point in panel.points if point.curve == name]
        axes.plot([p.x for p in own], [p.y for p in own], color=own[0].colour, linewidth=1.2)
    for point in panel.points:
        _mark(axes, panel, point)


def _mark(axes: Axes, panel: Panel, point: Point) -> None:
    """A circle with its error, or an arrow at the edge."""
    if panel.beyond(point):
        under = point.y < panel.low
        edge, marker = (panel.low, "v") if under else (panel.high, "^")
        axes.plot(point.x, edge, marker, color=point.colour, markersize=6, clip_on=False)
        return
    if math.isfinite(point.error):
        axes.errorbar(point.x, point.y, yerr=point.error, color=point.colour, linewidth=1.0)
    face = "none" if point.hollow else point.colour
    axes.plot(point.x, point.y, "o", color=point.colour, markerfacecolor=face, markersize=5)


def _name(axes: Axes, panel: Panel) -> None:
    """Every name at the nearest place that is free; a thin line leads to a distant one."""
    frame = axes.get_window_extent()
    taken = [
        Bbox.from_extents(x - 4, y - 4, x + 4, y + 4)
        for x, y in (axes.transData.transform((p.x, _inside(panel, p))) for p in panel.points)
    ]
    for y in (tick for tick in panel.ticks if tick in STRONG):
        (left, level), (right, _) = axes.transData.transform(
            [(axes.get_xlim()[0], y), (panel.end, y)]
        )
        taken.append(Bbox.from_extents(left, level - 1, right, level + 1))
    for point in sorted(panel.points, key=lambda p: (p.y, p.x)):
        if not point.label:
            continue
        value = f" {point.y:.0f} %".replace("-", "−") if panel.beyond(point) else ""
        note = axes.annotate(
            point.label + value,
            (point.x, _inside(panel, point)),
            xytext=PLACES[0][:2],
            textcoords="offset points",
            color=point.colour,
            fontsize=7.5,
            va="center",
            annotation_clip=False,
        )
        note.set_in_layout(False)
        for dx, dy, side in PLACES:
            note.set_position((side * dx, dy))
            note.set_horizontalalignment("left" if side > 0 else "right")
            box = note.get_window_extent()
            if _within(frame, box) and not any(box.overlaps(other) for other in taken):
                break
        else:
            dx, dy = PLACES[0][:2]
            note.set_position((dx, dy))
            note.set_horizontalalignment("left")
            box = note.get_window_extent()
        taken.append(box)
        if abs(dy) > 9 or dx > 22:
            axes.annotate(
                "",
                (point.x, _inside(panel, point)),
                xytext=note.get_position(),
                textcoords="offset points",
                arrowprops={"arrowstyle": "-", "color": point.colour, "linewidth": 0.4},
            )


def _inside(panel: Panel, point: Point) -> float:
    """The height at which a mark is drawn."""
    return min(max(point.y, panel.low), panel.high)


def _within(frame: Bbox, box: Bbox) -> bool:
    """Whether a name stays in the plot."""
    return bool(
        frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
    )
