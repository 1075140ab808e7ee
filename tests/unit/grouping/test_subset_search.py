"""The search over task sets: what it asks, what it plans, and the laws of both."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from cotrain.arrays import Array
from cotrain.errors import InputError
from cotrain.grouping import Grouping, SubsetSearch, best_cover, best_groups
from cotrain.grouping.subsets.covers import refined
from cotrain.measure.gains.gains import Gains
from cotrain.measure.gains.sets import every_set, neighbours, random_sets, spread_out

Sets = NDArray[np.bool_]
NAN = float("nan")


def names(tasks: int) -> tuple[str, ...]:
    return tuple(f"t{t}" for t in range(tasks))


def truth(sets: Sets, home: Sequence[int]) -> Array:
    """Own kind helps, another kind hurts, each task a little differently."""
    same = np.equal.outer(home, home)
    own = sets.astype(float) @ same.T - 1
    other = sets.sum(axis=1, keepdims=True) - 1 - own
    strength = 1 + 0.1 * np.asarray(home) + 0.01 * np.arange(len(home))
    gain = (0.1 * np.log1p(np.maximum(own, 0)) - 0.2 * np.log1p(np.maximum(other, 0))) * strength
    return np.asarray(np.where(sets, gain, NAN))


def searched(
    home: Sequence[int], batches: Sequence[int], *, groups: int = 2, seed: int = 0
) -> tuple[SubsetSearch, list[Sets]]:
    search = SubsetSearch(tasks=names(len(home)), max_groups=groups, seed=seed)
    asked = []
    for batch in batches:
        asked.append(search.ask(batch))
        search.tell(asked[-1], truth(asked[-1], home))
    return search, asked


def brute_force(sets: Sets, gain: Array, groups: int) -> float:
    best = -np.inf
    scores = np.where(np.isfinite(gain), gain, -np.inf)
    for count in range(1, groups + 1):
        for rows in itertools.combinations(range(len(sets)), count):
            best = max(best, float(scores[list(rows)].max(axis=0).mean()))
    return best


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_the_best_cover_is_the_best(groups: int) -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        sets = every_set(4)[rng.permutation(15)[:9]]
        sets = sets if sets.all(axis=1).any() else np.concatenate([sets, np.ones((1, 4), bool)])
        gain = np.where(sets, rng.normal(size=sets.shape), NAN)
        cover = best_cover(sets, gain, groups)
        assert cover.exact
        assert len(cover.groups) <= groups
        assert cover.objective == pytest.approx(brute_force(sets, gain, groups))
        assert cover.rows is not None
        served = [gain[cover.rows[g], t] for t, g in enumerate(cover.server)]
        assert np.mean(served) == pytest.approx(cover.objective)


def test_exchanging_groups_comes_near_the_best() -> None:
    shares = []
    for seed in range(5):
        sets = random_sets(11, 60, np.random.default_rng(seed))
        sets = np.concatenate([sets, np.ones((1, 11), dtype=bool)])
        gain = np.where(sets, np.random.default_rng(seed).random(sets.shape), NAN)
        cover = best_cover(sets, gain, 2)
        assert not cover.exact
        best = brute_force(sets, gain, 2)
        assert best <= cover.bound
        shares.append(cover.objective / best)
    assert max(shares) <= 1 + 1e-12
    assert min(shares) > 0.95


def test_refining_reaches_the_planted_groups() -> None:
    home = [0] * 6 + [1] * 6
    start = np.ones((1, 12), dtype=bool)
    gain = truth(start, home)
    groups, scores = refined((start, gain), lambda sets: truth(sets, home), 2)
    assert scores.max(axis=0).mean() > gain.mean()
    assert sorted(map(tuple, groups.astype(int))) == [
        (0,) * 6 + (1,) * 6,
        (1,) * 6 + (0,) * 6,
    ]


def test_refining_predicts_no_set_twice() -> None:
    home, asked = [t % 3 for t in range(14)], list[bytes]()
    start = np.ones((1, 14), dtype=bool)

    def gain(sets: Sets) -> Array:
        asked.extend(one.tobytes() for one in sets)
        return truth(sets, home)

    groups, scores = refined((start, truth(start, home)), gain, 3)
    assert len(asked) == len(set(asked)) > 14
    np.testing.assert_array_equal(groups.sum(axis=0), 1)
    together = np.stack([np.array(home) == kind for kind in range(3)])
    best = np.nansum(truth(together, home)) / 14
    assert scores.max(axis=0).mean() == pytest.approx(best)


def test_thirty_tasks_in_two_seconds_a_proposal() -> None:
    search, _ = searched([t % 5 for t in range(30)], [31, 10], groups=6)
    began = time.process_time()
    assert search.ask(5).shape == (5, 30)
    asked = time.process_time()
    check(search.plan(), 30, 6)
    assert asked - began < 2
    assert time.process_time() - asked < 2


def test_neighbours_by_hand() -> None:
    near = neighbours(np.array([[1, 0, 0]], dtype=bool))
    assert near.astype(int).tolist() == [[1, 1, 0], [1, 0, 1]]


def test_spread_out_sets_are_far_apart() -> None:
    seen = np.array([[1, 1, 1, 1]], dtype=bool)
    sets = np.array([[1, 1, 1, 0], [1, 0, 0, 0], [0, 0, 1, 1], [1, 1, 0, 0]], dtype=bool)
    assert spread_out(sets, seen, 2).astype(int).tolist() == [[1, 0, 0, 0], [0, 0, 1, 1]]


def test_first_the_singles_and_all_tasks_then_new_sets() -> None:
    search, asked = searched([0, 0, 0, 1, 1, 1], [7, 4, 4, 3])
    np.testing.assert_array_equal(asked[0], np.concatenate([np.eye(6), np.ones((1, 6))]) == 1)
    everything = np.concatenate(asked)
    assert len(np.unique(everything, axis=0)) == len(everything) == 18
    assert (everything[7:].sum(axis=1) > 1).all()
    assert len(search.gains.sets) == 18


def test_what_is_waiting_is_not_asked_again() -> None:
    search, _ = searched([0, 0, 1, 1, 1], [6])
    asked = np.concatenate([search.ask(4) for _ in range(3)])
    assert len(np.unique(asked, axis=0)) == 12
    told, _ = searched([0, 0, 1, 1, 1], [6, 4])
    more = told.ask(4)
    assert not (more[:, None] == told.gains.sets).all(axis=2).any()


@pytest.mark.parametrize("tasks", [1, 2, 3, 4])
def test_few_tasks_run_out_of_sets(tasks: int) -> None:
    search, asked = searched([0] * tasks, [3] * 7)
    everything = np.concatenate(asked)
    assert len(everything) == len(np.unique(everything, axis=0)) == 2**tasks - 1
    assert search.ask(5).shape == (0, tasks)
    assert search.plan().groups == (tuple(range(tasks)),)


def test_asking_first_for_many() -> None:
    search = SubsetSearch(tasks=names(4), max_groups=2)
    assert len(np.unique(search.ask(15), axis=0)) == 15
    assert SubsetSearch(tasks=names(3), max_groups=1).ask(2).astype(int).tolist() == [
        [1, 0, 0],
        [0, 1, 0],
    ]


def test_a_search_that_is_told_the_same_goes_on_the_same() -> None:
    search, asked = searched([0, 1, 0, 1, 0, 1], [7, 4, 4], seed=3)
    again = SubsetSearch(tasks=search.tasks, max_groups=2, seed=3)
    again.tell(search.gains.sets, search.gains.gain)
    assert again.plan() == search.plan()
    np.testing.assert_array_equal(again.ask(4), search.ask(4))
    _, asked_again = searched([0, 1, 0, 1, 0, 1], [7, 4, 4], seed=3)
    np.testing.assert_array_equal(np.concatenate(asked), np.concatenate(asked_again))
    _, asked_other = searched([0, 1, 0, 1, 0, 1], [7, 4, 4], seed=4)
    assert (np.concatenate(asked) != np.concatenate(asked_other)).any()


@pytest.mark.parametrize("tasks", [6, 11])
def test_permuting_tasks_permutes_what_is_asked_and_planned(tasks: int) -> None:
    home = np.arange(tasks) % 2
    order = np.random.default_rng(0).permutation(tasks)
    place = np.argsort(order)
    search = SubsetSearch(tasks=names(tasks), max_groups=2)
    turned = SubsetSearch(tasks=tuple(names(tasks)[t] for t in order), max_groups=2)
    first = search.ask(tasks + 1)
    turned.ask(tasks + 1)
    for asked in (first, None, None):
        rows = search.ask(4) if asked is None else asked
        if asked is None:
            np.testing.assert_array_equal(turned.ask(4)[:, place], rows)
        search.tell(rows, truth(rows, home.tolist()))
        turned.tell(rows[:, order], truth(rows, home.tolist())[:, order])
    plan, other = search.plan(), turned.plan()
    assert other.objective == pytest.approx(plan.objective, abs=1e-9)
    back = {tuple(sorted(int(order[t]) for t in group)) for group in other.groups}
    assert back == set(plan.groups)
    names_do_not_matter = best_groups(
        Gains.empty(["z"] * tasks).extended(search.gains.sets, search.gains.gain), max_groups=2
    )
    assert names_do_not_matter == plan


def check(plan: Grouping, tasks: int, groups: int) -> None:
    assert 1 <= len(plan.groups) <= groups
    assert all(t in plan.group_of(t) for t in range(tasks))
    assert all(plan.serves(g) for g in range(len(plan.groups)))
    assert plan.objective <= plan.bound
    assert plan.groups == tuple(sorted(plan.groups))


def test_it_plans_the_planted_groups() -> None:
    home = [0, 1, 0, 1, 0, 1, 0]
    search, _ = searched(home, [8, 5, 5])
    plan = search.plan()
    check(plan, 7, 2)
    assert plan.groups == ((0, 2, 4, 6), (1, 3, 5))
    assert plan.exact
    assert plan.gap == 0
    together = np.stack([np.array(home) == 0, np.array(home) == 1])
    assert plan.objective == pytest.approx(np.nansum(truth(together, home)) / 7, abs=0.02)


def test_it_plans_for_many_tasks() -> None:
    home = [t % 3 for t in range(18)]
    search, asked = searched(home, [19, 10, 10, 10], groups=3)
    assert len(np.unique(np.concatenate(asked), axis=0)) == 49
    plan = search.plan()
    check(plan, 18, 3)
    assert plan.groups == tuple(tuple(range(kind, 18, 3)) for kind in range(3))
    assert not plan.exact
    assert plan.gap > 0


def test_tasks_that_only_hurt_each_other_train_alone() -> None:
    search = SubsetSearch(tasks=names(3), max_groups=3)
    asked = search.ask(7)
    search.tell(asked, -0.1 * (asked.sum(axis=1, keepdims=True) - 1) * np.ones(3))
    assert search.plan().groups == ((0,), (1,), (2,))
    assert search.plan().objective == 0


def test_an_undefined_task_does_not_stop_the_search() -> None:
    search = SubsetSearch(tasks=names(4), max_groups=2)
    for _ in range(3):
        asked = search.ask(5)
        gain = truth(asked, [0, 0, 1, 1])
        gain[:, 3] = NAN
        search.tell(asked, gain)
    check(search.plan(), 4, 2)
    assert search.plan().group_of(0) == (0, 1)


def test_only_candidates_are_asked_for_and_planned() -> None:
    candidates = every_set(6)[np.random.default_rng(0).permutation(63)[:20]]
    search = SubsetSearch(tasks=names(6), max_groups=2, candidates=candidates)
    allowed = {one.tobytes() for one in candidates}
    allowed |= {one.tobytes() for one in np.concatenate([np.eye(6), np.ones((1, 6))]) == 1}
    for _ in range(8):
        asked = search.ask(4)
        assert {one.tobytes() for one in asked} <= allowed
        search.tell(asked, truth(asked, [0, 1, 0, 1, 0, 1]))
        plan = search.plan()
        check(plan, 6, 2)
        masks = [np.isin(np.arange(6), group).tobytes() for group in plan.groups]
        assert set(masks) <= allowed
    assert len(search.gains.sets) == len(allowed)


@pytest.mark.parametrize("kind", [0, 1])
def test_active_sets_beat_random_ones(kind: int) -> None:
    home = [[0, 0, 1, 1, 1, 0, 1], [0, 1, 2, 0, 1, 2, 0]][kind]
    sets = every_set(7)
    best = best_cover(sets, truth(sets, home), 3).objective
    lost: dict[str, list[float]] = {"active": [], "random": []}
    for seed in range(3):
        for how in lost:
            search = SubsetSearch(tasks=names(7), max_groups=3, seed=seed)
            rng = np.random.default_rng(seed)
            more = sets[rng.permutation(127)[:9]] if how == "random" else None
            for batch in (8, 3, 3, 3):
                asked = search.ask(batch)
                if more is not None and batch == 3:
                    asked, more = more[:3], more[3:]
                noise = rng.normal(0, 0.02, asked.shape) * (asked.sum(axis=1, keepdims=True) > 1)
                search.tell(asked, truth(asked, home) + noise)
            plan = search.plan()
            groups = np.stack([np.isin(np.arange(7), plan.group_of(t)) for t in range(7)])
            lost[how].append(best - float(np.mean(truth(groups, home).diagonal())))
    assert np.mean(lost["active"]) <= np.mean(lost["random"])
    assert np.mean(lost["active"]) < 0.03


def test_a_search_refuses_nonsense() -> None:
    with pytest.raises(InputError, match="at least one task and one group"):
        SubsetSearch(tasks=("a",), max_groups=0)
    with pytest.raises(InputError, match="every candidate needs a task"):
        SubsetSearch(tasks=("a",), max_groups=1, candidates=np.zeros((1, 1), dtype=bool))
