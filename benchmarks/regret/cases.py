"""The tables that hold the gain of every task in every set, and who may see what of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from benchmarks.common.arrays import Array
from benchmarks.instruments.joint_runs import JointRun, joint_runs
from benchmarks.instruments.problems import TITLES
from benchmarks.instruments.truth import SEEDS, Truth
from benchmarks.regret.methods import View
from benchmarks.sampled_gains import SEEDS as SEARCHES
from benchmarks.sampled_gains.published import TABLES
from cotrain.grouping.objective import clean, set_scores
from cotrain.measure.gains.sets import every_set
from cotrain.run.settings import SAMPLED_SEEDS

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


def ours(name: str, runs: Sequence[JointRun]) -> Case:
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
        title: partial(ours, name, runs[name]) for name, title in OWN.items()
    }
