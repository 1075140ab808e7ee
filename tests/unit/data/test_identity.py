"""Which rows have the same inputs."""

import numpy as np
import polars as pl
import pytest
import torch
from tiny import make_data

from cotrain.data import InputColumn, Role
from cotrain.data.dataset import SealedTest
from cotrain.data.identity import row_keys
from cotrain.data.without import without_rows_of
from cotrain.errors import InputError


def test_equal_rows_have_equal_keys() -> None:
    rows = torch.randn(200, 2, 3, generator=torch.Generator().manual_seed(0))
    keys = row_keys(rows)
    assert len(set(keys.tolist())) == 200
    np.testing.assert_array_equal(row_keys(rows[[3, 3, 7]]), keys[[3, 3, 7]])
    nudged = rows[:1].clone()
    nudged[0, 0, 0] += 1e-6
    assert row_keys(nudged)[0] != keys[0]


def test_a_sealed_test_counts_known_rows() -> None:
    data = make_data("b", rows=20)
    known = row_keys(torch.cat([data.inputs[4:9], torch.zeros(3, 5)]))
    assert SealedTest(data).count_known(known) == 5
    assert SealedTest(data).count_known(known[:0]) == 0


COLUMNS = (InputColumn(name="x", role=Role.NUMBER), InputColumn(name="c", role=Role.CATEGORY))
TABLE = pl.DataFrame({"x": [1.0, 2.0, 2.0, None], "c": ["a", "a", "b", None], "t": [0, 1, 1, 0]})


def test_rows_of_another_table_stay_out() -> None:
    other = pl.DataFrame({"c": ["b", None, "z"], "x": [2, None, 1], "u": [9, 9, 9]})
    assert without_rows_of(TABLE, other, COLUMNS)["t"].to_list() == [0, 1]


def test_no_row_left() -> None:
    with pytest.raises(InputError, match="every row also stands in the table to do without"):
        without_rows_of(TABLE, TABLE, COLUMNS)
    with pytest.raises(
        InputError, match=r"lacks 'c' \(it has 'x', 't'\): add what lacks, or rename"
    ):
        without_rows_of(TABLE, TABLE.drop("c"), COLUMNS)


@pytest.mark.parametrize("texts", [("OCC", "C(O)C")])
def test_another_spelling_of_a_molecule_is_the_same(texts: tuple[str, str]) -> None:
    pytest.importorskip("rdkit")
    smiles = (InputColumn(name="s", role=Role.SMILES),)
    table = pl.DataFrame({"s": ["CCO", "c1ccccc1"]})
    for text in texts:
        left = without_rows_of(table, pl.DataFrame({"s": [text]}), smiles)
        assert left["s"].to_list() == ["c1ccccc1"]


MOLECULES = pl.DataFrame({"s": ["CC(=O)O", "c1ccccc1", "C=O"], "t": [0, 1, 0]})
SMILES = (InputColumn(name="s", role=Role.SMILES),)


def test_molecules_are_found_under_another_name() -> None:
    pytest.importorskip("rdkit")
    other = pl.DataFrame({"id": ["M-1", "M-2"], "SMI": ["OC(C)=O", "C=O"], "n": [1, 2]})
    assert without_rows_of(MOLECULES, other, SMILES)["s"].to_list() == ["c1ccccc1"]


def test_molecules_that_are_not_found() -> None:
    text = r"lacks 's', and none of its columns looks like molecules \(it has 'id', 'n'\): add what"
    with pytest.raises(InputError, match=text):
        without_rows_of(MOLECULES, pl.DataFrame({"id": ["M-1"], "n": [1]}), SMILES)
    with pytest.raises(InputError, match="no column 's', and 'a', 'b' all look like molecules: re"):
        without_rows_of(MOLECULES, pl.DataFrame({"a": ["C=O"], "b": ["C#N"]}), SMILES)
