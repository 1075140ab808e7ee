"""Scores of groups, and the groups that reach the best of them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cotrain.grouping import Grouping, exact_grouping
from cotrain.grouping.objective import all_scores, clean, group_score


def test_clean_counts_unmeasured_pairs_as_no_help() -> None:
    found = clean(np.array([[5.0, np.nan], [2.0, np.nan]]))
    np.testing.assert_array_equal(found, [[0.0, 0.0], [2.0, 0.0]])


@settings(deadline=None)
@given(st.integers(1, 5), st.integers(0, 10**6))
def test_all_scores_are_group_scores(tasks: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    affinity, alone = clean(rng.normal(size=(tasks, tasks))), rng.normal(size=tasks)
    scores = all_scores(affinity, alone)
    assert scores.shape == (2**tasks - 1, tasks)
    for g in range(1, 2**tasks):
        group = tuple(t for t in range(tasks) if g >> t & 1)
        for t in range(tasks):
            if t in group:
                expected = group_score(affinity, alone, group, t)
                np.testing.assert_allclose(scores[g - 1, t], expected, atol=1e-12)
            else:
                assert scores[g - 1, t] == -np.inf


@settings(deadline=None)
@given(st.integers(1, 5), st.integers(0, 10**6))
def test_with_a_group_for_each_task_each_has_its_best_partner(tasks: int, seed: int) -> None:
    affinity = clean(np.random.default_rng(seed).normal(size=(tasks, tasks)))
    off = np.where(np.eye(tasks, dtype=bool), -np.inf, affinity)
    expected = np.maximum(off.max(axis=1), 0).mean()
    best = exact_grouping(affinity, max_groups=tasks).objective
    np.testing.assert_allclose(best, expected, atol=1e-12)


def test_grouping_answers_who_serves_whom() -> None:
    grouping = Grouping(
        groups=((0, 2), (1, 2)), server=(0, 1, 1), objective=1.0, bound=1.5, exact=False
    )
    assert grouping.gap == 0.5
    assert [grouping.group_of(t) for t in range(3)] == [(0, 2), (1, 2), (1, 2)]
    assert [grouping.serves(g) for g in range(2)] == [(0,), (1, 2)]
