"""The page of grouping solvers."""

from __future__ import annotations

from typing import Any

from benchmarks.common.markdown import table

SOLVERS = ("greedy", "beam", "spectral", "enumeration")


def page(rows: list[dict[str, Any]], points: list[dict[str, float]]) -> str:
    """Objectives with seconds, and where enumeration ends."""
    head = ("matrix", "T", "k", "ours (s)", "bound", "gap")
    lines = [
        "Objective: mean over tasks of the best group's score, higher is better; seconds in brackets. "
        "One thread; at 9 to 14 and 100 and more tasks the machine had other work.",
        "",
        *table((*head, "greedy (s)", "beam (s)", "spectral (s)", "all (s)"), map(_row, rows)),
        "",
        "Where enumeration ends, for two groups:",
        "",
        *table(
            ("T", "choices of 2 groups", "enumeration, s", "ours, s"),
            [
                (
                    p["tasks"],
                    f"{p['choices']:.3g}",
                    f"{p['enumeration']:.3f}" if "enumeration" in p else "not run",
                    f"{p['ours']:.4f}",
                )
                for p in points
            ],
        ),
    ]
    return "\n".join(lines) + "\n"


def _row(row: dict[str, Any]) -> list[object]:
    """One matrix."""
    ours = row["ours"]["objective"]
    gap = "0 (proven)" if row["exact"] else f"{(row['bound'] - ours) / abs(ours):.2%}"
    named = [row["matrix"], row["tasks"], row["groups"]]
    return [
        *named,
        _cell(row["ours"]),
        f"{row['bound']:.4f}",
        gap,
        *(_cell(row.get(name)) for name in SOLVERS),
    ]


def _cell(value: dict[str, float] | None) -> str:
    """An objective with its seconds, if there is one."""
    return "–" if value is None else f"{value['objective']:.4f} ({value['seconds']:.2f})"
