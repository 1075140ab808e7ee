"""Share of the oracle's gain against networks trained, a panel for each table."""

from __future__ import annotations

from pathlib import Path

from benchmarks.common.figures import GREY, Panel, Point, write_panels
from benchmarks.instruments.truth import SEEDS
from benchmarks.regret.methods import FURTHER
from benchmarks.regret.verdict import NEAR_ZERO, Found, Verdict

OURS, JOINT_RUN, PAIRS, RIDGE = "#1a7fd4", "#27934f", "#c8691c", "#b653a6"
LOOKS: dict[str, tuple[str, str]] = {
    "single": ("single", GREY),
    "all together": ("all together", GREY),
    "single or joint, chosen on validation": ("single or joint, chosen", GREY),
    "chance": ("chance", GREY),
    "every set trained": ("every set", GREY),
    f"every set trained, {SEEDS} seeds": (f"every set, {SEEDS} seeds", GREY),
    "HOA": ("HOA", PAIRS),
    "TAG": ("TAG", JOINT_RUN),
    "gradient cosine": ("cosine", JOINT_RUN),
    "data map": ("data map", JOINT_RUN),
    "data map, clusters": ("clusters", JOINT_RUN),
    "ours: lookahead": ("ours: lookahead", OURS),
    "ours: lookahead, chosen on validation": ("ours: lookahead, chosen", OURS),
    "ours: sampled": ("ours: sampled", OURS),
    "ours: sampled, chosen on validation": ("ours: sampled, chosen", OURS),
}
CURVES = {"ridge": RIDGE, "sampled": OURS}


def write_figure(path: Path, found: Found) -> None:
    """Share of the oracle against networks trained, a panel for each table and k."""
    ticks = (1, 2, 5, 10, 20, 50, 100, 200, 500)
    write_panels(path, [panel(*one) for one in found.items()], ticks=ticks)


def panel(title: str, own: dict[str, Verdict]) -> Panel:
    """One table and k."""
    oracle = own["oracle"].gain
    title = f"{title}: share of the oracle's gain ({oracle:+.4f})"
    end = 1000 if f"every set trained, {SEEDS} seeds" in own else 250
    if oracle < NEAR_ZERO:
        note = "The oracle gains next to nothing over training alone: no share."
        return Panel(
            title=title, points=(), end=end, low=-50, high=125, ticks=(0, 50, 100), note=note
        )
    points = [point(own[name], oracle, *look) for name, look in LOOKS.items() if name in own]
    for curve, colour in CURVES.items():
        reached = [n for n in FURTHER if f"{curve}, {n} sets" in own]
        for n in reached:
            label = f"{curve}, {reached[0]} to {n} sets" if n == reached[-1] else ""
            points.append(point(own[f"{curve}, {n} sets"], oracle, label, colour, curve))
    deep = sum(one.y < -50 for one in points) > len(points) / 3
    low, high, ticks = (-400, 150, range(-400, 101, 100)) if deep else (-50, 125, (-50, 0, 50, 100))
    return Panel(title=title, points=tuple(points), end=end, low=low, high=high, ticks=tuple(ticks))


def point(one: Verdict, oracle: float, label: str, colour: str, curve: str = "") -> Point:
    x, y, error = one.in_all, 100 * one.gain / oracle, 100 * one.error / oracle
    hollow = not curve and not label.endswith("chosen")
    return Point(x=x, y=y, error=error, label=label, colour=colour, curve=curve, hollow=hollow)
