"""From the options on the table to the table, before torch is imported: a wrong target ends in a second."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cotrain.cli.options import TableOptions
from cotrain.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from cotrain.data import Schema, Split


def read(
    options: TableOptions, further: list[str] | None = None
) -> tuple[pl.DataFrame, Schema, Split]:
    """The table, what its columns are, and how its rows are split.

    Args:
        options: Of the table.
        further: Targets beside ``--targets``.

    Raises:
        InputError: If the file is no table, or an option does not fit it.
    """
    from cotrain.data import infer_schema, parse_split

    split = parse_split(options.split)
    frame = read_file(options.data, options.columns)
    wanted = names([*options.targets, *(further or [])], frame.columns)
    kinds, left_out = _kinds(options.kind or []), names(options.ignore or [], frame.columns)
    if options.domain is None:
        schema = infer_schema(
            frame,
            targets=wanted,
            ignore=left_out,
            kinds=kinds,
            smiles=options.smiles,
            reserved=split.reserved,
        )
        return frame, schema, split
    if len(wanted) != 1 or set(kinds) - set(wanted):
        raise InputError(
            f"--domain goes with one target and its --kind, found {', '.join([*wanted, *kinds])}"
        )
    from cotrain.data import infer_domains

    frame, schema = infer_domains(
        frame,
        target=wanted[0],
        domain=options.domain,
        kind=kinds.get(wanted[0]),
        ignore=left_out,
        smiles=options.smiles,
        reserved=split.reserved,
    )
    return frame, schema, split


def read_file(data: Path, columns: str | None, least_columns: int = 2) -> pl.DataFrame:
    """The file as a table.

    Args:
        data: The file.
        columns: Names with commas between, for a file without a header line.
        least_columns: With fewer it is no table.
    """
    from cotrain.data import read_table

    return read_table(data, columns.split(",") if columns else None, least_columns=least_columns)


def names(given: list[str], columns: list[str]) -> list[str]:
    """Split at commas, except where the text is a column's name as it stands.

    >>> names(["a,b", "c,d"], ["a", "b", "c,d"])
    ['a', 'b', 'c,d']
    """
    return [
        name
        for text in given
        for name in ([text] if text in columns else [part.strip() for part in text.split(",")])
    ]


def _kinds(given: list[str]) -> dict[str, str]:
    kinds = {}
    for text in given:
        name, found, kind = text.rpartition("=")
        if not found:
            raise InputError(
                f"--kind {text!r}: write NAME=binary, NAME=multiclass or NAME=regression"
            )
        kinds[name] = kind
    return kinds
