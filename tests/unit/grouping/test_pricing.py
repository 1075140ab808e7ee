"""Pricing finds all groups worth more than a threshold: against every set of few tasks."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from unit.grouping.test_constraints import problems

from cotrain.arrays import Array
from cotrain.errors import InputError
from cotrain.grouping import Constraints
from cotrain.grouping import pricing as module
from cotrain.grouping.local import Search
from cotrain.grouping.local_state import Problem
from cotrain.grouping.pricing import Pricing, worths
from cotrain.measure.gains.sets import every_set, numbers_of


def search(problem: Problem, price: Array, enough: float, most: int = 10**6) -> Pricing:
    deadline = time.monotonic() + 60
    found = Pricing(problem=problem, price=price, enough=enough, most=most, deadline=deadline)
    found.run()
    return found


def numbers(sets: NDArray[np.bool_]) -> list[int]:
    return sorted(numbers_of(sets).tolist())


def priced(
    problem: tuple[Array, Array, Constraints], seed: int
) -> tuple[Problem, Array, NDArray[np.bool_], Array] | None:
    """The problem, prices, the sets that may be groups and what they are worth; None without any."""
    z, alone, limits = problem
    try:
        ready = Search.of(z, alone, limits, None).problem
    except InputError:
        return None
    price = np.random.default_rng(seed).normal(size=len(z))
    sets = every_set(len(z))
    sets = sets[ready.constraints.allowed(sets)]
    return ready, price, sets, worths(ready, sets, price)


@settings(max_examples=400, deadline=None)
@given(problems(most=8, groups=3), st.integers(0, 10**6), st.floats(-1, 3))
def test_it_finds_all_groups_and_only_those(
    problem: tuple[Array, Array, Constraints], seed: int, enough: float
) -> None:
    given = priced(problem, seed)
    if given is None:
        return
    ready, price, sets, worth = given
    found = search(ready, price, enough)
    assert found.complete
    kept = numbers(found.groups)
    assert len(set(kept)) == len(kept)
    assert set(numbers(sets[worth > enough + 1e-9])) <= set(kept)
    assert set(kept) <= set(numbers(sets[worth > enough - 1e-9]))
    assert found.bound == pytest.approx(worth.max(initial=enough))


@settings(max_examples=100, deadline=None)
@given(problems(most=8, groups=3), st.integers(0, 10**6), st.integers(1, 5))
def test_an_early_end_leaves_a_valid_bound(
    problem: tuple[Array, Array, Constraints], seed: int, most: int
) -> None:
    given = priced(problem, seed)
    if given is None:
        return
    ready, price, _, worth = given
    found = search(ready, price, -0.1, most)
    assert found.bound >= worth.max(initial=-np.inf) - 1e-9


def test_small_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    problem = Search.of(rng.normal(size=(10, 10)), None, None, 3).problem
    price = rng.normal(size=10)
    whole = search(problem, price, 1.0)
    monkeypatch.setattr(module, "BATCH", 7)
    pieces = search(problem, price, 1.0)
    assert len(whole.groups) > 10
    assert numbers(pieces.groups) == numbers(whole.groups)


def test_no_time_is_no_proof() -> None:
    problem = Search.of(np.random.default_rng(0).normal(size=(9, 9)), None, None, 3).problem
    late = time.monotonic() - 1
    found = Pricing(problem=problem, price=np.zeros(9), enough=0.0, most=9, deadline=late)
    found.run()
    assert not found.complete
    assert found.bound == np.inf
