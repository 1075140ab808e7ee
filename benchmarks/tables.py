"""The honest results table: `cotrain.plan` on Tox21 and on tables, every baseline beside it.

Each data set is run once with the defaults (5 seeds, 3 settings tried for each contender, split seed 0);
the test split is opened once. Tox21 uses the published 1024-bit fingerprints and the random 80/10/10 cut
of `numpy.random.default_rng(0).permutation`, with LightGBM as the trees.

    python -m benchmarks tables      # writes benchmarks/results/tables.{json,md}
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from typing import Any

from benchmarks.common.files import write_json, write_page
from benchmarks.common.markdown import interval, table
from benchmarks.common.options import Options
from benchmarks.common.table_sets import SETS
from cotrain import Settings, plan
from cotrain.baselines.boosted import LightGBMTrees
from cotrain.results import Result

SHOWN = ("single", "joint", "groups", "trees", "blend", "shipped")
PAIRS = ("joint - trees", "shipped - single", "shipped - trees")
QUICK = ("slump",)


def run(options: Options) -> None:
    """A run on each of the data sets."""
    found = {}
    for name in QUICK if options.quick else SETS:
        found[name] = measure(name, quick=options.quick)
        print(f"{name}: {found[name]['answer']} ({found[name]['minutes']:.1f} min)", flush=True)
        write_json(options.out / "tables.json", found)
    write_page(options.out / "tables.md", page(found))


def measure(name: str, *, quick: bool) -> dict[str, Any]:
    """One run, and its minutes."""
    settings = Settings(trees=LightGBMTrees()) if name == "tox21" else Settings()
    settings = replace(settings, seeds=2) if quick else settings
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        result, _ = plan(SETS[name](), out=folder, settings=settings, title=name)
    return summary(result) | {"minutes": (time.monotonic() - began) / 60}


def summary(result: Result) -> dict[str, Any]:
    """What is kept of a result."""
    return {
        "tasks": len(result.tasks),
        "rows": result.rows,
        "metric": result.tasks[0].metric,
        "trees": result.settings["trees"],
        "mean_test": result.mean_test,
        "overall": {k: [v.value, v.low, v.high] for k, v in result.overall.items()},
        "served_by": [str(task.served_by) for task in result.tasks],
        "per_task": {task.name: dict(task.test) for task in result.tasks},
        "answer": result.answer,
        "groups": [group.tasks for group in result.grouping.groups],
        "engine": result.settings["engine"],
    }


def page(found: dict[str, Any]) -> str:
    """A row a data set."""
    rows = []
    for name, one in found.items():
        count = sum(one["rows"][part] for part in ("train", "valid", "test"))
        scores = [f"{one['mean_test'][contender]:.3f}" for contender in SHOWN]
        gains = [interval(*one["overall"][pair], digits=3) for pair in PAIRS]
        rows.append([name, one["tasks"], count, one["metric"], *scores, *gains])
    pairs = [pair.replace(" - ", " − ") for pair in PAIRS]
    head = ["data", "tasks", "rows", "metric", *SHOWN, *pairs]
    return "\n".join(table(head, rows)) + "\n"
