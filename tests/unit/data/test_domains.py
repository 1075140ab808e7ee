"""Domains: rows of their own, one label space or several, tables with a domain column."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import torch

from cotrain.data import Schema, StratifiedSplit, from_domains, from_table, infer_domains
from cotrain.data.sampling import sampled_by_domain
from cotrain.engine.models.losses import starting_bias
from cotrain.engine.models.multitask import shared_rows
from cotrain.errors import InputError
from cotrain.tasks import Kind

DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(120, 3))
CODES = np.arange(120) % 3


def test_one_label_space_has_one_head_and_the_classes_of_all() -> None:
    splits = from_domains({"a": (X, CODES), "b": (X + 1, np.minimum(CODES, 1))})
    a, b = splits.tasks
    assert a.classes == b.classes == ("0", "1", "2")
    assert a.head == b.head == "labels"
    assert shared_rows(splits.tasks).tolist() == [0, 1, 2, 0, 1, 2]
    train = splits.development.train
    assert (train.mask.sum(dim=1) == 1).all()
    # 96 rows of each: 32 + 32 + 1, 32 + 64 + 1, 32 + 0 + 1 labels with one added to each class
    bias = starting_bias(splits.tasks, train.targets, train.mask)
    torch.testing.assert_close(bias, torch.log(torch.tensor([65.0, 97.0, 33.0]) / 195))


def test_several_label_spaces_have_heads_of_their_own() -> None:
    splits = from_domains(
        {"a": (X, CODES), "b": (X, X[:, 0]), "c": (X, CODES % 2)}, one_label_space=False
    )
    assert [task.kind for task in splits.tasks] == [
        Kind.MULTICLASS,
        Kind.REGRESSION,
        Kind.BINARY,
    ]
    assert shared_rows(splits.tasks) is None
    assert len(splits.development.train.domains) == 3


def test_a_regression_of_one_label_space_has_one_scale() -> None:
    splits = from_domains({"a": (X, X[:, 0]), "b": (X, X[:, 1] + 100)})
    a, b = splits.tasks
    assert (a.mean, a.scale) == (b.mean, b.scale)
    train = splits.development.train
    pooled = train.targets[train.mask].double()
    assert abs(float(pooled.mean())) < 1e-5
    assert abs(float(pooled.std(correction=0)) - 1) < 1e-5


def test_every_domain_is_cut_in_the_same_proportions() -> None:
    splits = from_domains({"a": (X, CODES), "b": (X[:60], CODES[:60])})
    assert splits.development.train.mask.sum(dim=0).tolist() == [96, 48]
    assert splits.development.valid.mask.sum(dim=0).tolist() == [12, 6]


def test_seeds_follow_content_and_twins_differ() -> None:
    one = from_domains({"a": (X, CODES), "b": (X + 1, CODES), "c": (X, CODES)})
    other = from_domains({"c": (X, CODES), "a": (X, CODES), "b": (X + 1, CODES)})
    seeds = one.development.train.domains
    assert len(set(seeds)) == 3
    # stratification draws rows by place, so only data cut alike have the same content
    assert len(set(other.development.train.domains)) == 3
    data = one.development.train
    again = sampled_by_domain(one)
    assert again.development.train.domains == data.domains
    assert again.digest != one.digest


@pytest.mark.parametrize(
    ("domains", "message"),
    [
        ({}, "there are no domains"),
        ({"a": (X, CODES), "b": (X[:0], CODES[:0])}, r"domain 'b' has inputs of shape \(0, 3\)"),
        ({"a": (X, CODES), "b": (X[:, :2], CODES)}, r"a \(3,\), b \(2,\).*bring them to one shape"),
        ({"a": (X, CODES[:-1])}, "domain 'a' has 120 rows and labels of shape"),
        ({"a": (X, CODES), "b": (X, CODES * np.nan)}, "'b' has no label"),
        ({"a": (X, CODES), "b": (X, CODES * 0)}, "'b' has only the class '0'"),
        ({"a": (X, np.where(CODES, np.inf, 0.0))}, "infinit"),
        ({"a": (np.where(X > 1, np.nan, X), CODES)}, "NaN or infinity"),
    ],
)
def test_bad_domains_are_named(domains: dict[str, tuple[object, object]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_domains(domains)


def test_kinds() -> None:
    splits = from_domains({"a": (X, CODES), "b": (X, CODES)}, kinds={"b": "regression"})
    assert {task.kind for task in splits.tasks} == {Kind.REGRESSION}
    with pytest.raises(InputError, match="names z, which is no domain"):
        from_domains({"a": (X, CODES)}, kinds={"z": "binary"})
    with pytest.raises(InputError, match="one kind, found multiclass, regression"):
        from_domains(
            {"a": (X, CODES), "b": (X, CODES)}, kinds={"a": "regression", "b": "multiclass"}
        )


def shops() -> pl.DataFrame:
    return pl.DataFrame(
        {"x": X[:, 0], "z": X[:, 1], "shop": [10, 9, None] * 40, "bad": (X[:, 0] > 0).tolist()}
    )


def test_a_table_with_a_domain_column() -> None:
    frame, schema = infer_domains(shops(), target="bad", domain="shop")
    assert [task.name for task in schema.tasks] == ["9", "10"]
    assert [column.name for column in schema.inputs] == ["x", "z"]
    assert Schema.from_json(schema.to_json()) == schema
    assert [sum(count.classes) for count in schema.counts] == [40, 40]
    splits = from_table(frame, schema, StratifiedSplit(), seed=0)
    assert splits.unlabelled == 40  # no shop
    assert splits.development.train.mask.sum(dim=0).tolist() == [32, 32]
    assert len(splits.development.train.domains) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "worse", "domain": "shop"}, "'worse' is not a column"),
        ({"target": "bad", "domain": "shops"}, "'shops' is not a column.*shop"),
        ({"target": "bad", "domain": "bad"}, "domain column 'bad' has another role"),
        ({"target": "bad", "domain": "x"}, "'x' has 120 values in 120 rows: it names no domains"),
    ],
)
def test_names_of_a_domain_table(options: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        infer_domains(shops(), **options)


def test_a_domain_called_like_a_column() -> None:
    frame = shops().with_columns(shop=pl.Series(["x", "y", "y"] * 40))
    with pytest.raises(
        InputError, match="domain 'x' of column 'shop' is also the name of a column"
    ):
        infer_domains(frame, target="bad", domain="shop")


def test_rows_of_two_tasks_are_no_domains() -> None:
    splits = from_domains({"a": (X, CODES), "b": (X, CODES)})
    train = splits.development.train
    train.mask[:5] = True
    with pytest.raises(InputError, match="5 rows are labelled for several tasks"):
        sampled_by_domain(splits)


def test_a_domain_can_be_left_out() -> None:
    frame = shops().with_columns(
        bad=pl.when(pl.col("shop") == 10).then(pl.lit(True)).otherwise(pl.col("bad"))
    )
    with pytest.raises(InputError, match=r"target '10' is always 'true'.*leave it out"):
        infer_domains(frame, target="bad", domain="shop")
    _, schema = infer_domains(frame, target="bad", domain="shop", ignore=["10", "z"])
    assert [task.name for task in schema.tasks] == ["9"]
    assert [column.name for column in schema.inputs] == ["x"]
