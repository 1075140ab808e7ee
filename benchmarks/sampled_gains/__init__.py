"""How good are the groups after training N task sets? Replayed on published tables of every set's gains.

Revealed are the VALIDATION gains of the singles, the set of all tasks and N more sets, which each contender
chooses; then it chooses at most k groups. Its score is the mean over tasks of the TEST gain in the group
that serves them. Averages over 20 seeds.

    python -m benchmarks sampled_gains    # writes benchmarks/results/sampled_gains.{json,md}

Contenders: `trained` (the best of the trained sets at face value, random sets), `ridge` (the same, and of
the others what one ridge regression a task on own and pairwise indicators predicts, alpha 1), `random`
(our surrogate, random sets), `active` (our surrogate, sets asked for five or one at a time). References:
all tasks in one group, the published predictors HOA and TAG, every set's validation gain, every set's test
gain (the oracle). The tables: MTG-Net (NeurIPS 2022), ETTm1 and Taskonomy, the latter one table for both
roles; Standley et al. (ICML 2020), four settings, gain = 1 − loss / loss alone.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmarks.common.files import write_json, write_page
from benchmarks.common.markdown import table as markdown_table
from benchmarks.common.options import Options
from benchmarks.sampled_gains.contenders import PREDICTORS, active, realised, with_random_sets
from benchmarks.sampled_gains.published import TABLES, Table

SEEDS = 20
BATCHES = {"active by 5": (5, 80), "active by 1": (1, 20)}  # asked for at once, trained at most
TRAINED: tuple[int, ...] = (10, 20, 40, 80)
GROUPS: tuple[int, ...] = (2, 3)
REFERENCES = ("all together", "HOA", "TAG", "validation", "oracle")
QUICK_TABLES, QUICK_SEEDS, QUICK_TRAINED = ("Standley 1",), 2, (5,)


def run(options: Options) -> None:
    """All tables, for at most two and three groups."""
    names, seeds, counts, most = tuple(TABLES), SEEDS, TRAINED, GROUPS
    if options.quick:
        names, seeds, counts, most = QUICK_TABLES, QUICK_SEEDS, QUICK_TRAINED, GROUPS[:1]
    found = {}
    for name in names:
        for groups in most:
            began = time.monotonic()
            found[f"{name} k={groups}"] = replay(TABLES[name](), groups, seeds, counts)
            print(f"{name} k={groups}: {time.monotonic() - began:.0f} s", flush=True)
    write_json(options.out / "sampled_gains.json", found)
    write_page(options.out / "sampled_gains.md", page(found))


def replay(table: Table, groups: int, seeds: int, counts: tuple[int, ...]) -> dict[str, Any]:
    """Every contender on one table, over random seeds."""
    tasks = table.sets.shape[1]
    trained = tuple(n for n in counts if n <= len(table.sets) - tasks - 1)
    scores = {
        name: [
            [realised(table, with_random_sets(predict, table, n, seed), groups) for n in trained]
            for seed in range(seeds)
        ]
        for name, predict in PREDICTORS.items()
    }
    for name, (at_once, most) in BATCHES.items():
        reached = tuple(n for n in trained if n <= most)
        scores[name] = [active(table, reached, groups, seed, at_once) for seed in range(seeds)]
    everyone = table.sets.all(axis=1)
    references = {
        "all together": float(table.test[everyone].mean()),
        **{n: realised(table, p, groups) for n, p in table.predictions.items()},
        "validation": realised(table, table.valid, groups),
        "oracle": realised(table, table.test, groups),
    }
    summary = {
        name: {
            str(n): [float(np.mean(column)), float(np.std(column, ddof=1) / np.sqrt(seeds))]
            for n, column in zip(trained, np.transpose(values), strict=False)
        }
        for name, values in scores.items()
    }
    return {"references": references, "trained": summary}


def page(found: dict[str, Any]) -> str:
    """A row a table, k and number of trained sets."""
    contenders, rows = (*PREDICTORS, *BATCHES), []
    for key, one in found.items():
        table, groups = key.rsplit(" k=", 1)
        known = one["references"]
        for n in one["trained"]["ridge"]:
            values = [one["trained"][c].get(n) for c in contenders]
            cells = ["{:.4f} ± {:.4f}".format(*value) if value else "–" for value in values]
            cells += [f"{known[name]:.4f}" if name in known else "–" for name in REFERENCES]
            rows.append((table, groups, n, *cells))
    return "\n".join(markdown_table(("table", "k", "N", *contenders, *REFERENCES), rows)) + "\n"
