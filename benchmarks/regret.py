"""What is the plan of each method worth, as a share of the oracle's, and how many trainings does it take?

The methods of `plans.py` on eight tables that hold the gain of every task in every set of tasks: six
published ones and our own exhaustive truths. A plan has at most k groups, each task is served by one of
them. It is decided on validation information only; its gain is the mean over tasks of the TEST gain over
training alone.

    python benchmarks/regret.py [TABLE ...]    # writes benchmarks/results/regret.{json,md,svg}

The published tables hold one network a set: its validation gain is revealed to whoever pays for it, its
test gain scores the plan (MTG-Net's Taskonomy has one gain for both). Methods with random choices are
repeated from 20 seeds. Our own truths hold five seeds: a plan that was decided from one seed's networks is
scored by the other seeds'. What instruments found in one joint run is kept in `results/joint_runs.json`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from instruments import SEEDS, TITLES, JointRun, Truth, joint_runs, mean_and_error
from plans import RANDOM, SETTLED, Array, Plan, Sets, View, covered
from regret_page import Found, Verdict, figure, markdown
from sampled_gains import SEEDS as SEARCHES
from sampled_gains import TABLES

from cotrain.grouping.objective import clean, set_scores
from cotrain.measure.gains.sets import distinct, every_set
from cotrain.run.settings import SAMPLED_SEEDS

RESULTS = Path(__file__).parent / "results"
GROUPS = (2, 3)
OWN = {name: title.split(",")[0] for name, title in TITLES.items()}


class Case(NamedTuple):
    """A table: ``views`` to decide from, and ``[J, M, T]`` test gains of J judges (training seeds)."""

    views: list[View]
    tests: Array


def published(name: str, joint_run: float) -> Case:
    """One network a set. Affinities are the published ones, where there are."""
    table = TABLES[name]()
    scores = {"lookahead": table.predictions["TAG"]} if "TAG" in table.predictions else {}
    views = [
        View(table.sets, table.valid[None], (), scores, None, joint_run, seed)
        for seed in range(SEARCHES)
    ]
    return Case(views, table.test[None])


def own(name: str, runs: Sequence[JointRun]) -> Case:
    """Five seeds; who decides from one or two of them is judged by the others."""
    truth = Truth.read(name)
    tasks = len(truth.tasks)
    sets = every_set(tasks)
    views = []
    for seed, run in enumerate(runs):
        seen = tuple((seed + further) % SEEDS for further in range(SAMPLED_SEEDS))
        scores = {
            instrument.removesuffix(" (closer than average)"): set_scores(
                clean(matrix), np.zeros(tasks), sets
            )
            for instrument, matrix in run.matrices.items()
            if instrument != "first order"
        }
        view = View(sets, truth.valid[list(seen)], seen, scores, run.distances, run.trainings, seed)
        views.append(view)
    return Case(views, truth.test)


def cases() -> Mapping[str, Callable[[], Case]]:
    """All tables; a joint run on a published one is taken to cost what ours do."""
    runs = joint_runs()
    typical = float(np.mean([run.trainings for own in runs.values() for run in own]))
    names = sorted(TABLES, key=lambda name: name.startswith("Standley"))
    return {name: partial(published, name, typical) for name in names} | {
        title: partial(own, name, runs[name]) for name, title in OWN.items()
    }


def plan_gain(plan: Plan, sets: Sets, test: Array) -> float:
    """Mean over tasks of the gain in the set that serves them."""
    rows = {one.tobytes(): at for at, one in enumerate(sets)}
    return float(np.mean([test[rows[one.tobytes()], t] for t, one in enumerate(plan.served)]))


def judged(case: Case, plans: list[tuple[Plan, tuple[int, ...]]]) -> Verdict:
    """Plans with the judges that took part in deciding."""
    sets = case.views[0].sets
    values = np.array(
        [
            [
                np.nan if judge in seen else plan_gain(plan, sets, test)
                for judge, test in enumerate(case.tests)
            ]
            for plan, seen in plans
        ]
    )
    together = case.tests[:, sets.all(axis=1)].mean(axis=(1, 2))
    counts = [(plan.deciding, plan.in_all, len(distinct(plan.served))) for plan, _ in plans]
    means = map(float, np.mean(counts, axis=0))
    return Verdict(*mean_and_error(values), *mean_and_error(values - together), *means)


def references(case: Case, k: int) -> dict[str, Verdict]:
    """Who knows the test gains, and who validates every set from every seed."""
    view, judges = case.views[0], range(len(case.tests))
    every = len(judges) * len(view.sets)

    def plan(scores: Array) -> Plan:
        return Plan(covered(view, scores, k), every, view.sets)

    found = {"oracle": judged(case, [(plan(case.tests.mean(axis=0)), ())])}
    if len(judges) > 1:
        valid = np.stack([other.valid[0] for other in case.views]).mean(axis=0)
        found[f"every set trained, {len(judges)} seeds"] = judged(case, [(plan(valid), ())])
        others = [tuple(other for other in judges if other != judge) for judge in judges]
        plans = [(plan(case.tests[list(seen)].mean(axis=0)), seen) for seen in others]
        found["oracle by the other seeds' test"] = judged(case, plans)
    return found


def replay(case: Case, k: int) -> dict[str, Verdict]:
    """Every method on one table."""
    plans: dict[str, list[tuple[Plan, tuple[int, ...]]]] = {}
    for at, view in enumerate(case.views):
        repeated = at > 0 and len(case.tests) == 1
        for family in RANDOM if repeated else (*SETTLED, *RANDOM):
            for name, plan in family(view, k):
                plans.setdefault(name, []).append((plan, view.seen[: plan.seeds]))
    return {name: judged(case, own) for name, own in plans.items()} | references(case, k)


def read() -> Found:
    path = RESULTS / "regret.json"
    content = json.loads(path.read_text()) if path.exists() else {}
    return {
        key: {
            name: Verdict(**{k: np.nan if v is None else v for k, v in one.items()})
            for name, one in own.items()
        }
        for key, own in content.items()
    }


def write(found: Found) -> None:
    content = {
        key: {
            name: {field: round(value, 6) for field, value in one._asdict().items()}
            for name, one in own.items()
        }
        for key, own in found.items()
    }
    text = json.dumps(content, indent=1).replace("NaN", "null")
    (RESULTS / "regret.json").write_text(text + "\n")
    (RESULTS / "regret.md").write_text(markdown(found))
    (RESULTS / "regret.svg").write_text(figure(found))


def main() -> None:
    found, everything = read(), cases()
    for name in sys.argv[1:] or everything:
        case = everything[name]()
        for k in GROUPS:
            found[f"{name}, k = {k}"] = replay(case, k)
            print(f"{name}, k = {k}", flush=True)
    keys = [f"{name}, k = {k}" for name in everything for k in GROUPS]
    write({key: found[key] for key in keys if key in found})


if __name__ == "__main__":
    main()
