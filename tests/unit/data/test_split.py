"""Assigning rows to splits, and refusing splits on which nothing can be measured."""

import time
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cotrain.data import (
    GroupSplit,
    RandomSplit,
    Split,
    StratifiedSplit,
    TimeSplit,
    check_split,
    parse_split,
)
from cotrain.data.splits.stratify import label_strata, stratify
from cotrain.errors import InputError
from cotrain.tasks import Kind, Task

NO_STRATA = np.zeros((0, 0), dtype=bool)
TASK = Task(name="tox", kind=Kind.BINARY, classes=("0", "1"))
VALUE = Task(name="logP", kind=Kind.REGRESSION)


def assign(split: Split, column: list[Any], seed: int = 0) -> NDArray[np.int8]:
    return split.assign(pl.DataFrame({"c": column}), np.zeros((len(column), 0), bool), seed)


def test_random_is_the_documented_permutation() -> None:
    order = np.random.default_rng(3).permutation(8006)
    codes = assign(RandomSplit(), list(range(8006)), seed=3)
    assert np.bincount(codes).tolist() == [6404, 800, 802]
    assert (codes[order[:6404]] == 0).all()
    assert (codes[order[6404:7204]] == 1).all()


def test_shares_are_fields() -> None:
    assert np.bincount(assign(RandomSplit(train=0.5, valid=0.25), [0] * 100)).tolist() == [
        50,
        25,
        25,
    ]
    with pytest.raises(InputError) as caught:
        RandomSplit(train=0.9, valid=0.1)
    assert str(caught.value) == (
        "split shares train=0.9, valid=0.1 leave a split empty: both must be above 0 and their sum "
        "below 1"
    )


def test_strata_of_the_three_kinds() -> None:
    colour = Task(name="c", kind=Kind.MULTICLASS, classes=("r", "g", "b"))
    values = np.array(
        [[0, 2, 1.0], [1, np.nan, 2.0], [np.nan, 0, 3.0], [1, 1, 4.0], [1, 1, np.nan]]
    )
    assert label_strata(values, [TASK, colour, VALUE]).astype(int).tolist() == [
        [1, 0, 0, 0, 1, 1, 0, 0, 0],
        [0, 1, 0, 0, 0, 0, 1, 0, 0],
        [0, 0, 1, 0, 0, 0, 0, 1, 0],
        [0, 1, 0, 1, 0, 0, 0, 0, 1],
        [0, 1, 0, 1, 0, 0, 0, 0, 0],
    ]


def sparse_strata(rows: int, tasks: int) -> NDArray[np.bool_]:
    """Partially labelled binary tasks with 1 % to 10 % positives."""
    generator = np.random.default_rng(0)
    positive = generator.random((rows, tasks)) < np.linspace(0.01, 0.1, tasks)
    labelled = generator.random((rows, tasks)) < 0.8
    return np.concatenate([positive & labelled, ~positive & labelled], axis=1)


def test_stratified_keeps_every_class_in_proportion_and_is_fast() -> None:
    strata = sparse_strata(8000, 12)
    start = time.perf_counter()
    codes = StratifiedSplit().assign(pl.DataFrame(), strata, seed=0)
    assert time.perf_counter() - start < 5
    share = np.stack([strata[codes == code].sum(axis=0) for code in range(3)]) / strata.sum(axis=0)
    assert np.abs(share - np.array([[0.8], [0.1], [0.1]])).max() < 0.02
    random = RandomSplit().assign(pl.DataFrame(), strata, seed=0)
    loose = np.stack([strata[random == code].sum(axis=0) for code in range(3)]) / strata.sum(axis=0)
    assert np.abs(loose - np.array([[0.8], [0.1], [0.1]])).max() > 0.04


def test_stratified_is_seeded_and_blind_to_the_order_of_tasks() -> None:
    strata = sparse_strata(400, 6)
    codes = stratify(strata, (0.8, 0.1, 0.1), seed=1)
    order = np.random.default_rng(0).permutation(strata.shape[1])
    assert np.array_equal(codes, stratify(strata[:, order], (0.8, 0.1, 0.1), seed=1))
    assert not np.array_equal(codes, stratify(strata, (0.8, 0.1, 0.1), seed=2))


def test_rows_without_strata_fill_the_room() -> None:
    codes = stratify(np.zeros((100, 1), dtype=bool), (0.8, 0.1, 0.1), seed=0)
    assert np.bincount(codes).tolist() == [80, 10, 10]


@given(st.lists(st.integers(0, 8), min_size=3).filter(lambda groups: len(set(groups)) > 2))
def test_no_group_is_in_two_splits_and_no_split_is_empty(groups: list[int]) -> None:
    codes = assign(GroupSplit(column="c"), groups)
    for group in set(groups):
        assert len(set(codes[np.array(groups) == group].tolist())) == 1
    assert set(codes.tolist()) == {0, 1, 2}


def test_group_sizes_are_near_the_shares() -> None:
    generator = np.random.default_rng(0)
    groups = [f"g{group}" for group in generator.geometric(0.02, size=2000)]
    assert np.bincount(assign(GroupSplit(column="c"), groups)).tolist() == [1600, 200, 200]


@given(st.lists(st.integers(0, 8), min_size=3).filter(lambda times: len(set(times)) > 2))
def test_time_never_runs_backwards_and_ties_stay_together(times: list[int]) -> None:
    codes = assign(TimeSplit(column="c"), times)
    parts = [np.array(times)[codes == code] for code in range(3)]
    assert parts[0].max() < parts[1].min() <= parts[1].max() < parts[2].min()


@pytest.mark.parametrize("form", ["date", "text", "number"])
def test_time_reads_dates_texts_and_numbers(form: str) -> None:
    days: list[Any] = [date(2024, 1, 1) + timedelta(days=7 * row % 100) for row in range(100)]
    column = {
        "date": days,
        "text": [str(day) for day in days],
        "number": [day.toordinal() for day in days],
    }[form]
    codes = assign(TimeSplit(column="c"), column)
    assert np.bincount(codes).tolist() == [80, 10, 10]
    assert max(day for day, code in zip(days, codes, strict=True) if code == 0) == date(2024, 3, 20)


BAD: list[tuple[Split, list[Any], str]] = [
    (
        GroupSplit(column="d"),
        ["a"],
        "split column 'd' is not a column: there are: c",
    ),
    (
        GroupSplit(column="c"),
        ["a", None, "?"],
        "split column 'c' is missing in 2 of 3 rows: fill these cells or drop the rows",
    ),
    (
        GroupSplit(column="c"),
        ["a", "a", "b"],
        "split column 'c' has 2 groups: three splits need at least 3, use another column or "
        "--split random",
    ),
    (
        TimeSplit(column="c"),
        [1, 1, 2],
        "split column 'c' has 2 different times: three splits need at least 3, use another column "
        "or --split random",
    ),
    (
        TimeSplit(column="c"),
        ["2024-01-31", "May 5"],
        "split column 'c' holds 'May 5', which is no time: write dates as 2024-01-31 or "
        "2024-01-31 10:30:00, or use numbers",
    ),
]


@pytest.mark.parametrize(("split", "column", "message"), BAD)
def test_columns_that_cannot_split(split: Split, column: list[Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        assign(split, column)
    assert str(caught.value) == message


def test_parsing() -> None:
    assert parse_split("random") == RandomSplit()
    assert parse_split("stratified") == StratifiedSplit()
    assert parse_split("group:a:b") == GroupSplit(column="a:b")
    assert parse_split("time:day").reserved == ("day",)
    for text in ("group", "group:", "randm", "random:x", ""):
        with pytest.raises(InputError) as caught:
            parse_split(text)
        assert str(caught.value) == (
            f"split {text!r} is unknown: use random, stratified, group:COLUMN or time:COLUMN"
        )


def refused(codes: list[int], values: list[float], task: Task) -> str:
    with pytest.raises(InputError) as caught:
        check_split(np.array(codes, np.int8), np.array(values)[:, None], [task])
    return str(caught.value)


def test_splits_that_cannot_be_measured() -> None:
    codes = [0] * 20 + [1] * 10 + [2] * 10
    mixed = [0.0, 1.0] * 20
    assert refused([0] * 29, [0.0] * 29, TASK) == (
        "29 labelled rows are too few: at least 30 are needed, some hundreds are better"
    )
    assert refused([0] * 39 + [1], mixed, TASK) == (
        "the test split has no rows: use more rows or another split"
    )
    assert refused(codes, mixed[:30] + [0.0] * 10, TASK) == (
        "target 'tox' has only the class '0' in the test split (train: 10 '0', 10 '1'; valid: 5 "
        "'0', 5 '1'; test: 10 '0', 0 '1'): use --split stratified, or leave the target out"
    )
    assert refused(codes, mixed[:20] + [np.nan] * 10 + mixed[:10], TASK) == (
        "target 'tox' has no labels in the valid split (train: 10 '0', 10 '1'; valid: 0 '0', 0 "
        "'1'; test: 5 '0', 5 '1'): use --split stratified, or leave the target out"
    )
    assert refused(codes, [2.5] * 20 + mixed[:20], VALUE) == (
        "target 'logP' has only the value 2.5 in the train split (train: 20 labels; valid: 10 "
        "labels; test: 10 labels): use --split stratified, or leave the target out"
    )


def test_where_labels_are_spread_that_is_no_way_out() -> None:
    codes = np.array([0] * 20 + [1] * 10 + [2] * 10, np.int8)
    rare = np.array([[1.0] * 2 + [0.0] * 38]).T
    with pytest.raises(InputError) as caught:
        check_split(codes, rare, [TASK], stratified=True)
    assert str(caught.value) == (
        "target 'tox' has only the class '0' in the valid split (train: 18 '0', 2 '1'; valid: 10 '0', 0 "
        "'1'; test: 10 '0', 0 '1'): its labels are too few to spread over three splits: leave the "
        "target out, or label more rows"
    )


def test_a_good_split_passes() -> None:
    codes = np.array([0] * 20 + [1] * 10 + [2] * 10, np.int8)
    check_split(codes, np.array([[0.0, 1.5], [1.0, 2.5]] * 20), [TASK, VALUE])
