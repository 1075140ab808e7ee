"""Rows of one table whose inputs also stand in another."""

import polars as pl

from cotrain.data.expand import expand
from cotrain.data.schema import InputColumn
from cotrain.errors import InputError


def without_rows_of(
    frame: pl.DataFrame, other: pl.DataFrame, inputs: tuple[InputColumn, ...]
) -> pl.DataFrame:
    """The rows of a table whose inputs no row of another table has.

    Args:
        frame: The table.
        other: The rows to do without; it has the same input columns, whatever else it has.
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
    own, known = (expand(table, inputs).hash_rows() for table in (frame, other))
    kept = frame.filter(~own.is_in(known.implode()))
    if kept.is_empty():
        raise InputError("every row also stands in the table to do without: give other sources")
    return kept
