"""One spelling for every table: missing cells are null, text is stripped, types are seen whole."""

from collections.abc import Collection

import polars as pl

from cotrain.errors import InputError

MISSING = ("", "?", "NA", "NaN", "nan", "null", "None")
"""Texts that mean "no value here"."""

_DATE_FORMATS = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S%.f")


def tidy(frame: pl.DataFrame) -> pl.DataFrame:
    """The same table with stripped text, null for every missing cell, and few types.

    What remains are text, integers, floats, dates and times; booleans become ``"false"`` and
    ``"true"``.

    >>> tidy(pl.DataFrame({"a": [" x ", "?"], "b": [1.0, float("nan")], "c": [True, None]})).rows()
    [('x', 1.0, 'true'), (None, None, None)]
    """
    return pl.DataFrame([_tidied(column) for column in frame])


def _tidied(column: pl.Series) -> pl.Series:
    kind = column.dtype
    if kind in (pl.Categorical, pl.Enum, pl.Null, pl.Boolean):
        column = column.cast(pl.String)
    if column.dtype == pl.String:
        return column.str.strip_chars().replace(dict.fromkeys(MISSING))
    if kind.is_float() or kind.is_decimal():
        return column.cast(pl.Float64).fill_nan(None)
    if kind.is_integer() or kind in (pl.Date, pl.Datetime):
        return column
    raise InputError(
        f"column {column.name!r} has type {kind}: turn it into numbers, text or dates, "
        f"or drop it from the table"
    )


def infer_types(frame: pl.DataFrame, *, text: Collection[str] = ()) -> pl.DataFrame:
    """Turn text columns into integers, floats or dates where every cell of the column agrees.

    A column with zero-padded codes such as ``007`` stays text, and so do the columns in ``text``.

    >>> table = pl.DataFrame({"n": ["1", "2.5"], "d": ["2024-01-31", None], "zip": ["01", "2"]})
    >>> infer_types(table).dtypes
    [Float64, Datetime(time_unit='us', time_zone=None), String]
    """
    return frame.with_columns(_typed(column) for column in frame if column.name not in text)


def _typed(column: pl.Series) -> pl.Series:
    present = column.drop_nulls()
    if column.dtype != pl.String or present.is_empty() or _zero_padded(present):
        return column
    for number in (pl.Int64, pl.Float64):
        cast = column.cast(number, strict=False)
        if cast.null_count() == column.null_count():
            return cast
    dates = parse_dates(column)
    return dates if dates.null_count() == column.null_count() else column


def _zero_padded(present: pl.Series) -> bool:
    return bool(present.str.contains(r"^[+-]?0\d").any())


def parse_dates(column: pl.Series) -> pl.Series:
    """Read ISO dates, with or without a time of day; null where a text is no date.

    >>> parse_dates(pl.Series(["2024-01-31", "2024-01-31T10:30Z", "soon"])).dt.hour().to_list()
    [0, 10, None]
    """
    plain = column.str.replace("T", " ", literal=True).str.strip_suffix("Z")
    read = [plain.str.to_datetime(form, strict=False, time_unit="us") for form in _DATE_FORMATS]
    return pl.select(pl.coalesce(read).alias(column.name)).to_series()


def as_text(column: pl.Series) -> pl.Series:
    """Cells as text, the same for ``1`` and ``1.0``, so labels do not depend on the file format.

    >>> as_text(pl.Series([1.0, 2.5, None])).to_list()
    ['1', '2.5', None]
    """
    text = column.cast(pl.String)
    return text.str.strip_suffix(".0") if column.dtype.is_float() else text


def check_finite(column: pl.Series, role: str) -> None:
    """Refuse infinite numbers.

    Args:
        column: A tidy column.
        role: What the column is, for the message: ``"target"`` or ``"input column"``.
    """
    if not column.dtype.is_float():
        return
    count = int(column.is_infinite().sum())
    if count:
        raise InputError(
            f"{role} {column.name!r} holds {count:,} infinite "
            f"{'value' if count == 1 else 'values'}: correct these cells or leave them empty"
        )
