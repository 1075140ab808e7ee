"""Every constraint against brute force, alone and mixed, by every solver."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.grouping.brute import brute_force, check

from cotrain.errors import InputError
from cotrain.grouping import Constraints, Grouping, ScoreTable, exact_grouping, group_table
from cotrain.grouping.columns import column_generation
from cotrain.grouping.local import local_search
from cotrain.grouping.milp import _solve


@st.composite
def demands(draw: st.DrawFn, tasks: int, groups: int) -> Constraints:
    """Some constraints, most often a few at once, at times contradictory."""
    pair = st.tuples(st.integers(0, tasks - 1), st.integers(0, tasks - 1)).filter(
        lambda p: p[0] != p[1]
    )
    pairs = st.lists(pair, max_size=2).map(tuple) if tasks > 1 else st.just(())
    return Constraints(
        max_groups=draw(st.integers(1, groups)),
        max_size=draw(st.none() | st.integers(1, tasks)),
        together=draw(st.just(()) | pairs),
        apart=draw(st.just(()) | pairs),
        auxiliary=draw(st.sets(st.integers(0, tasks - 1), max_size=tasks - 1).map(tuple)),
        partition=draw(st.booleans()),
    )


@st.composite
def problems(
    draw: st.DrawFn, most: int = 4, groups: int = 3
) -> tuple[np.ndarray, np.ndarray, Constraints]:
    tasks = draw(st.integers(1, most))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    kind = draw(st.sampled_from(["normal", "ties", "negative", "holes", "blocks"]))
    z = {
        "normal": lambda: rng.normal(size=(tasks, tasks)),
        "ties": lambda: rng.integers(-1, 2, size=(tasks, tasks)).astype(float),
        "negative": lambda: -rng.uniform(size=(tasks, tasks)),
        "holes": lambda: np.where(
            rng.uniform(size=(tasks, tasks)) < 0.3, np.nan, rng.normal(size=(tasks, tasks))
        ),
        "blocks": lambda: np.kron(np.eye(tasks), np.ones((2, 2)))[:tasks, :tasks],
    }[kind]()
    alone = draw(st.sampled_from(["zero", "any"]))
    return (
        z,
        np.zeros(tasks) if alone == "zero" else rng.normal(size=tasks),
        draw(demands(tasks, groups)),
    )


def compare(
    table: ScoreTable, limits: Constraints, answer: object, *, proves: bool = True
) -> Grouping | None:
    """A solver's answer against brute force, errors included."""
    best = brute_force(table, limits)
    try:
        found = answer()  # type: ignore[operator]
    except InputError:
        assert best == -np.inf or not proves
        return None
    assert isinstance(found, Grouping)
    check(table, limits, found)
    assert best <= found.bound + 1e-6
    assert found.objective <= best + 1e-9
    if proves:
        np.testing.assert_allclose(found.objective, best, atol=1e-7)
    return found


@settings(max_examples=500, deadline=None)
@given(problems())
def test_exact(problem: tuple[np.ndarray, np.ndarray, Constraints]) -> None:
    z, alone, limits = problem
    table = ScoreTable.pairwise(z, alone)
    compare(table, limits, lambda: exact_grouping(z, alone=alone, constraints=limits))


@pytest.mark.slow
@settings(max_examples=5000, deadline=None)
@given(problems(most=5, groups=3))
def test_exact_thousands_of_times(
    problem: tuple[np.ndarray, np.ndarray, Constraints],
) -> None:
    z, alone, limits = problem
    table = ScoreTable.pairwise(z, alone)
    compare(table, limits, lambda: exact_grouping(z, alone=alone, constraints=limits))


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(problems(most=8, groups=2))
def test_exact_to_eight_tasks(problem: tuple[np.ndarray, np.ndarray, Constraints]) -> None:
    z, alone, limits = problem
    table = ScoreTable.pairwise(z, alone)
    compare(table, limits, lambda: exact_grouping(z, alone=alone, constraints=limits))
    compare(
        table,
        limits,
        lambda: column_generation(z, alone=alone, constraints=limits, seconds=5.0),
        proves=False,
    )


@settings(max_examples=200, deadline=None)
@given(problems())
def test_table(problem: tuple[np.ndarray, np.ndarray, Constraints]) -> None:
    z, alone, limits = problem
    table = ScoreTable.pairwise(z, alone)
    compare(table, limits, lambda: group_table(table, constraints=limits))


@settings(max_examples=80, deadline=None)
@given(problems(most=4, groups=2))
def test_mixed_integer_program(problem: tuple[np.ndarray, np.ndarray, Constraints]) -> None:
    z, alone, limits = problem
    table = ScoreTable.pairwise(z, alone)

    def answer() -> Grouping:
        limits.check(len(z))
        return _solve(*table.under(limits), limits, 60.0)

    compare(table, limits, answer)


@settings(max_examples=120, deadline=None)
@given(st.integers(1, 4), st.integers(0, 10**6), st.sampled_from([0.5, 1.0, 1.5, 2.5, 3.0]))
def test_budget_with_half_size_networks(tasks: int, seed: int, budget: float) -> None:
    rng = np.random.default_rng(seed)
    whole = ScoreTable.pairwise(rng.normal(size=(tasks, tasks)), rng.normal(size=tasks))
    half = rng.normal(size=(tasks, tasks)) - 0.5
    table = ScoreTable.of(
        sets=np.concatenate([np.eye(tasks), whole.sets]),
        scores=np.concatenate([half, whole.scores]),
        cost=np.concatenate([np.full(tasks, 0.5), rng.choice([1.0, 1.25], len(whole.cost))]),
    )
    limits = Constraints(budget=budget, partition=bool(seed % 2), max_groups=3)
    compare(table, limits, lambda: group_table(table, constraints=limits))


@settings(max_examples=100, deadline=None)
@given(problems(most=5, groups=2))
def test_local_search_keeps_the_constraints(
    problem: tuple[np.ndarray, np.ndarray, Constraints],
) -> None:
    z, alone, limits = problem
    compare(
        ScoreTable.pairwise(z, alone),
        limits,
        lambda: local_search(z, alone=alone, constraints=limits, restarts=5),
        proves=False,
    )


@settings(max_examples=25, deadline=None)
@given(problems(most=5, groups=2))
def test_column_generation_bounds(problem: tuple[np.ndarray, np.ndarray, Constraints]) -> None:
    z, alone, limits = problem
    compare(
        ScoreTable.pairwise(z, alone),
        limits,
        lambda: column_generation(z, alone=alone, constraints=limits, seconds=5.0),
        proves=False,
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.booleans())
def test_an_auxiliary_task_alone_costs_nothing(seed: int, groups: int, partition: bool) -> None:
    z = np.random.default_rng(seed).normal(size=(5, 5)) - 1
    alone = np.array([-5.0, -5.0, 0.0, 0.0, 0.0])
    limits = Constraints(max_groups=groups, auxiliary=(0, 1), partition=partition)
    table = ScoreTable.pairwise(z, alone)
    for solve in (column_generation, local_search):
        compare(
            table,
            limits,
            partial(solve, z, alone=alone, constraints=limits),
            proves=solve is column_generation,
        )


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"max_groups": 0}, "max_groups must be at least 1, found 0"),
        ({"budget": -1.0}, "budget must be at least 0, found -1.0"),
        ({"budget": 0.5}, "budget 0.5 buys no group: each costs 1"),
        ({"apart": [("a", "x")]}, "there is no task 'x': there are: a, b, c"),
        ({"auxiliary": ["a", "b", "c"]}, "every task is auxiliary: at least one has to count"),
        (
            {"apart": [("a", "b")], "together": [("b", "a")]},
            "tasks 'a' and 'b' must be apart, but together holds them in one group: drop one of the two",
        ),
        (
            {"max_size": 2, "together": [("a", "b"), ("b", "c")]},
            "max_size 2 is less than the 3 tasks that must be together: 'a', 'b', 'c'",
        ),
        (
            {"max_groups": 1, "apart": [("a", "c")]},
            "no groups serve all 3 tasks under max_groups 1; apart 'a' and 'c': loosen one of them",
        ),
    ],
)
def test_contradictions_are_named(limits: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as error:
        exact_grouping(
            np.zeros((3, 3)),
            constraints=Constraints.named(["a", "b", "c"], **limits),  # type: ignore[arg-type]
        )
    assert str(error.value) == message


def test_a_task_number_that_is_none() -> None:
    with pytest.raises(InputError, match="there is no task 5: there are 2, counted from 0"):
        Constraints(apart=((0, 5),)).check(2)


def test_more_demands_never_raise_the_objective() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        z = rng.normal(size=(7, 7))
        free = exact_grouping(z, max_groups=3).objective
        for limits in (
            Constraints(max_groups=3, partition=True),
            Constraints(max_groups=3, max_size=4),
            Constraints(max_groups=3, apart=((0, 1),)),
            Constraints(max_groups=3, together=((2, 5),)),
        ):
            assert exact_grouping(z, constraints=limits).objective <= free + 1e-12
