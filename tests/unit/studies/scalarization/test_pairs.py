"""Who is trained: the grid, the pairs, their weight vectors."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
from tiny import make_data, make_tasks

from cotrain.data.dataset import TaskData
from cotrain.errors import InputError
from cotrain.studies.scalarization.pairs import Grid, Vectors, draw_pairs

ORDER = [3, 0, 4, 1, 2]


def permuted(data: TaskData) -> TaskData:
    """The same tasks in another order, under other names."""
    return replace(
        data,
        targets=data.targets[:, ORDER],
        mask=data.mask[:, ORDER],
        tasks=make_tasks("".join(data.tasks[t].kind[0] for t in ORDER)),
    )


@pytest.mark.parametrize("most", [4, 10])
def test_pairs_do_not_depend_on_names_and_places(most: int) -> None:
    data = make_data("brmbr")
    here = draw_pairs(data, most=most, seed=0)
    there = draw_pairs(permuted(data), most=most, seed=0)
    assert [(ORDER[a], ORDER[b]) for a, b in there] == list(here)


def test_all_pairs_or_so_many() -> None:
    data = make_data("bbbbb")
    everything = draw_pairs(data, most=10, seed=0)
    assert {frozenset(pair) for pair in everything} == set(
        map(frozenset, combinations(range(5), 2))
    )
    drawn = draw_pairs(data, most=4, seed=0)
    assert len(set(drawn)) == 4
    assert set(drawn) < set(everything)
    assert drawn == draw_pairs(data, most=4, seed=0)
    assert drawn != draw_pairs(data, most=4, seed=1)


def test_one_task_has_no_pair() -> None:
    with pytest.raises(InputError, match="a pair needs two tasks, there is one: name more targets"):
        draw_pairs(make_data("b"), most=4, seed=0)


def test_a_task_alone_is_trained_once_for_all_its_pairs() -> None:
    grid = Grid(shares=(0.25,), learning_rates=(1e-3, 1e-2), seeds=3)
    assert grid.weights == (0.0, 0.25, 0.5, 1.0)
    pairs = [(0, 1), (2, 1), (0, 2)]
    vectors = Vectors.of(pairs, grid.weights, tasks=3)
    assert len(vectors.distinct) == 3 + 3 * 2
    for pair, row in zip(pairs, vectors.place, strict=True):
        for weight, at in zip(grid.weights, row, strict=True):
            own = vectors.distinct[at]
            assert sum(own) == 1
            assert [own[t] for t in pair] == [weight, 1 - weight]
    members = vectors.members(grid)
    assert len(members) == len(set(members)) == 2 * 9 * 3
    rates = [member.learning_rate for member in members]
    assert rates == sorted(rates)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"shares": (0.5, 1.0)}, "shares must be above 0 and below 1, got 1"),
        ({"shares": (-0.1,)}, "shares must be above 0 and below 1, got -0.1"),
        ({"shares": (float("nan"),)}, "shares must be above 0 and below 1, got nan"),
        ({"shares": ()}, "shares must be above 0 and below 1, got none"),
        ({"widths": (8, 0)}, "widths must be above 0, got 0"),
        ({"depths": (0,)}, "depths must be above 0, got 0"),
        ({"learning_rates": (float("inf"),)}, "learning_rates must be above 0, got inf"),
        ({"seeds": 1}, "seeds must be at least 2, got 1"),
        ({"most_pairs": 0}, "most_pairs must be at least 1, got 0"),
        ({"dropout": -1.0}, "dropout must be at least 0, got -1.0"),
    ],
)
def test_grids_that_train_nothing_are_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(says)}$"):
        Grid(**wrong)
