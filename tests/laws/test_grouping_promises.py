"""Law 8: a grouping covers every task, keeps its budget of groups, and states an honest bound."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from cotrain.arrays import Array
from cotrain.grouping import Grouping, Stability, exact_grouping, group_tasks, stability
from cotrain.grouping.columns import column_generation
from cotrain.grouping.local import local_search
from cotrain.grouping.objective import clean, group_score
from cotrain.measure.transference.affinity import Affinity

CELLS = st.one_of(st.sampled_from([0.0, 1.0, -1.0, 0.5, float("nan")]), st.floats(-1e3, 1e3))


def matrices(least: int, most: int) -> st.SearchStrategy[Array]:
    return st.integers(least, most).flatmap(lambda t: arrays(np.float64, (t, t), elements=CELLS))


def check(affinity: Array, grouping: Grouping, groups: int) -> None:
    tasks = len(affinity)
    assert 1 <= len(grouping.groups) <= groups
    assert len(grouping.server) == tasks
    assert all(t in grouping.group_of(t) for t in range(tasks))
    assert all(grouping.serves(g) for g in range(len(grouping.groups)))  # nobody trains for nothing
    assert all(tuple(sorted(set(group))) == group for group in grouping.groups)
    z, alone = clean(affinity), np.zeros(tasks)
    stated = np.mean([group_score(z, alone, grouping.group_of(t), t) for t in range(tasks)])
    assert grouping.objective == pytest.approx(float(stated), rel=1e-9, abs=1e-9)
    assert grouping.objective <= grouping.bound + 1e-9
    assert grouping.gap == grouping.bound - grouping.objective


@settings(max_examples=150, deadline=None)
@given(matrices(1, 6), st.integers(1, 7))
def test_exact(affinity: Array, groups: int) -> None:
    grouping = exact_grouping(affinity, max_groups=groups)
    check(affinity, grouping, groups)
    assert grouping.exact
    assert grouping.gap == 0


@settings(max_examples=40, deadline=None)
@given(matrices(2, 12), st.integers(1, 5))
def test_local_search(affinity: Array, groups: int) -> None:
    grouping = local_search(affinity, max_groups=groups)
    check(affinity, grouping, groups)
    assert not grouping.exact


@settings(max_examples=100, deadline=None)
@given(matrices(1, 6))
def test_more_groups_never_hurt(affinity: Array) -> None:
    values = [exact_grouping(affinity, max_groups=k).objective for k in range(1, 8)]
    assert all(b >= a - 1e-9 for a, b in itertools.pairwise(values))


@settings(max_examples=100, deadline=None)
@given(matrices(2, 5))
def test_no_task_is_worse_off_than_alone_when_groups_are_plenty(affinity: Array) -> None:
    grouping = exact_grouping(affinity, max_groups=len(affinity))
    z, alone = clean(affinity), np.zeros(len(affinity))
    scores = [group_score(z, alone, grouping.group_of(t), t) for t in range(len(affinity))]
    assert min(scores) >= -1e-9


@pytest.mark.parametrize(("tasks", "gap"), [(1, 0), (15, 0), (16, 0.02), (40, np.inf)])
def test_the_solver_fits_the_number_of_tasks(tasks: int, gap: float) -> None:
    affinity = np.random.default_rng(0).normal(size=(tasks, tasks))
    grouping = group_tasks(affinity, max_groups=4)
    check(affinity, grouping, 4)
    assert grouping.gap <= gap * grouping.objective
    assert grouping.exact or gap > 0


@settings(max_examples=25, deadline=None)
@given(matrices(2, 9), st.integers(1, 4))
def test_no_bound_is_below_the_optimum(affinity: Array, groups: int) -> None:
    best = exact_grouping(affinity, max_groups=groups)
    for found in (
        local_search(affinity, max_groups=groups, restarts=3),
        column_generation(affinity, max_groups=groups, seconds=2.0),
    ):
        check(affinity, found, groups)
        slack = 1e-6 * max(1.0, abs(best.objective))
        assert found.objective - slack <= best.objective <= found.bound + slack


@pytest.mark.parametrize("groups", [2, 3, 5])
def test_column_generation_proves_the_optimum_of_twelve_tasks(groups: int) -> None:
    for seed in range(5):
        affinity = np.random.default_rng(seed).normal(size=(12, 12))
        best = exact_grouping(affinity, max_groups=groups)
        found = column_generation(affinity, max_groups=groups)
        assert found.exact
        assert found.objective == pytest.approx(best.objective)


def test_noise_of_twenty_two_tasks_is_solved() -> None:
    affinity = np.random.default_rng(22).uniform(-1, 1, size=(22, 22))
    assert group_tasks(affinity, max_groups=4).exact


@settings(max_examples=20, deadline=None)
@given(st.integers(16, 40), st.integers(0, 10**6))
def test_permuting_many_tasks_permutes_the_answer(tasks: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    affinity, order = rng.normal(size=(tasks, tasks)), rng.permutation(tasks)
    a = local_search(affinity, max_groups=3, restarts=2)
    b = local_search(affinity[np.ix_(order, order)], max_groups=3, restarts=2)
    assert b.objective == pytest.approx(a.objective, abs=1e-9)
    assert b.bound == pytest.approx(a.bound, rel=1e-6)
    assert {tuple(sorted(int(order[t]) for t in group)) for group in b.groups} == set(a.groups)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 8), st.integers(0, 10**6))
def test_permuting_tasks_permutes_the_stability(tasks: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    samples = rng.normal(size=(3, tasks, tasks)).astype(np.float32)
    order = rng.permutation(tasks)
    both = np.ix_(order, order)

    def found(drawn: NDArray[np.float32], names: list[str]) -> Stability:
        affinity = Affinity.from_samples(names, drawn, drawn, method="lookahead")
        return stability(affinity, lambda z: exact_grouping(z, max_groups=2), draws=5)

    names = [f"t{t}" for t in range(tasks)]
    a = found(samples, names)
    b = found(samples[:, order[:, None], order], [names[t] for t in order])
    np.testing.assert_array_equal(b.together, a.together[both])
    np.testing.assert_array_equal(b.same_server, a.same_server[both])
    np.testing.assert_allclose(b.objective, a.objective)


@pytest.mark.parametrize("tasks", [6, 18])
def test_duplicated_and_unconnected_tasks(tasks: int) -> None:
    home = np.arange(tasks) // 3  # triples of the same task three times; nothing between them
    affinity = np.where(np.equal.outer(home, home), 1.0, 0.0)
    grouping = group_tasks(affinity, max_groups=tasks // 3)
    check(affinity, grouping, tasks // 3)
    assert grouping.objective == pytest.approx(1.0)
    assert set(grouping.groups) == {tuple(range(t, t + 3)) for t in range(0, tasks, 3)}


def test_the_input_is_left_alone() -> None:
    affinity = np.full((4, 4), np.nan)
    affinity[0, 1] = 2.0
    before = affinity.copy()
    exact_grouping(affinity, max_groups=2)
    local_search(affinity, max_groups=2)
    np.testing.assert_array_equal(affinity, before)


def test_no_group_appears_twice() -> None:
    twice = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        affinity = rng.normal(size=(5, 5))
        groups = exact_grouping(affinity, max_groups=5).groups
        twice += len(set(groups)) < len(groups)
    assert twice == 0


def test_local_search_lets_tasks_train_alone() -> None:
    affinity = np.full((6, 6), -1.0)
    best = exact_grouping(affinity, max_groups=3).objective  # two alone, the rest together
    assert best == pytest.approx(-4 / 6)
    assert local_search(affinity, max_groups=3).objective == pytest.approx(best)


def test_a_task_that_may_not_be_alone_but_is_gets_a_group() -> None:
    grouping = exact_grouping(np.zeros((1, 1)), max_groups=1, alone=np.array([-np.inf]))
    assert grouping.groups == ((0,),)
