"""How an input column is read: as numbers, categories or dates."""

import re

import polars as pl

from cotrain.data.schema import Role
from cotrain.data.tidy import check_finite, parse_dates
from cotrain.errors import InputError

_FEW_TEXTS = 1_000
_MANY_TEXTS = 5_000
_SMILES = re.compile(r"[A-Za-z0-9@+\-\[\]()=#$/\\%.:*~]+")


def infer_role(column: pl.Series) -> Role:
    """The role of a tidy input column.

    Text is a category unless all of it is ISO dates. A column without any value counts as a
    number; preparation drops it.

    >>> [str(infer_role(pl.Series("x", v))) for v in ([1, 2], ["a", "b"], ["2024-01-31", None])]
    ['number', 'category', 'date']
    """
    check_finite(column, "input column")
    present = column.drop_nulls()
    if column.dtype.is_temporal():
        return Role.DATE
    if column.dtype.is_numeric() or present.is_empty():
        return Role.NUMBER
    if parse_dates(present).null_count() == 0:
        return Role.DATE
    _check_repeats(present)
    return Role.CATEGORY


def _check_repeats(present: pl.Series) -> None:
    """Refuse text that hardly ever repeats: an identifier, free text, or molecules."""
    name, distinct = present.name, present.n_unique()
    if distinct > _MANY_TEXTS or (distinct > _FEW_TEXTS and 2 * distinct > len(present)):
        fix = f"--smiles {name}" if looks_like_smiles(present) else f"--ignore {name}"
        guess = "molecules" if fix.startswith("--smiles") else "an identifier or free text"
        raise InputError(
            f"input column {name!r} has {distinct:,} different texts in {len(present):,} rows: "
            f"it looks like {guess}, use {fix}"
        )


def looks_like_smiles(present: pl.Series) -> bool:
    """Whether the first texts could be molecules: only SMILES letters, and mostly bonds or rings.

    >>> looks_like_smiles(pl.Series(["CCO", "c1ccccc1", "CC(=O)O"]))
    True
    >>> looks_like_smiles(pl.Series(["TOX3021", "TOX3020"]))
    False
    """
    head = present.head(200).to_list()
    bonded = sum(any(mark in text for mark in "=#()[]") or "c1" in text for text in head)
    return all(_SMILES.fullmatch(text) for text in head) and 2 * bonded > len(head)
