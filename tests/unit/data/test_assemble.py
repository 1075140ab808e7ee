"""Tables, arrays and datasets become splits."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor
from torch.utils.data import Dataset

from cotrain.data import (
    GroupSplit,
    RandomSplit,
    Splits,
    StratifiedSplit,
    TimeSplit,
    from_arrays,
    from_dataset,
    from_table,
    infer_schema,
)
from cotrain.errors import InputError
from cotrain.tasks import Kind

TARGETS = ["buys", "colour", "price"]


def splits_of(frame: pl.DataFrame, seed: int = 0, targets: list[str] = TARGETS) -> Splits:
    return from_table(frame, infer_schema(frame, targets=targets), StratifiedSplit(), seed)


def sealed(splits: Splits) -> Any:
    """The test data, which only the tests of this folder take by its private name."""
    return splits.test._SealedTest__data  # type: ignore[attr-defined]


def test_regression_is_standardised_by_the_training_rows(mixed: pl.DataFrame) -> None:
    splits = splits_of(mixed)
    train, price = splits.development.train, splits.tasks[2]
    assert train.targets[:, 2].mean().abs() < 1e-6
    assert train.targets[:, 2].std(correction=0) == pytest.approx(1, abs=1e-6)
    parts = (train, splits.development.valid, sealed(splits))
    units = np.concatenate(
        [part.targets[:, 2].numpy() * price.scale + price.mean for part in parts]
    )
    assert np.allclose(np.sort(units), np.sort(mixed["price"].to_numpy()), atol=1e-3)
    assert (splits.tasks[0].mean, splits.tasks[0].scale) == (0, 1)


def test_rows_without_labels_are_dropped_and_counted(mixed: pl.DataFrame) -> None:
    splits = splits_of(mixed.with_columns(junk=pl.lit("x")), targets=["buys"])
    parts = (splits.development.train, splits.development.valid, splits.test)
    assert sum(len(part) for part in parts) == 171
    assert splits.notes == (
        "29 of 200 rows dropped: they have no label",
        "input columns left out, constant on the training rows: junk",
    )


def test_the_digest_tells_runs_apart(mixed: pl.DataFrame) -> None:
    digest = splits_of(mixed).digest
    assert len(digest) == 64
    assert splits_of(mixed).digest == digest
    assert splits_of(mixed, seed=1).digest != digest
    assert splits_of(mixed.with_columns(pl.col("price") * 2 - pl.col("flag"))).digest != digest


def test_how_a_missing_label_is_written_has_no_influence(mixed: pl.DataFrame) -> None:
    words = [
        mixed.with_columns(pl.col("buys").cast(pl.String).fill_null(word)) for word in ("?", "")
    ]
    digests = {splits_of(frame).digest for frame in (mixed, *words)}
    assert len(digests) == 1
    train = splits_of(mixed).development.train
    assert not train.mask[:, 0].all()
    assert (train.targets[~train.mask] == 0).all()


def test_permuting_tasks_permutes_the_splits(mixed: pl.DataFrame) -> None:
    first, second = splits_of(mixed), splits_of(mixed, targets=["price", "buys", "colour"])
    assert [task.name for task in second.tasks] == ["price", "buys", "colour"]
    order = [2, 0, 1]
    assert torch.equal(first.development.valid.targets[:, order], second.development.valid.targets)
    assert torch.equal(first.development.valid.inputs, second.development.valid.inputs)


def test_group_and_time_columns_are_no_inputs(mixed: pl.DataFrame) -> None:
    for split in (GroupSplit(column="number"), TimeSplit(column="when")):
        frame = mixed.with_columns(pl.col("number").fill_null(0))
        schema = infer_schema(frame, targets=["price"], reserved=split.reserved)
        splits = from_table(frame, schema, split, 0)
        preparation = splits.preparation
        assert split.column not in [column.name for column in preparation.schema.inputs]
        assert len(splits.development.train) >= 150


def test_preparation_carries_the_standardised_tasks(mixed: pl.DataFrame) -> None:
    schema = infer_schema(mixed, targets=TARGETS)
    splits = from_table(mixed, schema, RandomSplit(), 0)
    preparation = splits.preparation
    assert preparation.schema.tasks == splits.tasks
    valid = splits.development.valid
    assert preparation.network_inputs(mixed).shape[1] == valid.inputs.shape[1]
    assert preparation.tree_columns(mixed).shape[1] == valid.columns.shape[1]
    assert np.array_equal(preparation.categorical, valid.categorical)


def test_arrays_of_any_shape() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(300, 2, 4, 4)).astype(np.float32)
    y = np.stack([x[:, 0, 0, 0] > 0, generator.integers(0, 3, 300), x[:, 1, 0, 0]], axis=1)
    y[::10, 0] = np.nan
    splits = from_arrays(x, y, names=["a", "b", "c"], split=StratifiedSplit(), seed=3)
    train = splits.development.train
    assert train.inputs.shape[1:] == (2, 4, 4)
    assert np.array_equal(train.columns, train.inputs.flatten(1).numpy())
    assert [task.kind for task in splits.tasks] == [Kind.BINARY, Kind.MULTICLASS, Kind.REGRESSION]
    assert not train.categorical.any()
    kinds = {"b": "regression"}
    forced = from_arrays(
        torch.from_numpy(x), torch.from_numpy(y), names=["a", "b", "c"], kinds=kinds
    )
    assert forced.tasks[1].kind is Kind.REGRESSION


def test_random_split_of_arrays_is_the_documented_one() -> None:
    x = np.arange(100.0)[:, None]
    splits = from_arrays(x, np.arange(100)[:, None] % 2, seed=5)
    order = np.random.default_rng(5).permutation(100)
    assert splits.development.train.inputs[:, 0].tolist() == sorted(order[:80])
    assert splits.development.valid.inputs[:, 0].tolist() == sorted(order[80:90])


@pytest.mark.parametrize(
    ("x", "y", "names", "message"),
    [
        (
            np.zeros((40, 2)),
            np.zeros(40),
            None,
            "targets have shape (40,) where [rows, tasks] = (40, T) is expected: give one row of "
            "labels for each row of inputs",
        ),
        (
            np.zeros((40, 2)),
            np.zeros((39, 1)),
            None,
            "targets have shape (39, 1) where [rows, tasks] = (40, T) is expected: give one row of "
            "labels for each row of inputs",
        ),
        (
            np.zeros(40),
            np.zeros((40, 1)),
            None,
            "inputs have shape (40,) where [rows, ...] is expected",
        ),
        (
            np.zeros((40, 2)),
            np.zeros((40, 2)),
            ["a"],
            "1 task names for 2 columns of targets: give one name each",
        ),
        (
            np.zeros((40, 2)),
            np.zeros((40, 2)),
            ["a", "a"],
            "the list of task names has duplicate column names 'a': rename them",
        ),
        (
            np.full((400, 2), np.nan),
            np.arange(400)[:, None] % 2,
            None,
            "inputs hold NaN or infinity: fill or drop these cells first",
        ),
        (
            np.zeros((40, 2)),
            np.full((40, 1), np.nan),
            None,
            "target 'task_0' has no labels at all: leave it out of the targets",
        ),
        (
            np.zeros((20, 2)),
            np.arange(20)[:, None] % 2,
            None,
            "20 labelled rows are too few: at least 30 are needed, some hundreds are better",
        ),
    ],
)
def test_arrays_that_do_not_fit(x: Any, y: Any, names: list[str] | None, message: str) -> None:
    with pytest.raises(InputError) as caught:
        from_arrays(x, y, names=names)
    assert str(caught.value) == message


class Partial(Dataset[tuple[Tensor, Mapping[str, float]]]):
    """Item ``i`` names task ``b`` always, and task ``a`` if ``i`` is odd; item 7 names none."""

    def __len__(self) -> int:
        return 100

    def __getitem__(self, row: int) -> tuple[Tensor, Mapping[str, float]]:
        x = torch.full((3,), float(row))
        if row == 7:
            return x, {}
        return x, {"b": row // 2 % 2} | ({"a": row / 2} if row % 2 else {})


def test_a_dataset_with_partial_labels() -> None:
    splits = from_dataset(Partial())
    assert [task.name for task in splits.tasks] == ["a", "b"]
    assert splits.notes == ("1 of 100 rows dropped: they have no label",)
    train = splits.development.train
    assert torch.equal(train.mask[:, 0], train.inputs[:, 0] % 2 == 1)
    assert train.mask[:, 1].all()


class Unlabelled(Partial):
    def __getitem__(self, row: int) -> tuple[Tensor, Mapping[str, float]]:
        return torch.zeros(3), {}


def test_a_dataset_without_labels() -> None:
    with pytest.raises(InputError) as caught:
        from_dataset(Unlabelled())
    assert str(caught.value) == "no item of the dataset has a label: yield (x, {task: y})"
