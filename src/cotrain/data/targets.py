"""Label columns become numbers: class codes, or standardised values."""

from collections.abc import Sequence

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from cotrain.data.tidy import as_text, check_finite, tidy
from cotrain.errors import InputError, nearest
from cotrain.tasks import Kind, Task


def encode_targets(frame: pl.DataFrame, tasks: Sequence[Task]) -> tuple[Tensor, Tensor]:
    """Targets ``[N, T]`` float32 and label mask ``[N, T]`` bool of a table.

    A class becomes its code. A value of a regression becomes ``(value - mean) / scale`` with the
    task's mean and scale, which are 0 and 1 until the training split has set them.

    >>> tasks = [Task(name="t", kind=Kind.BINARY, classes=("no", "yes"))]
    >>> targets, mask = encode_targets(pl.DataFrame({"t": ["yes", None, "no"]}), tasks)
    >>> targets.tolist(), mask.tolist()
    ([[1.0], [0.0], [0.0]], [[True], [False], [True]])
    """
    values = encode_values(frame, tasks)
    mask = torch.from_numpy(~np.isnan(values))
    shift, scale = (np.array([getattr(task, key) for task in tasks]) for key in ("mean", "scale"))
    standard = np.nan_to_num((values - shift) / scale)
    return torch.from_numpy(standard.astype(np.float32)), mask


def encode_values(frame: pl.DataFrame, tasks: Sequence[Task]) -> NDArray[np.float64]:
    """Class codes and values in the user's units ``[N, T]``; NaN where there is no label."""
    for task in tasks:
        if task.name not in frame.columns:
            raise InputError(
                f"target {task.name!r} is not a column: {nearest(task.name, frame.columns)}"
            )
    labels = tidy(frame.select(task.name for task in tasks))
    columns = [_values(labels[task.name], task) for task in tasks]
    return np.column_stack(columns)


def _values(column: pl.Series, task: Task) -> NDArray[np.float64]:
    if task.kind is Kind.REGRESSION:
        numbers = _numbers(column)
    else:
        codes = {label: float(code) for code, label in enumerate(task.classes)}
        text = as_text(column)
        numbers = text.replace_strict(codes, default=None, return_dtype=pl.Float64)
        _check_known(text, numbers, task)
    return numbers.fill_null(float("nan")).to_numpy()


def _numbers(column: pl.Series) -> pl.Series:
    check_finite(column, "target")
    if column.dtype.is_numeric() or column.null_count() == len(column):
        return column.cast(pl.Float64)
    raise InputError(
        f"target {column.name!r} holds {column.drop_nulls()[0]!r} where a number is expected: "
        f"correct these cells or leave them empty"
    )


def _check_known(text: pl.Series, codes: pl.Series, task: Task) -> None:
    unknown = text.filter(codes.is_null() & text.is_not_null())
    if not unknown.is_empty():
        raise InputError(
            f"target {task.name!r} holds the class {unknown[0]!r} that training did not see: "
            f"{nearest(unknown[0], task.classes)}"
        )
