"""Labels as numbers."""

import numpy as np
import polars as pl
import pytest
import torch

from cotrain.data import encode_targets
from cotrain.errors import InputError
from cotrain.tasks import Kind, Task

BINARY = Task(name="b", kind=Kind.BINARY, classes=("0", "1"))
COLOUR = Task(name="c", kind=Kind.MULTICLASS, classes=("blue", "green", "red"))
PRICE = Task(name="p", kind=Kind.REGRESSION, mean=1e9, scale=2.0)


def test_codes_values_and_mask() -> None:
    frame = pl.DataFrame(
        {"p": [1e9 + 2, None, 1e9], "b": [1.0, 0.0, float("nan")], "c": ["red", "?", " blue "]}
    )
    targets, mask = encode_targets(frame, [BINARY, COLOUR, PRICE])
    assert targets.dtype is torch.float32
    assert targets.tolist() == [[1, 2, 1], [0, 0, 0], [0, 0, 0]]
    assert mask.tolist() == [[True, True, True], [True, False, False], [False, True, True]]


def test_labels_do_not_depend_on_the_type_of_the_column() -> None:
    for column in ([0, 1], [0.0, 1.0], ["0", "1"]):
        assert encode_targets(pl.DataFrame({"b": column}), [BINARY])[0].tolist() == [[0], [1]]


def test_a_column_without_labels() -> None:
    targets, mask = encode_targets(
        pl.DataFrame({"p": ["", "?"], "c": [None, None]}), [PRICE, COLOUR]
    )
    assert not mask.any()
    assert np.array_equal(targets.numpy(), np.zeros((2, 2)))


@pytest.mark.parametrize(
    ("column", "task", "message"),
    [
        (
            ["rde"],
            COLOUR,
            "target 'c' holds the class 'rde' that training did not see: did you mean 'red'?",
        ),
        (
            ["n/a"],
            PRICE,
            "target 'p' holds 'n/a' where a number is expected: correct these cells or leave them "
            "empty",
        ),
        (
            [float("-inf")],
            PRICE,
            "target 'p' holds 1 infinite value: correct these cells or leave them empty",
        ),
    ],
)
def test_labels_that_cannot_be_read(column: list[object], task: Task, message: str) -> None:
    with pytest.raises(InputError) as caught:
        encode_targets(pl.DataFrame({task.name: column}), [task])
    assert str(caught.value) == message


def test_a_missing_target_column() -> None:
    with pytest.raises(InputError) as caught:
        encode_targets(pl.DataFrame({"colour": ["red"]}), [COLOUR])
    assert str(caught.value) == "target 'c' is not a column: there are: colour"
