"""A target column becomes a task: binary, multi-class or regression."""

import re
from collections.abc import Iterable

import polars as pl

from cotrain.data.schema import LabelCount
from cotrain.data.tidy import as_text, check_finite
from cotrain.errors import InputError
from cotrain.tasks import Kind, Task

_MOST_CODES = 20
_ROWS_PER_CODE = 20


def infer_task(column: pl.Series, kind: str | None = None) -> tuple[Task, LabelCount]:
    """The task in a tidy target column, and its label counts.

    Two distinct values make a binary task, whose positive class is the larger value. Text makes a
    multi-class task. So do class codes: integers that run from 0 or 1 without a gap, 3 to 20 of
    them, with at least 20 labels a code on average. Everything else is regression.

    Args:
        column: The target, as :func:`~cotrain.data.tidy.tidy` left it.
        kind: Overrules the inference.

    >>> infer_task(pl.Series("paid", ["<=50K", ">50K", None]))[0].classes
    ('<=50K', '>50K')
    >>> str(infer_task(pl.Series("stars", [1, 2, 3] * 20))[0].kind)
    'multiclass'
    >>> str(infer_task(pl.Series("stars", [1, 2, 3] * 20), "regression")[0].kind)
    'regression'
    """
    present = column.drop_nulls()
    _check_labels(column, present)
    chosen = _inferred(present) if kind is None else _checked(present, kind)
    if chosen is Kind.REGRESSION:
        count = LabelCount(rows=len(column), labelled=len(present))
        return Task(name=column.name, kind=chosen), count
    return _classes(column, chosen)


def _classes(column: pl.Series, kind: Kind) -> tuple[Task, LabelCount]:
    labels = as_text(column.drop_nulls())
    if 2 * labels.n_unique() > len(labels) and labels.n_unique() > 2:
        raise InputError(
            f"target {column.name!r} has {labels.n_unique():,} classes in {len(labels):,} rows: it "
            f"looks like an identifier or free text, leave it out of the targets"
        )
    counted = dict(labels.value_counts().iter_rows())
    classes = sort_naturally(counted)
    count = LabelCount(
        rows=len(column), labelled=len(labels), classes=tuple(counted[label] for label in classes)
    )
    return Task(name=column.name, kind=kind, classes=classes), count


def sort_naturally(labels: Iterable[str]) -> tuple[str, ...]:
    """Class labels in the order a person would write them.

    >>> sort_naturally(["10", "9", "-1"]), sort_naturally(["step 10", "step 9"])
    (('-1', '9', '10'), ('step 9', 'step 10'))
    """
    labels = sorted(labels)
    try:
        return tuple(sorted(labels, key=float))
    except ValueError:
        return tuple(sorted(labels, key=_natural))


def _natural(label: str) -> list[tuple[int, int | str]]:
    parts = re.split(r"([0-9]+)", label)
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts if part]


def _check_labels(column: pl.Series, present: pl.Series) -> None:
    name = column.name
    if present.is_empty():
        raise InputError(f"target {name!r} has no labels at all: leave it out of the targets")
    if present.dtype.is_temporal():
        raise InputError(
            f"target {name!r} holds dates: turn it into a number, such as days, or leave it out"
        )
    check_finite(present, "target")
    if present.n_unique() == 1:
        value = as_text(present)[0]
        raise InputError(
            f"target {name!r} is always {value!r} ({len(present):,} labels): there is nothing to "
            f"learn, leave it out of the targets"
        )


def _inferred(present: pl.Series) -> Kind:
    if present.n_unique() == 2:
        return Kind.BINARY
    if present.dtype == pl.String or _are_codes(present):
        return Kind.MULTICLASS
    return Kind.REGRESSION


def _are_codes(present: pl.Series) -> bool:
    codes = present.unique().sort()
    few = 3 <= len(codes) <= _MOST_CODES and len(present) >= _ROWS_PER_CODE * len(codes)
    return (
        few
        and codes[0] in (0, 1)
        and codes.to_list() == [codes[0] + step for step in range(len(codes))]
    )


def _checked(present: pl.Series, kind: str) -> Kind:
    name = present.name
    if kind not in list(Kind):
        raise InputError(f"kind {kind!r} of target {name!r} is unknown: use {', '.join(Kind)}")
    if kind == Kind.REGRESSION and present.dtype == pl.String:
        raise InputError(
            f"target {name!r} cannot be a regression: it holds text such as {present[0]!r}; "
            f"use binary or multiclass"
        )
    if kind == Kind.BINARY and present.n_unique() != 2:
        raise InputError(
            f"target {name!r} cannot be binary: it has {present.n_unique():,} distinct values; "
            f"use multiclass or regression"
        )
    return Kind(kind)
