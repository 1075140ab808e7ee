"""The page and the figure: what ships against every strategy, table by table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.style import context

from benchmarks.common.figures import GREY, STYLE
from benchmarks.common.markdown import bold_interval, table
from benchmarks.ship.judging import (
    FLOOR,
    SHIPPED,
    Pair,
    below,
    gains,
    over_tables,
    per_table,
    regrets,
    strategies,
)
from cotrain.results import Interval

COLOURS = ("#1a7fd4", "#27934f", "#c8691c", "#b653a6", "#a08a1c", "#1c9aa0", "#d0506a")


def summary(pairs: Sequence[Pair]) -> dict[str, Any]:
    """The numbers of the page."""
    names = strategies(pairs)
    regret = regrets(pairs)
    return {
        "gains": {name: gains(pairs, name) for name in names},
        "mean_gain": {name: _plain(over_tables(gains(pairs, name))) for name in names},
        "below": {name: below(pairs, name) for name in names},
        "regret": regret,
        "mean_regret": _plain(over_tables(regret)),
        "mean_test": {
            name: per_table((pair.table, pair.mean(name)) for pair in pairs)
            for name in (SHIPPED, *names)
        },
    }


def page(trials: Sequence[Mapping[str, Any]], pairs: Sequence[Pair]) -> str:
    """How the scores were judged, over all tables, and a row a table."""
    found = summary(pairs)
    parts = [
        introduction(found, len(pairs)),
        "\n".join(_over_all(found)),
        "Per table, means over tasks and splits. Regret is to the best single contender of each split.",
        "\n".join(_by_table(trials, found)),
        "![Shipped minus each strategy, a row a table](ship.svg)",
    ]
    return "\n\n".join(parts) + "\n"


def introduction(found: Mapping[str, Any], pairs: int) -> str:
    """What the numbers are."""
    regret = bold_interval(*found["mean_regret"])
    return (
        f"{len(found['regret'])} tables, {pairs} pairs of a table and a split. Test scores (ROC AUC, "
        f"balanced accuracy, R²; R² below {FLOOR:g} counts as {FLOOR:g}) are averaged over tasks, then "
        "over splits; intervals are Student's 95 % over tables. *Below on* lists the tables on which what "
        "ships is below the strategy by a paired t over tasks × splits: approximate, as these share rows. "
        f"Regret to the best contender in hand, chosen on the test rows, which flatters it: {regret}."
    )


def _over_all(found: Mapping[str, Any]) -> list[str]:
    rows = []
    for name, own in found["gains"].items():
        values = np.array(list(own.values()))
        counts = f"{int((values > 1e-9).sum())} of {len(values)}"
        worse = ", ".join(found["below"][name]) or "none"
        rows.append([name, bold_interval(*found["mean_gain"][name]), counts, worse])
    return table(["strategy", "shipped − strategy", "tables above", "below on"], rows, rules="lrrl")


def _by_table(trials: Sequence[Mapping[str, Any]], found: Mapping[str, Any]) -> list[str]:
    means, rows = found["mean_test"], []
    for name, regret in found["regret"].items():
        own = [one for one in trials if one["table"] == name]
        count = sum(own[0]["rows"][part] for part in ("train", "valid", "test"))
        metric = " / ".join(dict.fromkeys(task["metric"] for task in own[0]["tasks"]))
        minutes = np.mean([one["seconds"] for one in own]) / 60
        runs = np.mean([one["joint_runs"] for one in own])
        scores = [f"{column[name]:.3f}" for column in means.values()]
        size = [name, count, len(own[0]["tasks"]), len(own), metric]
        rows.append([*size, *scores, f"{regret:+.4f}", f"{runs:.0f}", f"{minutes:.1f}"])
    head = ["table", "rows", "tasks", "splits", "metric", *means, "regret", "joint runs", "minutes"]
    return table(head, rows, rules="lrrrl" + "r" * (len(means) + 3))


def write_figure(path: Path, pairs: Sequence[Pair]) -> None:
    """Dots: shipped minus each strategy, a row a table; beyond ±0.1 the scale is logarithmic."""
    names, tables = strategies(pairs), list(regrets(pairs))
    with context(STYLE):
        figure = Figure(figsize=(8, 1.2 + 0.24 * len(tables)), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots()
        for place, name in enumerate(names):
            own, colour = gains(pairs, name), COLOURS[place % len(COLOURS)]
            axes.plot(
                *([own[one] for one in tables], range(len(tables))),
                "o", color=colour, markersize=4, alpha=0.8, label=name,
            )  # fmt: skip
        axes.axvline(0, color=GREY, linewidth=0.9, zorder=0)
        axes.set_xscale("symlog", linthresh=0.1)
        ticks = (-1, -0.1, -0.05, 0, 0.05, 0.1, 1)
        axes.set_xticks(ticks, [f"{tick:+g}".replace("-", "−") for tick in ticks])
        axes.minorticks_off()
        axes.set_yticks(range(len(tables)), tables)
        axes.invert_yaxis()
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.set_xlabel("shipped − strategy, mean test score")
        legend = axes.legend(frameon=False, ncols=4, loc="lower left", bbox_to_anchor=(0, 1))
        legend.set_in_layout(True)
        figure.savefig(path, format="svg", transparent=True, metadata={"Date": None})


def _plain(own: Interval) -> list[float]:
    return [own.value, own.low, own.high]
