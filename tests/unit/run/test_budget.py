"""What a budget in joint runs pays for."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotrain.engine.recipe import Recipe, recipe_for
from cotrain.errors import InputError
from cotrain.run.budget import (
    FEWEST_EPOCHS,
    Allowance,
    allot,
    default_budget,
    measuring_cost,
)
from cotrain.run.settings import Instrument, Settings

RECIPE = Recipe(epochs=100, patience=33)


def spend(
    budget: float | None,
    *,
    tasks: int = 12,
    max_groups: int = 3,
    candidates: int = 3,
    seeds: int = 5,
    curves: float = 0.0,
    fewest_alone: int | None = None,
) -> Allowance:
    """What a budget buys where measuring takes three joint runs."""
    others = 1 + max_groups if tasks > 1 else 0
    return allot(
        budget,
        tasks=tasks,
        fewest_alone=tasks if fewest_alone is None else fewest_alone,
        candidates=candidates,
        seeds=seeds,
        price=lambda tried, alone: (alone + others + curves) * (tried + seeds - 1),
        measuring=lambda _, __: 3,
        recipe=RECIPE,
    )


def bought(budget: float, candidates: int, alone: int = 12) -> Allowance:
    return Allowance(
        budget=budget, candidates=candidates, alone=alone, recipe=RECIPE, full_epochs=100
    )


def test_no_budget_pays_for_everything() -> None:
    assert spend(None) == bought(16 * 7 + 3, 3)


def test_one_task_is_one_weight_vector() -> None:
    assert spend(None, tasks=1).budget == 1 * 7 + 3


def test_curves_over_few_rows_are_paid_for() -> None:
    assert spend(None, curves=0.5).budget == 16.5 * 7 + 3
    assert spend(115, curves=0.5).candidates == 2


@pytest.mark.parametrize(
    ("budget", "candidates"), [(115, 3), (114.9, 2), (99, 2), (98.9, 1), (83, 1), (1e6, 3)]
)
def test_fewer_candidates_come_first(budget: float, candidates: int) -> None:
    assert spend(budget) == bought(budget, candidates)


@pytest.mark.parametrize(
    ("budget", "candidates", "alone"), [(115, 3, 12), (114.9, 3, 11), (52, 3, 3), (51.9, 2, 3)]
)
def test_tasks_alone_come_before_where_they_may(budget: float, candidates: int, alone: int) -> None:
    assert spend(budget, fewest_alone=3) == bought(budget, candidates, alone)


def test_hundreds_of_tasks_have_a_budget_that_ends() -> None:
    assert round(default_budget(100, 1e9)) == 100
    assert round(default_budget(617, 1e9)) == 60
    assert default_budget(41, 17.0) == 17
    assert default_budget(40, 1e9) == 1e9  # the full protocol


@pytest.mark.parametrize(("budget", "epochs"), [(82.9, 99), (41.5, 50), (8.3, 10), (4.2, 5)])
def test_then_trainings_get_shorter(budget: float, epochs: int) -> None:
    found = spend(budget)
    assert (found.candidates, found.recipe.epochs, found.full_epochs) == (1, epochs, 100)
    assert found.recipe.patience == max(3, epochs // 3)
    assert (found.recipe.batch_size, found.recipe.data_seed) == (256, 0)


def test_too_small_a_budget_says_what_is_needed() -> None:
    with pytest.raises(InputError) as caught:
        spend(2)
    assert re.fullmatch(
        r"--budget 2 is too small for 12 tasks and 5 seeds: "
        r"the least is 5 joint runs, the full protocol takes 115",
        str(caught.value),
    )


@pytest.mark.parametrize("budget", [0, -3, float("nan"), float("-inf")])
def test_a_budget_is_a_positive_number(budget: float) -> None:
    with pytest.raises(
        InputError, match=rf"--budget {budget:g}: give a number of joint runs above 0"
    ):
        spend(budget)


def test_the_least_budget_named_is_enough() -> None:
    for tasks in range(1, 30):
        with pytest.raises(InputError) as caught:
            spend(0.001, tasks=tasks)
        named = re.search(r"the least is (\d+) joint runs?,", str(caught.value))
        assert named
        assert spend(float(named[1]), tasks=tasks).recipe.epochs >= FEWEST_EPOCHS


@given(
    st.floats(0, 2000), st.integers(1, 40), st.integers(1, 6), st.integers(1, 3), st.integers(2, 9)
)
def test_never_more_than_the_budget(
    budget: float, tasks: int, groups: int, candidates: int, seeds: int
) -> None:
    try:
        found = spend(budget, tasks=tasks, max_groups=groups, candidates=candidates, seeds=seeds)
    except InputError:
        return
    vectors = tasks + 1 + groups if tasks > 1 else 1
    share = found.recipe.epochs / RECIPE.epochs
    assert (vectors * (found.candidates + seeds - 1) + 3) * share <= budget + 1e-9
    assert 1 <= found.candidates <= candidates
    assert found.recipe.epochs >= FEWEST_EPOCHS
    assert found.candidates == 1 or share == 1  # candidates go before epochs


@given(st.integers(1, 10**6))
def test_recipes_are_about_1200_steps(rows: int) -> None:
    recipe = recipe_for(rows, seed=4)
    steps = -(-rows // recipe.batch_size)
    assert recipe.batch_size in (16, 32, 64, 128, 256)
    assert 16 <= recipe.epochs <= 100
    assert recipe.epochs * steps <= 1200 or recipe.epochs == 16
    assert recipe.epochs * steps > 1200 - steps or recipe.epochs == 100
    assert recipe.patience == max(5, recipe.epochs // 3)
    assert recipe.data_seed == 4


@pytest.mark.parametrize(
    ("settings", "cost"),
    [
        # two seeds of ten sets of twelve tasks, as long as the longest setting
        (Settings(), 20),
        # 12 tasks, 128 rows of 256: (12 + 1/3) · 128 examples of 2,560 in ten steps
        (Settings(group_by=Instrument.LOOKAHEAD), 2),
        # and 341 for comparing eight samples of eight tasks
        (Settings(group_by=Instrument.LOOKAHEAD, instruments=(Instrument.GRADIENTS,)), 2),
        (Settings(group_by=Instrument.LOOKAHEAD, probe_every=1), 8),
        (Settings(instruments=(Instrument.LOOKAHEAD,), trainings=7), 2 + 14),
    ],
)
def test_measuring_costs_what_the_instruments_ask_for(settings: Settings, cost: int) -> None:
    assert measuring_cost(12, settings, RECIPE, 40 * 256, 40 * 256, 1.0) == cost


def test_sampled_sets_are_as_long_as_the_settings() -> None:
    assert measuring_cost(12, Settings(), RECIPE, 40 * 256, 40 * 256, 0.35) == 7


def test_the_unit_is_a_run_on_the_rows_of_a_fold() -> None:
    looking = Settings(group_by=Instrument.LOOKAHEAD, probe_every=1)
    assert measuring_cost(12, looking, RECIPE, 40 * 256, 20 * 256, 1.0) == 15  # 2 · 7.2


def test_no_more_sets_than_there_are() -> None:
    settings = Settings(instruments=(Instrument.SAMPLED,), trainings=1000)
    assert (
        measuring_cost(3, settings, RECIPE, 40 * 256, 40 * 256, 1.0) == 2 * 3
    )  # pairs of three tasks
