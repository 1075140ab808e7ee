"""Which scores and rows stand out."""

import math
from dataclasses import replace

import pytest

from cotrain.reporting.ranking import UNDEFINED, best, by_gain, contenders, extremes, verdict
from cotrain.results import Interval, Result


def test_columns_are_the_tested_contenders_in_order(tox21: Result) -> None:
    few = replace(tox21.tasks[1], test={"single": 0.7, "equal parts": 0.8})
    assert contenders([few]) == ("single", "equal parts")
    networks, others = ("single", "joint", "groups"), ("linear", "trees", "extra trees")
    assert contenders(tox21.tasks) == (*networks, *others, "equal parts")
    mine = replace(tox21.tasks[1], test={"single": 0.7, "mine": 0.8})
    assert contenders([*tox21.tasks, mine])[-1] == "mine"


def test_the_best_score_ignores_undefined_ones(tox21: Result) -> None:
    scores = {"single": math.nan, "joint": 0.7, "trees": 0.8}
    row = replace(tox21.tasks[0], test=scores, shipped=math.nan)
    assert best(row, ("single", "joint", "trees")) == "0.800"
    assert best(row, ("single", "joint", "groups")) == "0.700"  # of what the table shows
    assert best(row, ("single", "groups")) == ""


def test_what_ships_may_be_the_best(tox21: Result) -> None:
    row = replace(tox21.tasks[0], test={"joint": 0.7, "trees": 0.8}, shipped=0.81)
    assert best(row, ("joint", "trees")) == "0.810"
    assert best(replace(row, shipped=0.79), ("joint", "trees")) == "0.800"
    assert best(replace(row, test={}), ("joint", "trees")) == "0.810"


def test_undefined_gains_come_last(tox21: Result) -> None:
    undefined = replace(tox21.tasks[0], gain_over_single=UNDEFINED)
    ranked = by_gain([undefined, *tox21.tasks[1:]])
    gains = [task.gain_over_single.value for task in ranked[:-1]]
    assert ranked[-1] is undefined
    assert gains == sorted(gains, reverse=True)


def test_extremes_do_not_overlap(sixty_tasks: Result) -> None:
    top, bottom, hidden = extremes(sixty_tasks.tasks, 15)
    assert (len(top), len(bottom), hidden) == (15, 15, 30)
    assert len({task.name for task in (*top, *bottom)}) == 30
    assert extremes(sixty_tasks.tasks[:20], 15)[2] == 0


@pytest.mark.parametrize(
    ("value", "low", "high", "expected"),
    [
        (0.1, 0.05, 0.2, "gain"),
        (-0.1, -0.2, -0.05, "loss"),
        (0.1, -0.1, 0.3, "unclear"),
        (0.1, math.nan, math.nan, "unclear"),
        (math.nan, math.nan, math.nan, "undefined"),
    ],
)
def test_verdicts(value: float, low: float, high: float, expected: str) -> None:
    assert verdict(Interval(value=value, low=low, high=high)) == expected
