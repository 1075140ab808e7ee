"""One target, and a few of its rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny import make_data, make_development, make_tasks

from cotrain.errors import InputError
from cotrain.transfer import of_target, only_target, with_rows
from cotrain.transfer.rows import draw, shares


def test_a_target_has_its_labelled_rows_only() -> None:
    data = make_data("bmr")
    own = only_target(data, 1)
    labelled = data.mask[:, 1]
    assert len(own) == int(labelled.sum()) < len(data)
    assert [task.name for task in own.tasks] == ["m1"]
    assert torch.equal(own.inputs, data.inputs[labelled])
    assert torch.equal(own.targets[:, 0], data.targets[labelled, 1])
    assert bool(own.mask.all())


@pytest.mark.parametrize(
    ("sizes", "rows", "expected"),
    [
        ([90, 10], 16, [14, 2]),
        ([97, 3], 16, [15, 1]),  # never none
        ([97, 3], 99, [96, 3]),
        ([50, 30, 20], 10, [5, 3, 2]),
        ([5, 1, 94], 3, [1, 1, 1]),
        ([3, 97], 100, [3, 97]),
    ],
)
def test_classes_keep_their_shares(sizes: list[int], rows: int, expected: list[int]) -> None:
    assert shares(np.array(sizes), rows).tolist() == expected


def test_few_rows_stand_among_more_of_the_same_seed() -> None:
    target = of_target(make_development("bm", rows=200), 1)
    few, more, other = (
        {tuple(row.tolist()) for row in with_rows(target, rows, seed).train.inputs}
        for rows, seed in ((20, 1), (60, 1), (20, 2))
    )
    assert len(few) == 20
    assert len(more) == 60
    assert few <= more
    assert not few <= other
    assert len(with_rows(target, 20, 1).valid) == len(target.valid)
    assert with_rows(target, None, 1) is target


def test_regression_draws_any_rows() -> None:
    (task,) = make_tasks("r")
    found = draw(np.linspace(0, 1, 50).astype(np.float32), 10, task, 0)
    assert len(set(found.tolist())) == 10
    assert (np.diff(found) > 0).all()


def test_impossible_numbers_are_refused() -> None:
    target = of_target(make_development("bm"), 1)
    with pytest.raises(InputError, match=r"'m1' has \d\d training rows: ask for fewer than 500"):
        with_rows(target, 500, 0)
    with pytest.raises(InputError, match="2 rows cannot show the 3 classes of 'm1'"):
        with_rows(target, 2, 0)
