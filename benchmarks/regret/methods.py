"""Every method of the benchmark: from what may be seen of a table of gains to a plan and what it took."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.common.arrays import Array, Sets
from benchmarks.sampled_gains.contenders import ridge, searches, with_random_sets
from benchmarks.sampled_gains.published import Table
from cotrain.grouping import best_cover, best_groups, cluster_tasks, sample_gains
from cotrain.grouping.clusters import Hard
from cotrain.grouping.objective import clean, set_scores
from cotrain.measure.gains.sets import among, distinct, fixed_sets
from cotrain.run.settings import SAMPLED_SEEDS, Settings

FURTHER = (5, 10, 20, 40)
BATCH = 8  # sets that `--with sampled` trains at once
CHANCES = 10  # random opinions a view


class View(NamedTuple):
    """What may be seen while deciding.

    sets: ``[M, T]`` all sets there are; valid: ``[S, M, T]`` their validation gains from S training seeds,
    for those who pay; seen: the judges' numbers of these seeds; scores: ``[M, T]`` of the instruments that
    look on at one joint run; distances: ``[T, T]`` of data maps, if known; joint_run: trainings it takes.
    """

    sets: Sets
    valid: Array
    seen: tuple[int, ...]
    scores: dict[str, Array]
    distances: Array | None
    joint_run: float
    seed: int


class Plan(NamedTuple):
    """Row t of ``served`` is the set whose network serves task t.

    deciding: networks trained until this is known; trained: ``[n, T]`` which sets' networks there are by
    then; seeds: how many of the view's training seeds it knew.
    """

    served: Sets
    deciding: float
    trained: Sets
    seeds: int = 1

    @property
    def in_all(self) -> float:
        """Networks trained until those of the plan are there, too."""
        groups = distinct(self.served)
        return self.deciding + int((~among(groups, self.trained)).sum())


Named = tuple[str, Plan]
Family = Callable[[View, int], Iterator[Named]]


def covered(view: View, scores: Array, k: int) -> Sets:
    """``[T, T]`` the sets that serve the tasks in the best plan by some scores."""
    found = best_cover(view.sets, scores, k)
    assert found.rows is not None  # it was chosen among these sets
    return view.sets[[found.rows[g] for g in found.server]]


def fixed(view: View, k: int) -> Iterator[Named]:
    """Those who look at nothing, and the choice between these two for each task."""
    none = view.sets[:0]
    alone = Plan(np.eye(view.sets.shape[1], dtype=bool), 0, none, seeds=0)
    yield "single", alone
    yield "all together", Plan(np.ones_like(alone.served), 0, none, seeds=0)
    yield "single or joint, chosen on validation", chosen(view, alone)


def by_opinion(view: View, k: int) -> Iterator[Named]:
    """Instruments that look on at one joint run, whose network is that of all tasks.

    `cotrain run` decides by the lookahead unless told otherwise.
    """
    everyone, size = view.sets[view.sets.all(axis=1)], view.sets.sum(axis=1)
    for name, scores in view.scores.items():
        plan = Plan(covered(view, scores, k), view.joint_run, everyone)
        if name == "lookahead":
            yield "ours: lookahead", plan
            yield "ours: lookahead, chosen on validation", chosen(view, plan)
        else:
            yield name, plan
    if "lookahead" in view.scores:
        company = np.where(size[:, None] == 1, -np.inf, view.scores["lookahead"])
        yield "TAG", Plan(covered(view, company, k), view.joint_run, everyone)
    if view.distances is not None:
        labels = cluster_tasks(view.distances, most=k, method=Hard()).labels
        yield "data map, clusters", Plan(labels[:, None] == labels, view.joint_run, everyone)


def by_pairs(view: View, k: int) -> Iterator[Named]:
    """HOA: every pair trained, a set is worth the mean of its pairs."""
    size, tasks = view.sets.sum(axis=1), view.sets.shape[1]
    pairs = np.full((tasks, tasks), np.nan)
    for row in np.flatnonzero(size == 2):
        a, b = np.flatnonzero(view.sets[row])
        pairs[a, b], pairs[b, a] = view.valid[0, row, a], view.valid[0, row, b]
    scores = set_scores(clean(pairs), np.zeros(tasks), view.sets)
    trained = view.sets[size <= 2]
    plan = Plan(covered(view, scores, k), len(trained), trained)
    yield "HOA", plan
    yield "HOA, chosen on validation", chosen(view, plan)


def by_everything(view: View, k: int) -> Iterator[Named]:
    yield "every set trained", Plan(covered(view, view.valid[0], k), len(view.sets), view.sets)


def by_search(view: View, k: int) -> Iterator[Named]:
    """Our surrogate, sets asked for five at a time."""
    table = Table(view.sets, view.valid[0], np.zeros(0), {})
    counts = affordable(view)
    for count, search in zip(counts, searches(table, counts, k, view.seed, 5), strict=True):
        plan, trained = search.plan(), search.gains.sets
        served = [np.isin(range(len(plan.server)), plan.groups[g]) for g in plan.server]
        yield f"sampled, {count} sets", Plan(np.array(served), len(trained), trained)


def by_ridge(view: View, k: int) -> Iterator[Named]:
    """The same number of random sets, and what a ridge regression makes of them."""
    table = Table(view.sets, view.valid[0], np.zeros(0), {})
    for count in affordable(view):
        scores = with_random_sets(ridge, table, count, view.seed)
        known = with_random_sets(lambda sets, *_: sets, table, count, view.seed).astype(bool)
        yield f"ridge, {count} sets", Plan(covered(view, scores, k), len(known), known)


def affordable(view: View) -> tuple[int, ...]:
    """How many further sets there are to train."""
    return tuple(n for n in FURTHER if n <= len(view.sets) - view.sets.shape[1] - 1)


def by_chance(view: View, k: int) -> Iterator[Named]:
    """Random opinions."""
    rng = np.random.default_rng(view.seed)
    for _ in range(CHANCES):
        scores = np.where(view.sets, rng.normal(size=view.sets.shape), np.nan)
        plan = Plan(covered(view, scores, k), 0, view.sets[:0], seeds=0)
        yield "chance", plan
        yield "chance, chosen on validation", chosen(view, plan)


def ours_sampled(view: View, k: int) -> Iterator[Named]:
    """What `cotrain run` decides by: two sets fewer than tasks, two seeds where the table has them."""
    tasks = view.sets.shape[1]
    further = min(Settings().task_sets(tasks), len(view.sets) - len(fixed_sets(tasks)))
    if len(view.valid) < SAMPLED_SEEDS:
        table = Table(view.sets, view.valid[0], np.zeros(0), {})
        (search,) = searches(table, (further,), k, view.seed, BATCH)
        plan, trained, seeds = search.plan(), search.gains.sets, 1
    else:
        seeds, rows = SAMPLED_SEEDS, {one.tobytes(): at for at, one in enumerate(view.sets)}

        def revealed(weights: Array, seeds: Sequence[int]) -> Array:
            asked = [rows[one.tobytes()] for one in weights > 0]
            return np.array([view.valid[s, row] for s, row in zip(seeds, asked, strict=True)])

        gains = sample_gains(
            revealed,
            [str(t) for t in range(tasks)],
            trainings=seeds * (tasks + 1 + further),
            max_groups=k,
            batch=BATCH,
            seeds=range(seeds),
        )
        plan, trained = best_groups(gains, max_groups=k), gains.sets
    served = np.array([np.isin(range(tasks), plan.groups[g]) for g in plan.server])
    found = Plan(served, seeds * len(trained) + view.joint_run, trained, seeds)
    yield "ours: sampled", found
    yield "ours: sampled, chosen on validation", chosen(view, found)


def chosen(view: View, plan: Plan) -> Plan:
    """Each task by the best on validation of itself alone, all together and its group.

    As `cotrain run` does, these T + 1 networks and those of further groups are trained anew, from as many
    seeds as the plan knew.
    """
    tasks, seeds = len(plan.served), max(plan.seeds, 1)
    rows = {one.tobytes(): at for at, one in enumerate(view.sets)}
    valid = view.valid[:seeds].mean(axis=0)
    offers = np.stack([np.eye(tasks, dtype=bool), np.ones((tasks, tasks), dtype=bool), plan.served])
    worth = [[valid[rows[offer[t].tobytes()], t] for t in range(tasks)] for offer in offers]
    served = offers[np.argmax(worth, axis=0), np.arange(tasks)]
    networks = distinct(np.concatenate(list(offers)))
    deciding = plan.deciding + seeds * len(networks)
    return Plan(served, deciding, networks, seeds)


SETTLED: tuple[Family, ...] = (fixed, by_opinion, by_pairs, by_everything)
RANDOM: tuple[Family, ...] = (by_search, by_ridge, by_chance, ours_sampled)
