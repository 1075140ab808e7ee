"""Input columns become plain numbers and texts: dates in parts, molecules in bits.

The columns of the result are named by role and position (``number0``, ``category3``), never by the
user's names, which may be anything.
"""

from collections.abc import Sequence

import polars as pl

from cotrain.data.features.molecules import fingerprints
from cotrain.data.schema import InputColumn, Role
from cotrain.data.tidy import as_text, check_finite, parse_dates, tidy
from cotrain.errors import InputError


def expand(frame: pl.DataFrame, inputs: Sequence[InputColumn]) -> pl.DataFrame:
    """Numbers (null where missing), categories ("" where missing) and bits of the input columns.

    Columns of ``frame`` that are no inputs are not looked at; the order of columns has no effect.

    >>> table = pl.DataFrame({"extra": [0], "when": ["2024-01-31"], "city": [None]})
    >>> when = InputColumn(name="when", role=Role.DATE)
    >>> city = InputColumn(name="city", role=Role.CATEGORY)
    >>> expand(table, [when, city]).rows(named=True)[0]["number0.weekday"]
    3.0
    """
    missing = [column.name for column in inputs if column.name not in frame.columns]
    if missing:
        shown = ", ".join(repr(name) for name in missing[:8]) + (", …" if len(missing) > 8 else "")
        raise InputError(
            f"the table lacks the input {'columns' if len(missing) > 1 else 'column'} {shown}: "
            f"add them, empty cells are allowed"
        )
    known = tidy(frame.select(column.name for column in inputs))
    parts = [
        _EXPAND[column.role](known[column.name], position) for position, column in enumerate(inputs)
    ]
    return pl.concat(parts, how="horizontal")


def count_unreadable(frame: pl.DataFrame, inputs: Sequence[InputColumn]) -> int:
    """Rows with a SMILES cell that is empty or no molecule."""
    molecules = [column.name for column in inputs if column.role is Role.SMILES]
    blank = [~fingerprints(column).any(axis=1) for column in tidy(frame.select(molecules))]
    return int(sum(flags.sum() for flags in blank))


def _number(column: pl.Series, position: int) -> pl.DataFrame:
    if column.dtype.is_temporal():
        numbers = pl.Series([None] * len(column), dtype=pl.Float64)
    else:
        numbers = column.cast(pl.Float64, strict=False)
    _check_read(column, numbers, "a number")
    check_finite(numbers.alias(column.name), "input column")
    return numbers.alias(f"number{position}").to_frame()


def _category(column: pl.Series, position: int) -> pl.DataFrame:
    return as_text(column).fill_null("").alias(f"category{position}").to_frame()


def _date(column: pl.Series, position: int) -> pl.DataFrame:
    if column.dtype == pl.String:
        dates = parse_dates(column)
    elif column.dtype.is_numeric():
        dates = pl.Series([None] * len(column), dtype=pl.Datetime("us"))
    else:
        dates = column.cast(pl.Datetime("us"))
    _check_read(column, dates, "a date such as 2024-01-31")
    at = pl.lit(dates).dt
    parts = {
        "year": at.year(),
        "month": at.month(),
        "day": at.day(),
        "weekday": at.weekday(),
        "hour": at.hour(),
        "days": at.epoch("us") / 86_400_000_000,
    }
    return pl.select(
        part.cast(pl.Float64).alias(f"number{position}.{name}") for name, part in parts.items()
    )


def _smiles(column: pl.Series, position: int) -> pl.DataFrame:
    bits = fingerprints(as_text(column)).astype("float32")
    return pl.DataFrame(bits, schema=[f"bit{position}.{bit}" for bit in range(bits.shape[1])])


_EXPAND = {
    Role.NUMBER: _number,
    Role.CATEGORY: _category,
    Role.DATE: _date,
    Role.SMILES: _smiles,
}


def _check_read(column: pl.Series, read: pl.Series, expected: str) -> None:
    """Refuse cells that hold something and could not be read."""
    unread = column.filter(column.is_not_null() & read.is_null())
    if not unread.is_empty():
        raise InputError(
            f"input column {column.name!r} holds {str(unread[0])!r} where {expected} is expected: "
            f"correct these cells or leave them empty"
        )
