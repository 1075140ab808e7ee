"""The page of regrets: four tables."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.common.markdown import minus, table, with_error
from benchmarks.instruments.truth import SEEDS
from benchmarks.regret.methods import FURTHER
from benchmarks.regret.prose import ABOUT, NOTES, READING
from benchmarks.regret.verdict import NEAR_ZERO, Found, Verdict

METHODS = (
    "single",
    "all together",
    "single or joint, chosen on validation",
    "chance",
    "chance, chosen on validation",
    "HOA",
    "HOA, chosen on validation",
    "TAG",
    "gradient cosine",
    "data map",
    "data map, clusters",
    *(f"ridge, {n} sets" for n in FURTHER),
    *(f"sampled, {n} sets" for n in FURTHER),
    "ours: lookahead",
    "ours: lookahead, chosen on validation",
    "ours: sampled",
    "ours: sampled, chosen on validation",
    "every set trained",
    f"every set trained, {SEEDS} seeds",
    "oracle by the other seeds' test",
    "oracle",
)


def by_method(found: Found, cell: Callable[[Verdict, Verdict], str]) -> list[str]:
    """Markdown: rows methods, columns tables × k."""
    rows = [
        (name, *(cell(own[name], own["oracle"]) if name in own else "–" for own in found.values()))
        for name in METHODS
    ]
    return table(("method", *found), rows)


def share_cell(one: Verdict, oracle: Verdict) -> str:
    if oracle.gain < NEAR_ZERO:
        return "·"
    error = f" ± {100 * one.error / oracle.gain:.0f}" if one.error > 0 and one is not oracle else ""
    return minus(f"{100 * one.gain / oracle.gain:.0f}{error}")


def gain_cell(one: Verdict, oracle: Verdict) -> str:
    return minus(f"{with_error(one.gain, one.error)} ({oracle.gain - one.gain:.4f})")


def ahead_cell(one: Verdict, oracle: Verdict) -> str:
    return minus(with_error(one.ahead, one.ahead_error))


def cost_cell(one: Verdict, oracle: Verdict) -> str:
    training = "–" if one is oracle else f"{one.deciding:.3g} / {one.in_all:.3g}"
    return f"{training} / {one.serving:.2g}"


def page(found: Found) -> str:
    seeded = {key: own for key, own in found.items() if f"every set trained, {SEEDS} seeds" in own}
    sections = (
        ("Share of the oracle's gain, %", share_cell, found),
        ("Mean test gain (regret)", gain_cell, found),
        ("Mean test gain over all together, judge by judge", ahead_cell, seeded),
        ("Networks trained to decide / in all / in the plan", cost_cell, found),
    )
    lines = [ABOUT, READING]
    for title, cell, shown in sections:
        lines += [f"## {title}", "", *by_method(shown, cell), ""]
    return "\n".join([*lines, NOTES.strip()]) + "\n"
