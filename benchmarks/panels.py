"""A page of small scatter plots as one SVG: log x, error bars, every point labelled, no dependency.

All colours are of middling lightness on no background, so the page reads on white and on dark.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise, product

GREY = "#808080"
WIDTH, HEIGHT, COLUMNS = 640, 230, 2
LEFT, RIGHT, TOP, BOTTOM = 44, 14, 26, 30
STRONG = (0, 100)  # y of the lines that no label crosses
LETTER, LINE = 5.4, 11.0  # pixels that a label's letter and line take
REACH = ((8, 4), (8, -5), (8, 13), (8, 22), (8, -14), (8, 31), (8, -23), (8, 40), (8, -32), (8, 49))

Box = tuple[float, float, float, float]  # left, top, right, bottom


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


@dataclass(frozen=True, kw_only=True)
class Scale:
    """From data to pixels."""

    left: float
    right: float
    low: float
    high: float

    def x(self, value: float) -> float:
        share = math.log(value / self.left) / math.log(self.right / self.left)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def beyond(self, value: float) -> bool:
        return not self.low <= value <= self.high


def page(panels: Sequence[Panel], *, ticks: Sequence[float]) -> str:
    """The whole file; ``ticks`` of x, which starts just below the first."""
    rows = -(-len(panels) // COLUMNS)
    width, height = COLUMNS * WIDTH, rows * HEIGHT
    body = []
    for at, panel in enumerate(panels):
        scale = Scale(left=0.8 * ticks[0], right=panel.end, low=panel.low, high=panel.high)
        place = f"{at % COLUMNS * WIDTH} {at // COLUMNS * HEIGHT}"
        marks = [*_axes(panel, scale, ticks), *_marks(panel.points, scale)]
        body += [f'<g transform="translate({place})">', *marks, "</g>"]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="Helvetica, Arial, sans-serif" font-size="10" '
        f'fill="{GREY}">\n' + "\n".join(body) + "\n</svg>\n"
    )


def _axes(panel: Panel, scale: Scale, ticks: Sequence[float]) -> Iterator[str]:
    yield _text(LEFT, 16, panel.title, extra='font-size="12" font-weight="bold"')
    end, floor = WIDTH - RIGHT, HEIGHT - BOTTOM
    for value in panel.ticks:
        y, strong = scale.y(value), value in STRONG
        yield _line(LEFT, y, end, y, width=0.9 if strong else 0.3)
        yield _text(LEFT - 5, y + 3.5, f"{value:g} %".replace("-", "−"), extra='text-anchor="end"')
    for value in (tick for tick in ticks if tick < panel.end):
        yield _line(scale.x(value), floor, scale.x(value), floor + 4, width=0.9)
        yield _text(scale.x(value), floor + 14, f"{value:g}", extra='text-anchor="middle"')
    yield _text(end, floor + 26, panel.x_title, extra='text-anchor="end"')
    if panel.note:
        yield _text(LEFT + 20, (TOP + floor) / 2, panel.note)


def _marks(points: Sequence[Point], scale: Scale) -> Iterator[str]:
    taken: list[Box] = [(LEFT, scale.y(y) - 1, WIDTH - RIGHT, scale.y(y) + 1) for y in STRONG]
    for name in dict.fromkeys(point.curve for point in points if point.curve):
        for a, b in pairwise([point for point in points if point.curve == name]):
            ends = (scale.x(a.x), scale.y(a.y), scale.x(b.x), scale.y(b.y))
            yield _line(*ends, a.colour, 1.4)
            taken += _along(*ends)
    for point in points:
        yield from _mark(point, scale)
        x, error = scale.x(point.x), 0 if math.isnan(point.error) else point.error
        taken.append((x - 4, scale.y(point.y + error) - 4, x + 4, scale.y(point.y - error) + 4))
    for point in sorted(points, key=lambda p: (-scale.y(p.y), p.x)):
        if point.label:
            yield from _label(point, scale, taken)


def _mark(point: Point, scale: Scale) -> Iterator[str]:
    x, y = scale.x(point.x), scale.y(point.y)
    if scale.beyond(point.y):
        tip = 6 if point.y < scale.low else -6
        yield f'<path d="M{x - 4:.1f} {y - tip:.1f}h8l-4 {tip}z" fill="{point.colour}"/>'
        return
    if math.isfinite(point.error):
        low, high = scale.y(point.y - point.error), scale.y(point.y + point.error)
        yield _line(x, low, x, high, point.colour, 1.2)
    style = (
        f'fill="none" stroke="{point.colour}" stroke-width="1.6"'
        if point.hollow
        else f'fill="{point.colour}"'
    )
    yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.4" {style}/>'


def _label(point: Point, scale: Scale, taken: list[Box]) -> Iterator[str]:
    """The name at the nearest free place; a thin line leads to a place that is not next to it."""
    x, y = scale.x(point.x), scale.y(point.y)
    text = point.label + (f" {point.y:.0f} %".replace("-", "−") if scale.beyond(point.y) else "")
    length = LETTER * len(text)
    places = [(x + side * dx, y + dy, side) for (dx, dy), side in product(_reach(), (1, -1))]
    boxes = [
        (px if side > 0 else px - length, py - LINE + 2, px + length if side > 0 else px, py + 2)
        for px, py, side in places
    ]
    inside = [
        b[0] > LEFT and b[2] < WIDTH - 2 and b[1] > TOP - 8 and b[3] < HEIGHT - BOTTOM
        for b in boxes
    ]
    free = [at for at, box in enumerate(boxes) if inside[at] and not _hit(box, taken)]
    at = free[0] if free else 0
    taken.append(boxes[at])
    px, py, side = places[at]
    if abs(py - 4 - y) > 10 or abs(px - x) > 10:
        yield _line(x + 4 * side, y, px, py - 3.5, point.colour, 0.5)
    anchor = "start" if side > 0 else "end"
    yield _text(px, py, text, extra=f'text-anchor="{anchor}" fill="{point.colour}"')


def _reach() -> Iterator[tuple[float, float]]:
    """Offsets to try, the nearest first."""
    yield from REACH
    yield from ((further, dy) for further in (24, 44, 70) for _, dy in REACH)


def _along(x: float, y: float, to_x: float, to_y: float) -> Iterator[Box]:
    """Small boxes that cover a line."""
    count = 1 + int(max(abs(to_x - x), abs(to_y - y)) / 3)
    for at in range(count + 1):
        px, py = x + (to_x - x) * at / count, y + (to_y - y) * at / count
        yield (px - 1, py - 1, px + 1, py + 1)


def _hit(box: Box, others: Iterable[Box]) -> bool:
    return any(box[0] < o[2] and o[0] < box[2] and box[1] < o[3] and o[1] < box[3] for o in others)


def _line(
    x: float, y: float, to_x: float, to_y: float, colour: str = GREY, width: float = 1.0
) -> str:
    return (
        f'<path d="M{x:.1f} {y:.1f}L{to_x:.1f} {to_y:.1f}" stroke="{colour}" '
        f'stroke-width="{width}" fill="none"/>'
    )


def _text(x: float, y: float, text: str, *, extra: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {extra}>{escape(text)}</text>'
