"""Δm and Pareto-optimal runs, by hand and by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import make_tasks

from cotrain.studies.optimizers.estimates import pareto_optimal, relative_loss


def test_delta_m_by_hand() -> None:
    """AUC .9 over .75 is −20 %; errors of .6 over .8 are −25 %, of .8 over .5 are +60 %."""
    tasks = make_tasks("brr")
    found = relative_loss(tasks, np.array([0.9, 0.64, 0.36]), np.array([0.75, 0.36, 0.75]))
    assert found == pytest.approx([-20.0, -25.0, 60.0])
    assert found.mean() == pytest.approx(5.0)


def test_the_baseline_is_at_zero_and_the_order_of_tasks_is_kept() -> None:
    tasks, rng = make_tasks("brm"), np.random.default_rng(0)
    scores = rng.uniform(0.2, 0.9, size=(5, 2, 3))
    assert (relative_loss(tasks, scores, scores) == 0).all()
    base = rng.uniform(0.2, 0.9, size=3)
    order = [2, 0, 1]
    permuted = relative_loss([tasks[t] for t in order], scores[..., order], base[order])
    np.testing.assert_allclose(permuted, relative_loss(tasks, scores, base)[..., order])


def test_what_is_not_known_stays_so() -> None:
    found = relative_loss(make_tasks("br"), np.array([np.nan, 0.5]), np.array([0.5, 1.0]))
    assert np.isnan(found[0])
    assert np.isposinf(found[1])  # nothing is better than no error at all


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(1, 3), st.integers(0, 10**6))
def test_pareto_by_brute_force(runs: int, tasks: int, seed: int) -> None:
    losses = np.random.default_rng(seed).integers(0, 4, size=(runs, tasks)).astype(float)
    expected = [not any((b <= a).all() and (b < a).any() for b in losses) for a in losses]
    assert pareto_optimal(losses).tolist() == expected
    assert any(expected)


def test_equal_runs_are_both_optimal() -> None:
    assert pareto_optimal(np.array([[1.0, 1.0], [1.0, 1.0], [1.0, 1.5]])).tolist() == [
        True,
        True,
        False,
    ]
