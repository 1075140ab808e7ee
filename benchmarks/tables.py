"""The honest results table: `cotrain.plan` on Tox21 and on tables, every baseline beside it.

Each data set is run once with the defaults (5 seeds, 3 settings tried for each contender, split seed 0);
the test split is opened once. Tox21 uses the published 1024-bit fingerprints and the random 80/10/10 cut
of `numpy.random.default_rng(0).permutation`, with LightGBM as the trees.

    python benchmarks/tables.py [NAME ...]      # writes benchmarks/results/tables.{json,md}
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from typing import Any

from benchmarks.common.folders import RESULTS
from benchmarks.common.table_sets import SETS
from cotrain import Settings, plan
from cotrain.baselines.boosted import LightGBMTrees
from cotrain.results import Result


def run(name: str) -> dict[str, Any]:
    folder = tempfile.mkdtemp()
    learner = {"trees": LightGBMTrees()} if name == "tox21" else {}
    began = time.time()
    result, _ = plan(SETS[name](), out=folder, settings=Settings(**learner), title=name)
    shutil.rmtree(folder)
    return summary(result) | {"minutes": (time.time() - began) / 60}


def summary(result: Result) -> dict[str, Any]:
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


def table(found: dict[str, Any]) -> str:
    head = "| data | tasks | rows | metric | single | joint | groups | trees | blend | shipped "
    lines = [head + "| joint − trees | shipped − single | shipped − trees |", "|---" * 13 + "|"]
    for name, one in found.items():
        mean = one["mean_test"]
        shown = [
            f"{mean[c]:.3f}" for c in ("single", "joint", "groups", "trees", "blend", "shipped")
        ]
        gains = [
            "{:+.3f} [{:+.3f}, {:+.3f}]".format(*one["overall"][pair])
            for pair in ("joint - trees", "shipped - single", "shipped - trees")
        ]
        rows = sum(one["rows"][part] for part in ("train", "valid", "test"))
        cells = [name, str(one["tasks"]), str(rows), one["metric"], *shown, *gains]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    names = sys.argv[1:] or list(SETS)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "tables.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    for name in names:
        found[name] = run(name)
        ordered = {key: found[key] for key in SETS if key in found}
        path.write_text(json.dumps(ordered, indent=1, ensure_ascii=False))
        (RESULTS / "tables.md").write_text(table(ordered))
        print(f"{name}: {found[name]['answer']} ({found[name]['minutes']:.1f} min)", flush=True)
    print(table(ordered))
