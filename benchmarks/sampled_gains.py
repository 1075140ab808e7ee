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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cotrain.grouping import Grouping, SubsetSearch, best_cover
from cotrain.measure.gains.gains import Gains
from cotrain.measure.gains.surrogate import Surrogate

DATA = Path(__file__).parents[2] / "shared" / "data"
RESULTS = Path(__file__).parent / "results"
SEEDS = 20
BATCHES = {
    "active by 5": (5, 80),
    "active by 1": (1, 20),
}  # sets asked for at once, at most trained
TRAINED, GROUPS = (10, 20, 40, 80), (2, 3)
STANDLEY = ("", "_large", "_small_data", "_alt")

Array = NDArray[np.float64]
Sets = NDArray[np.bool_]


class Table(NamedTuple):
    """``[M, T]`` sets, their gains on validation and test, and published predictions."""

    sets: Sets
    valid: Array
    test: Array
    predictions: dict[str, Array]


def mtgnet(name: str) -> Table:
    folder = DATA / "gt_mtgnet"
    comma = "," if name == "taskonomy" else None
    sets = np.loadtxt(folder / f"{name}_x.csv", delimiter=comma) > 0
    files = {"HOA": "HOA", "TAG": "TAG_HOA" if name == "ETTm1" else "TAGHOA"}
    valid, test = ("val_y", "y") if name == "ETTm1" else (None, None)
    read = [
        np.where(sets, np.loadtxt(folder / f"{name}{'_' + part if part else ''}.csv"), np.nan)
        for part in (valid, test, *files.values())
    ]
    return Table(sets, read[0], read[1], dict(zip(files, read[2:], strict=True)))


def standley(setting: str) -> Table:
    parts = [_losses(f"results{setting}{part}.txt") for part in ("", "_test")]
    valid, test = (1 - part / np.nanmax(_alone(part), axis=0) for part in parts)
    return Table(np.isfinite(valid), valid, test, {})


def _losses(name: str) -> Array:
    lines = (
        (DATA / "gt_taskonomy_standley" / name).read_text().splitlines()[1:]
    )  # half-size singles
    cells = [(line.split("\t") + [""] * 5)[:5] for line in lines]
    return np.array([[float(c) if c.strip() else np.nan for c in row] for row in cells])


def _alone(losses: Array) -> Array:
    single = np.isfinite(losses).sum(axis=1) == 1
    return losses[single]


TABLES: dict[str, Callable[[], Table]] = {
    **{f"Standley {at + 1}": (lambda s=s: standley(s)) for at, s in enumerate(STANDLEY)},  # type: ignore[misc]
    "ETTm1": lambda: mtgnet("ETTm1"),
    "Taskonomy (MTG-Net)": lambda: mtgnet("taskonomy"),
}


def realised(table: Table, predicted: Array, groups: int) -> float:
    """Mean test gain of the plan that the predictions choose among all sets."""
    return _served(table, best_cover(table.sets, predicted, groups))


def _served(table: Table, plan: Grouping) -> float:
    row = {tuple(np.flatnonzero(one).tolist()): at for at, one in enumerate(table.sets)}
    served = [plan.group_of(t) for t in range(len(plan.server))]
    return float(np.mean([table.test[row[group], t] for t, group in enumerate(served)]))


def ridge(sets: Sets, gain: Array, asked: Sets) -> Array:
    """One regression a task on indicators of the others and of their pairs; measured gains stay."""
    predicted = np.full(asked.shape, np.nan)
    for task in range(sets.shape[1]):
        known, wanted = sets[:, task] & np.isfinite(gain[:, task]), asked[:, task]
        x, y = _features(sets[known], task), gain[known, task]
        weight = np.linalg.solve(x.T @ x + np.eye(x.shape[1]), x.T @ y)
        predicted[wanted, task] = _features(asked[wanted], task) @ weight
    measured = trained_only(sets, gain, asked)
    return np.where(np.isfinite(measured), measured, predicted)


def trained_only(sets: Sets, gain: Array, asked: Sets) -> Array:
    """What was measured, and nothing of the other sets."""
    row = {one.tobytes(): at for at, one in enumerate(asked)}
    predicted = np.full(asked.shape, np.nan)
    predicted[[row[one.tobytes()] for one in sets]] = gain
    return predicted


def _features(sets: Sets, task: int) -> Array:
    others = np.delete(sets, task, axis=1).astype(float)
    i, j = np.triu_indices(others.shape[1], 1)
    return np.concatenate([others, others[:, i] * others[:, j]], axis=1)


def surrogate(sets: Sets, gain: Array, asked: Sets) -> Array:
    known = Gains.empty([str(t) for t in range(sets.shape[1])]).extended(sets, gain)
    return Surrogate.fit(known).mean(asked)


PREDICTORS = {"trained": trained_only, "ridge": ridge, "random": surrogate}


def with_random_sets(predict: Callable[..., Array], table: Table, trained: int, seed: int) -> Array:
    """Predictions for all sets from the singles, the set of all tasks and random others."""
    size = table.sets.sum(axis=1)
    fixed = np.flatnonzero((size == 1) | (size == len(table.sets[0])))
    others = np.setdiff1d(np.arange(len(size)), fixed)
    rows = np.concatenate([fixed, np.random.default_rng(seed).permutation(others)[:trained]])
    return predict(table.sets[rows], table.valid[rows], table.sets)


def searches(
    table: Table, trained: tuple[int, ...], groups: int, seed: int, at_once: int
) -> Iterator[SubsetSearch]:
    """One search, yielded each time so many sets were trained."""
    tasks = table.sets.shape[1]
    names = tuple(str(t) for t in range(tasks))
    search = SubsetSearch(tasks=names, max_groups=groups, seed=seed, candidates=table.sets)
    row = {one.tobytes(): at for at, one in enumerate(table.sets)}
    for at, wanted in enumerate((0, *trained)):
        while (left := tasks + 1 + wanted - len(search.gains.sets)) > 0:
            asked = search.ask(min(at_once, left) if at else left)
            search.tell(asked, table.valid[[row[one.tobytes()] for one in asked]])
        if at:
            yield search


def active(
    table: Table, trained: tuple[int, ...], groups: int, seed: int, at_once: int
) -> list[float]:
    """Realised gain after each number of trained sets, all in one search."""
    found = searches(table, trained, groups, seed, at_once)
    return [_served(table, search.plan()) for search in found]


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


if __name__ == "__main__":
    main()
