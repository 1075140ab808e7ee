"""Comma, semicolon, tab or bar separated text, checked line by line before it is parsed."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence

import polars as pl

from cotrain.errors import InputError

_SEPARATORS = (",", ";", "\t", "|")


def read_delimited(
    text: str,
    where: str,
    *,
    columns: Sequence[str] | None = None,
    quote: str = '"',
    first_line: int = 1,
    least_columns: int = 2,
) -> pl.DataFrame:
    r"""Read delimited text into a table of text columns.

    Args:
        text: The whole text; the separator is the one that splits the first line most.
        where: Name of the file, for messages.
        columns: Column names of a text without a header line.
        quote: The quote character.
        least_columns: Fewer columns than this are taken for no table.
        first_line: Line number of the first line in the file, for messages.

    >>> read_delimited("a;b\n1;2\n", "my.csv").rows(named=True)
    [{'a': '1', 'b': '2'}]
    """
    separator, first = _first_record(text, where, quote, least_columns)
    names = [name.strip() for name in (first if columns is None else columns)]
    check_names(names, where)
    filled = _filled(_records(text, separator, quote), len(names), where, separator, first_line)
    if sum(filled) == (columns is None):
        raise InputError(f"{where} has a header line but no rows: add the data")
    frame = pl.read_csv(
        text.encode(),
        has_header=False,
        new_columns=names,
        separator=separator,
        quote_char=quote,
        infer_schema=False,
    )
    return frame.filter(pl.Series(filled, dtype=pl.Boolean))[int(columns is None) :]


def check_names(names: Sequence[str], where: str) -> None:
    """Refuse duplicate and empty column names."""
    repeated = [name for name, count in Counter(names).items() if count > 1 and name]
    if repeated:
        shown = ", ".join(repr(name) for name in repeated[:5])
        raise InputError(f"{where} has duplicate column names {shown}: rename them")
    if "" in names:
        raise InputError(
            f"{where}: column {names.index('') + 1} has no name: add one to the header"
        )


def _records(text: str, separator: str, quote: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each record."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, quotechar=quote)
    for cells in reader:
        yield reader.line_num, cells


def _first_record(text: str, where: str, quote: str, least_columns: int) -> tuple[str, list[str]]:
    """The separator that splits the first line into the most cells, and these cells."""
    line = next((line for line in text.splitlines() if line.strip()), "")
    choices = [(mark, next(_records(line, mark, quote), (0, []))[1]) for mark in _SEPARATORS]
    separator, cells = max(choices, key=lambda choice: len(choice[1]))
    if len(cells) < least_columns:
        raise InputError(
            f"{where} is not a table: line 1 has a single column; separate the columns with "
            f"commas, semicolons or tabs"
        )
    return separator, cells


def _filled(
    records: Iterator[tuple[int, list[str]]],
    expected: int,
    where: str,
    separator: str,
    first_line: int,
) -> list[bool]:
    """For every record whether it holds cells (false: a blank line); refuses ragged records."""
    filled: list[bool] = []
    try:
        for line, cells in records:
            filled.append(len(cells) > 1 or "".join(cells).strip() != "")
            if filled[-1] and len(cells) != expected:
                at = line + first_line - 1
                raise InputError(
                    f"{where}, line {at}: expected {expected} values, found {len(cells)}: correct "
                    f"the line, or quote values that contain {separator!r}"
                )
    except csv.Error as error:
        raise InputError(f"{where} is not a table: {error}") from None
    return filled
