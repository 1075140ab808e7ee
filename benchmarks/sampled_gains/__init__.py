"""How good are the groups after training N task sets? Replayed on published tables of every set's gains.

Revealed are the VALIDATION gains of the singles, the set of all tasks and N more sets, which each contender
chooses; then it chooses at most k groups. Its score is the mean over tasks of the TEST gain in the group
that serves them. Averages over 20 seeds.

    python benchmarks/sampled_gains.py [TABLE ...]    # writes benchmarks/results/sampled_gains.{json,md}

Contenders: `trained` (the best of the trained sets at face value, random sets), `ridge` (the same, and of
the others what one ridge regression a task on own and pairwise indicators predicts, alpha 1), `random`
(our surrogate, random sets), `active` (our surrogate, sets asked for five or one at a time). References:
all tasks in one group, the published predictors HOA and TAG, every set's validation gain, every set's test
gain (the oracle). The tables: MTG-Net (NeurIPS 2022), ETTm1 and Taskonomy, the latter one table for both
roles; Standley et al. (ICML 2020), four settings, gain = 1 − loss / loss alone.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np

from benchmarks.common.folders import RESULTS
from benchmarks.sampled_gains.contenders import PREDICTORS, active, realised, with_random_sets
from benchmarks.sampled_gains.published import TABLES, Table

SEEDS = 20
BATCHES = {
    "active by 5": (5, 80),
    "active by 1": (1, 20),
}  # sets asked for at once, at most trained
TRAINED, GROUPS = (10, 20, 40, 80), (2, 3)


def replay(table: Table, groups: int) -> dict[str, Any]:
    tasks = table.sets.shape[1]
    trained = tuple(n for n in TRAINED if n <= len(table.sets) - tasks - 1)
    scores = {
        name: [
            [realised(table, with_random_sets(predict, table, n, seed), groups) for n in trained]
            for seed in range(SEEDS)
        ]
        for name, predict in PREDICTORS.items()
    }
    for name, (at_once, most) in BATCHES.items():
        reached = tuple(n for n in trained if n <= most)
        scores[name] = [active(table, reached, groups, seed, at_once) for seed in range(SEEDS)]
    everyone = table.sets.all(axis=1)
    references = {
        "all together": float(table.test[everyone].mean()),
        **{n: realised(table, p, groups) for n, p in table.predictions.items()},
        "validation": realised(table, table.valid, groups),
        "oracle": realised(table, table.test, groups),
    }
    summary = {
        name: {
            str(n): [float(np.mean(column)), float(np.std(column, ddof=1) / np.sqrt(SEEDS))]
            for n, column in zip(trained, np.transpose(values), strict=False)
        }
        for name, values in scores.items()
    }
    return {"references": references, "trained": summary}


def markdown(found: dict[str, Any]) -> str:
    contenders = (*PREDICTORS, *BATCHES)
    names = ("all together", "HOA", "TAG", "validation", "oracle")
    head = ("table", "k", "N", *contenders, *names)
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for key, one in found.items():
        table, groups = key.rsplit(" k=", 1)
        known = [f"{one['references'][n]:.4f}" if n in one["references"] else "–" for n in names]
        for n in one["trained"]["ridge"]:
            values = [one["trained"][c].get(n) for c in contenders]
            cells = ["{:.4f} ± {:.4f}".format(*value) if value else "–" for value in values]
            lines.append(f"| {' | '.join([table, groups, n, *cells, *known])} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "sampled_gains.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    for name in sys.argv[1:] or list(TABLES):
        for groups in GROUPS:
            began = time.time()
            found[f"{name} k={groups}"] = replay(TABLES[name](), groups)
            print(f"{name} k={groups}: {time.time() - began:.0f} s", flush=True)
            write(found)
    print((RESULTS / "sampled_gains.md").read_text())


def write(found: dict[str, Any]) -> None:
    keys = [f"{name} k={groups}" for name in TABLES for groups in GROUPS]
    ordered = {key: found[key] for key in keys if key in found}
    path = RESULTS / "sampled_gains.json"
    path.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n")
    (RESULTS / "sampled_gains.md").write_text(markdown(ordered))
