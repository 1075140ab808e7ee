"""What is fitted sees only training rows; what is applied survives whatever a new table holds."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import skops.io
from numpy.typing import NDArray

from cotrain.data import InputColumn, Preparation, Role, infer_schema
from cotrain.data.features import molecules as smiles_module
from cotrain.data.features.encoders import TRUSTED
from cotrain.data.features.prepare import renamed
from cotrain.errors import InputError

TRAIN = np.arange(150)


@pytest.fixture
def fitted(mixed: pl.DataFrame) -> Preparation:
    return fit(mixed)


def fit(frame: pl.DataFrame, rows: NDArray[np.intp] = TRAIN) -> Preparation:
    return Preparation.fit(frame, infer_schema(frame, targets=["buys", "colour", "price"]), rows)


def state(preparation: Preparation, folder: Path) -> tuple[str, bytes, bytes]:
    folder.mkdir()
    preparation.save(folder)
    loaded = skops.io.load(folder / "preparation.skops", trusted=list(TRUSTED))
    plain = json.loads((folder / "preparation.json").read_text())
    del plain["schema"]["counts"]
    numbers = dict(loaded["network"].named_transformers_["numbers"][1].transformer_list)
    parts = (
        loaded["network"].named_transformers_["numbers"][0].statistics_,
        numbers["scaled"][0].mean_,
        numbers["scaled"][0].scale_,
        np.array([*numbers["scaled"][1].low_, *numbers["scaled"][1].high_]),
        np.array([*numbers["bins"].low_, *numbers["bins"].high_, *numbers["bins"].centre_]),
    )
    categories = repr(loaded["network"].named_transformers_["categories"].categories_)
    codes = repr(loaded["trees"].named_transformers_["categories"].categories_)
    return (
        json.dumps(plain) + categories + codes,
        np.concatenate(parts[:1]).tobytes(),
        b"".join(part.tobytes() for part in parts[1:]),
    )


def test_nothing_but_training_rows_is_fitted(mixed: pl.DataFrame, tmp_path: Path) -> None:
    other = pl.when(pl.int_range(pl.len()) < 150)
    changed = mixed.with_columns(
        number=other.then("number").otherwise(1e6),
        city=other.then("city").otherwise(pl.lit("Atlantis")),
        when=other.then("when").otherwise(pl.lit("1999-12-31")),
    )
    schema = infer_schema(mixed, targets=["buys", "colour", "price"])
    first = Preparation.fit(mixed, schema, TRAIN)
    second = Preparation.fit(changed, schema, TRAIN)
    assert state(first, tmp_path / "1") == state(second, tmp_path / "2")
    head = mixed.head(150)
    assert np.array_equal(first.network_inputs(head), second.network_inputs(head))
    third = Preparation.fit(changed, schema, np.arange(200))
    assert state(first, tmp_path / "1b") != state(third, tmp_path / "3")


def test_shapes_and_values(fitted: Preparation, mixed: pl.DataFrame) -> None:
    network, trees = fitted.network_inputs(mixed), fitted.tree_columns(mixed)
    # number, flag, month, day, weekday, days (year and hour are constant), number is missing; the bins of
    # all but the flags; 4 cities
    bins = 5 * (150 // 32)
    assert network.shape == (200, 7 + bins + 4)
    assert network.dtype == np.float32
    assert trees.shape == (200, 7)
    assert fitted.categorical.tolist() == [False] * 6 + [True]
    assert np.isfinite(network).all()
    assert np.abs(network).max() < 4
    assert np.abs(network[TRAIN, 0].mean()) < 0.1
    assert np.array_equal(np.isnan(trees[:, 0]), np.arange(200) % 10 == 0)
    assert trees[:4, 6].tolist() == [1, 2, 3, 0]  # "" is the missing city, sorted first
    assert network[:4, -4:].tolist() == np.eye(4)[[1, 2, 3, 0]].tolist()


def test_dates_in_parts() -> None:
    days = [date(2020 + row % 5, row % 12 + 1, row % 28 + 1) for row in range(40)]
    frame = pl.DataFrame({"when": days, "t": [0, 1] * 20})
    columns = Preparation.fit(
        frame, infer_schema(frame, targets=["t"]), np.arange(40)
    ).tree_columns(pl.DataFrame({"when": ["2024-02-29T12:00:00Z", None]}))
    assert columns[0].tolist() == [2024, 2, 29, 4, 19782.5]
    assert np.isnan(columns[1]).all()


def test_save_and_load_give_the_same_numbers(
    fitted: Preparation, mixed: pl.DataFrame, tmp_path: Path
) -> None:
    fitted.save(tmp_path)
    loaded = Preparation.load(tmp_path)
    assert loaded.schema == fitted.schema
    assert np.array_equal(loaded.network_inputs(mixed), fitted.network_inputs(mixed))
    assert np.array_equal(loaded.tree_columns(mixed), fitted.tree_columns(mixed), equal_nan=True)
    assert loaded.categorical.tolist() == fitted.categorical.tolist()


def test_only_listed_types_are_written(fitted: Preparation, tmp_path: Path) -> None:
    fitted.save(tmp_path)
    found = skops.io.get_untrusted_types(file=tmp_path / "preparation.skops")
    assert set(found) <= set(TRUSTED)


def test_a_file_with_other_types_is_refused(fitted: Preparation, tmp_path: Path) -> None:
    fitted.save(tmp_path)
    skops.io.dump({"network": Path, "trees": None}, tmp_path / "preparation.skops")
    with pytest.raises(InputError) as caught:
        Preparation.load(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / 'preparation.skops'} was not written by cotrain, do not trust it: "
        "Untrusted types found in the file: ['pathlib.Path']."
    )


def test_order_extra_columns_and_types_do_not_matter(
    fitted: Preparation, mixed: pl.DataFrame
) -> None:
    shuffled = mixed.select(
        pl.lit(None).alias("extra"),
        pl.struct("flag").alias("nested"),
        pl.col("when").str.to_date(),
        "city",
        pl.col("flag").cast(pl.String),
        pl.col("number").cast(pl.String),
    )
    assert np.array_equal(fitted.network_inputs(shuffled), fitted.network_inputs(mixed))
    assert np.array_equal(fitted.tree_columns(shuffled), fitted.tree_columns(mixed), equal_nan=True)


def test_unknown_categories_and_missing_columns_of_values(
    fitted: Preparation, mixed: pl.DataFrame
) -> None:
    empty = mixed.head(3).with_columns(
        city=pl.lit("Atlantis"), number=pl.lit(None), when=pl.lit(None), flag=pl.lit(None)
    )
    network, trees = fitted.network_inputs(empty), fitted.tree_columns(empty)
    assert network[0, -4:].tolist() == [0, 0, 0, 0]
    assert np.isfinite(network).all()
    assert np.isnan(trees).all()


def test_rare_and_unknown_categories_share_a_column() -> None:
    frame = pl.DataFrame({"city": ["a"] * 20 + ["b"] * 20 + ["c", "d"] * 2, "t": [0, 1] * 22})
    schema = infer_schema(frame, targets=["t"])
    preparation = Preparation.fit(frame, schema, np.arange(44))
    seen = preparation.network_inputs(pl.DataFrame({"city": ["a", "c", "new", None]}))
    assert seen.tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 1], [0, 0, 1]]


def test_more_than_255_categories() -> None:
    codes = [f"{row % 300}-x" for row in range(1800)]
    frame = pl.DataFrame({"c": codes, "t": [0, 1] * 900})
    schema = infer_schema(frame, targets=["t"])
    preparation = Preparation.fit(frame, schema, np.arange(1800))
    assert preparation.tree_columns(frame).max() == 254
    assert preparation.categorical.tolist() == [True]
    assert preparation.network_inputs(frame).shape == (1800, 50)


def test_constant_columns_are_dropped_and_named(mixed: pl.DataFrame) -> None:
    frame = mixed.with_columns(one=pl.lit(1), none=pl.lit(None), same=pl.lit("x"))
    preparation = fit(frame)
    assert preparation.unused == ("one", "none", "same")
    same = fit(mixed)
    assert np.array_equal(preparation.network_inputs(frame), same.network_inputs(mixed))


def test_no_column_that_varies(mixed: pl.DataFrame) -> None:
    frame = mixed.select("buys", "colour", "price", one=pl.lit(1))
    with pytest.raises(InputError) as caught:
        fit(frame)
    assert str(caught.value) == (
        "no input column varies in the training rows: add input columns or rows"
    )


BAD = [
    (
        {"number": ["12", "n/a", "twelve"]},
        "input column 'number' holds 'n/a' where a number is expected: correct these cells or "
        "leave them empty",
    ),
    (
        {"number": [date(2024, 1, 31)] * 3},
        "input column 'number' holds '2024-01-31' where a number is expected: correct these cells "
        "or leave them empty",
    ),
    (
        {"number": [1.0, float("inf"), None]},
        "input column 'number' holds 1 infinite value: correct these cells or leave them empty",
    ),
    (
        {"number": ["1", "inf", "-inf"]},
        "input column 'number' holds 2 infinite values: correct these cells or leave them empty",
    ),
    (
        {"when": ["2024-01-31", "soon", None]},
        "input column 'when' holds 'soon' where a date such as 2024-01-31 is expected: correct "
        "these cells or leave them empty",
    ),
    (
        {"when": [5, 6, 7]},
        "input column 'when' holds '5' where a date such as 2024-01-31 is expected: correct these "
        "cells or leave them empty",
    ),
]


@pytest.mark.parametrize(("columns", "message"), BAD)
def test_cells_that_cannot_be_read(
    fitted: Preparation, mixed: pl.DataFrame, columns: dict[str, list[object]], message: str
) -> None:
    frame = mixed.head(3).with_columns(pl.Series(name, column) for name, column in columns.items())
    for apply in (fitted.network_inputs, fitted.tree_columns):
        with pytest.raises(InputError) as caught:
            apply(frame)
        assert str(caught.value) == message


def test_missing_input_columns_are_named(fitted: Preparation, mixed: pl.DataFrame) -> None:
    with pytest.raises(InputError) as caught:
        fitted.network_inputs(mixed.drop("flag", "city"))
    assert str(caught.value) == (
        "the table lacks the input columns 'flag', 'city': add them, empty cells are allowed"
    )


def test_names_may_be_anything(tmp_path: Path) -> None:
    names = ["<script>", "../../x", "number0", "a\nb", "n0.year"]
    frame = pl.DataFrame({name: np.arange(40.0) + at for at, name in enumerate(names)})
    frame = frame.with_columns(pl.Series("t", [0, 1] * 20))
    preparation = Preparation.fit(frame, infer_schema(frame, targets=["t"]), np.arange(40))
    preparation.save(tmp_path)
    assert Preparation.load(tmp_path).tree_columns(frame)[3].tolist() == [3, 4, 5, 6, 7]


def test_fingerprints_and_the_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rdkit")
    texts = ["CCO", "c1ccccc1", "CC(=O)O", "junk", None] * 8
    frame = pl.DataFrame({"mol": texts, "t": [0, 1] * 20})
    schema = infer_schema(frame, targets=["t"], smiles="mol")
    preparation = Preparation.fit(frame, schema, np.arange(40))
    network, trees = preparation.network_inputs(frame), preparation.tree_columns(frame)
    assert np.array_equal(network, trees)
    assert network[:5].any(axis=1).tolist() == [True, True, True, False, False]
    assert set(np.unique(network)) == {0.0, 1.0}
    smiles_module._rdkit.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "rdkit", None)
    with pytest.raises(InputError) as caught:
        preparation.network_inputs(pl.DataFrame({"mol": ["CCCCCCCCC"]}))
    assert str(caught.value) == (
        "a SMILES column needs RDKit, which is not installed: pip install 'cotrain[chem]'"
    )


def test_a_preparation_is_frozen(fitted: Preparation) -> None:
    assert replace(fitted, schema=fitted.schema) is not fitted
    with pytest.raises(AttributeError):
        fitted.schema = fitted.schema  # type: ignore[misc]


def tables() -> tuple[Preparation, Preparation, pl.DataFrame]:
    """Of a table with x and y, of one with y, z and x at another scale, and that one."""
    draw = np.random.default_rng(1)
    x, y, z = draw.normal(size=(3, 40))
    first = pl.DataFrame({"x": x, "y": y, "t": [0, 1] * 20})
    second = pl.DataFrame({"y": z, "z": x, "x": 100 * y, "u": [1, 0] * 20})
    rows = np.arange(40)
    return (
        Preparation.fit(first, infer_schema(first, targets=["t"]), rows),
        Preparation.fit(second, infer_schema(second, targets=["u"]), rows),
        second,
    )


def test_networks_may_read_as_another_preparation_says(tmp_path: Path) -> None:
    encoder, own, table = tables()
    like = own.reading_like(encoder)
    np.testing.assert_array_equal(like.network_inputs(table), encoder.network_inputs(table))
    np.testing.assert_array_equal(like.tree_columns(table), own.tree_columns(table))
    assert (like.unread, own.unread) == (("z",), ())
    like.save(tmp_path)
    loaded = Preparation.load(tmp_path)
    np.testing.assert_array_equal(loaded.network_inputs(table), like.network_inputs(table))
    assert loaded.network_reads == encoder.schema.inputs


def test_what_it_reads_must_be_there() -> None:
    encoder, own, _ = tables()
    with pytest.raises(InputError, match="the encoder reads 'z', which is no input of this table"):
        encoder.reading_like(own)


def test_one_column_of_molecules_stands_for_the_other() -> None:
    def column(name: str) -> InputColumn:
        return InputColumn(name=name, role=Role.SMILES)

    number = InputColumn(name="x", role=Role.NUMBER)
    assert renamed((column("smiles"), number), (number, column("SMILES"))) == (
        column("SMILES"),
        number,
    )
    with pytest.raises(InputError, match="the encoder reads 'a', 'b', which are no input"):
        renamed((column("a"), column("b")), (column("c"),))
