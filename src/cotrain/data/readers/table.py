"""Files to tables: CSV, TSV, Parquet and ARFF, each also compressed with gzip."""

import gzip
import io
import zlib
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from cotrain.data.readers.arff import read_arff
from cotrain.data.readers.delimited import read_delimited
from cotrain.data.tidy import infer_types, tidy
from cotrain.errors import InputError

_DELIMITED = (".csv", ".tsv", ".tab", ".txt", ".data")
_PARQUET = (".parquet", ".pq")


def read_table(
    path: Path, columns: Sequence[str] | None = None, *, least_columns: int = 2
) -> pl.DataFrame:
    r"""Read a table; missing cells are null and each column has the type that fits every cell.

    Args:
        path: ``.csv``, ``.tsv``, ``.tab``, ``.txt``, ``.data``, ``.parquet``, ``.pq`` or ``.arff``,
            optionally followed by ``.gz``.
        columns: Column names of a delimited file without a header line.
        least_columns: A delimited file with fewer is taken for something that is no table.

    Raises:
        InputError: The file is missing, empty, not a table, ragged, or not UTF-8.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "people.csv"
    ...     _ = file.write_text("age, city\n31, Bern\n?, Oslo\n")
    ...     read_table(file).rows(named=True)
    [{'age': 31, 'city': 'Bern'}, {'age': None, 'city': 'Oslo'}]
    """
    where = str(path)
    suffix = _suffix(path)
    if columns is not None and suffix not in _DELIMITED:
        raise InputError(f"{where} has its own column names: leave out the column names")
    content = _content(path)
    if suffix in _PARQUET:
        return _read_parquet(content, where)
    text = _decoded(content, where)
    if suffix == ".arff":
        frame, fixed = read_arff(text, where)
        return infer_types(tidy(frame), text=fixed)
    return infer_types(
        tidy(read_delimited(text, where, columns=columns, least_columns=least_columns))
    )


def _suffix(path: Path) -> str:
    plain = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    known = (*_DELIMITED, *_PARQUET, ".arff")
    if plain.suffix.lower() not in known:
        raise InputError(
            f"{path} has an unknown file type {plain.suffix!r}: use one of {', '.join(known)}, "
            f"optionally with .gz"
        )
    return plain.suffix.lower()


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        if content and path.suffix.lower() == ".gz":
            content = gzip.decompress(content)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: check the path") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder: name a file in it") from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise InputError(f"{path} is not a complete gzip file: compress or copy it again") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    if not content.strip():
        raise InputError(f"{path} is empty: it needs a header line and rows")
    return content


def _decoded(content: bytes, where: str) -> str:
    utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    if b"\0" in content and not utf16:
        raise InputError(f"{where} is not a table: it holds binary data")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        guess = "UTF-16" if utf16 else "Latin-1"
        raise InputError(
            f"{where}, line {line}: not UTF-8 (it may be {guess}): save the file with the "
            f"encoding UTF-8"
        ) from None


def _read_parquet(content: bytes, where: str) -> pl.DataFrame:
    try:
        frame = pl.read_parquet(io.BytesIO(content))
    except pl.exceptions.PolarsError:
        raise InputError(f"{where} is not a Parquet file: check the file type") from None
    if frame.is_empty():
        raise InputError(f"{where} has columns but no rows: add the data")
    return tidy(frame)
