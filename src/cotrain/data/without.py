"""Rows of one table whose inputs also stand in another."""

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from cotrain.data.columns.roles import looks_like_smiles
from cotrain.data.features.expand import expand
from cotrain.data.schema import InputColumn, Role
from cotrain.errors import InputError


def without_rows_of(
    frame: pl.DataFrame, other: pl.DataFrame, inputs: Sequence[InputColumn]
) -> pl.DataFrame:
    """The rows of a table whose inputs no row of another table has.

    Args:
        frame: The table.
        other: The rows to do without; it has the same input columns, whatever else it has. A column of
            molecules may have another name there, if it is the only one that looks like molecules.
        inputs: The input columns. Molecules are compared as the network reads them, so another spelling of
            the same one is found.

    Raises:
        InputError: If the other table lacks a column, or no row is left.

    >>> from cotrain.data import Role
    >>> x = InputColumn(name="x", role=Role.NUMBER)
    >>> table = pl.DataFrame({"x": [1, 2, None], "y": [0, 1, 0]})
    >>> without_rows_of(table, pl.DataFrame({"x": [None, 1.0]}), (x,))["x"].to_list()
    [2]
    """
    there = [replace(column, name=_name_in(other, column, inputs)) for column in inputs]
    _check_there(there, other)
    own, known = expand(frame, inputs).hash_rows(), expand(other, there).hash_rows()
    kept = frame.filter(~own.is_in(known.implode()))
    if kept.is_empty():
        raise InputError("every row also stands in the table to do without: give other sources")
    return kept


def _name_in(other: pl.DataFrame, column: InputColumn, inputs: Sequence[InputColumn]) -> str:
    """What an input column is called in another table; only molecules are known by their looks."""
    if column.name in other.columns or column.role is not Role.SMILES:
        return column.name
    known = {each.name for each in inputs}
    texts = [own for own in other if own.dtype == pl.String and own.name not in known]
    found = [own.name for own in texts if looks_like_smiles(own.drop_nulls())]
    if len(found) > 1:
        raise InputError(
            f"the table to do without has no column {column.name!r}, and {_listed(found)} all look like "
            f"molecules: rename one of them {column.name!r}"
        )
    return found[0] if found else column.name


def _check_there(columns: Sequence[InputColumn], other: pl.DataFrame) -> None:
    lacking = [column.name for column in columns if column.name not in other.columns]
    if lacking:
        molecules = any(c.role is Role.SMILES and c.name in lacking for c in columns)
        looks = ", and none of its columns looks like molecules" if molecules else ""
        raise InputError(
            f"the table to do without lacks {_listed(lacking)}{looks} (it has {_listed(other.columns)}): "
            "add what lacks, or rename a column; empty cells are allowed"
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:8])) + (", …" if len(names) > 8 else "")
