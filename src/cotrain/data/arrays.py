"""From arrays or a torch ``Dataset`` to the three splits."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor
from torch.utils.data import Dataset

from cotrain.data.build import assign_rows, cut, labelled_rows, standardised
from cotrain.data.columns.infer import kinds_by_name
from cotrain.data.columns.kinds import infer_task
from cotrain.data.dataset import Splits, TaskData
from cotrain.data.readers.delimited import check_names
from cotrain.data.splits.split import RandomSplit, Split
from cotrain.data.targets import encode_targets, encode_values
from cotrain.data.tidy import tidy
from cotrain.errors import InputError
from cotrain.tasks import Task

_NO_KINDS: Mapping[str, str] = MappingProxyType({})
_RANDOM = RandomSplit()

Array = Any
"""A numpy array, a tensor, or nested lists of numbers."""


def from_arrays(
    inputs: Array,
    targets: Array,
    *,
    names: Sequence[str] | None = None,
    kinds: Mapping[str, str] = _NO_KINDS,
    split: Split = _RANDOM,
    seed: int = 0,
    test: bool = True,
) -> Splits:
    """Cut arrays in three.

    Args:
        inputs: ``[N, ...]`` numbers of any shape, finite. They reach the network as they are: scale
            them first.
        targets: ``[N, T]`` class codes or values; NaN where there is no label.
        names: Names of the T tasks; ``task_0``, ``task_1``, … by default.
        kinds: Kind of a task, by name or pattern, where the inferred one is wrong; see
            :func:`~cotrain.data.columns.kinds.infer_task`.
        split: How rows are assigned; it has no columns to read.
        seed: Seed of the split.
        test: Keep test rows; see :func:`~cotrain.data.build.from_table`.

    >>> generator = np.random.default_rng(0)
    >>> x = generator.normal(size=(200, 3, 8, 8))
    >>> splits = from_arrays(x, np.stack([x.sum((1, 2, 3)) > 0, x.mean((1, 2, 3))], axis=1))
    >>> [(task.name, str(task.kind)) for task in splits.tasks]
    [('task_0', 'binary'), ('task_1', 'regression')]
    """
    tensor = as_floats(inputs)
    if tensor.ndim < 2:
        raise InputError(f"inputs have shape {tuple(tensor.shape)} where [rows, ...] is expected")
    labels = _label_frame(torch.as_tensor(targets, dtype=torch.float64), names, len(tensor))
    labels = tidy(labels)
    return assemble(tensor, labels, _inferred(labels, kinds), split, seed, test=test)


def from_dataset(
    dataset: Dataset[tuple[Tensor, Mapping[str, float]]],
    *,
    kinds: Mapping[str, str] = _NO_KINDS,
    split: Split = _RANDOM,
    seed: int = 0,
) -> Splits:
    """Cut a dataset of ``(x, {task: y})`` in three; a task that an item does not name has no label.

    Args:
        dataset: A map-style dataset, with a length. Tasks are ordered by name.
        kinds: As for :func:`from_arrays`.
        split: As for :func:`from_arrays`.
        seed: Seed of the split.

    >>> class Signs(Dataset):
    ...     def __len__(self): return 100
    ...     def __getitem__(self, row):
    ...         x = torch.sin(torch.arange(row, row + 4.0))
    ...         return x, {"up": float(x[1] > x[0])} if row % 2 else {"sum": float(x.sum())}
    >>> splits = from_dataset(Signs())
    >>> splits.tasks[1].name, int(splits.development.train.mask.sum())
    ('up', 80)
    """
    items = [dataset[row] for row in range(len(dataset))]  # type: ignore[arg-type]
    names = sorted({name for _, labels in items for name in labels})
    if not names:
        raise InputError("no item of the dataset has a label: yield (x, {task: y})")
    columns = {
        name: [None if name not in y else float(y[name]) for _, y in items] for name in names
    }
    inputs = torch.stack([torch.as_tensor(x, dtype=torch.float32) for x, _ in items])
    labels = tidy(pl.DataFrame(columns, schema=dict.fromkeys(names, pl.Float64)))
    return assemble(inputs, labels, _inferred(labels, kinds), split, seed)


def as_floats(values: Array) -> Tensor:
    """A float32 tensor; a numpy array is copied, because it may be read-only."""
    if isinstance(values, Tensor):
        return values.to(torch.float32)
    return torch.from_numpy(np.array(values, dtype=np.float32))


def _label_frame(targets: Tensor, names: Sequence[str] | None, rows: int) -> pl.DataFrame:
    if targets.ndim != 2 or len(targets) != rows or targets.shape[1] == 0:
        raise InputError(
            f"targets have shape {tuple(targets.shape)} where [rows, tasks] = ({rows}, T) is "
            f"expected: give one row of labels for each row of inputs"
        )
    names = names or [f"task_{number}" for number in range(targets.shape[1])]
    check_names(names, "the list of task names")
    if len(names) != targets.shape[1]:
        raise InputError(
            f"{len(names)} task names for {targets.shape[1]} columns of targets: give one name each"
        )
    return pl.DataFrame(targets.cpu().numpy(), schema=list(names))


def _inferred(labels: pl.DataFrame, kinds: Mapping[str, str]) -> tuple[Task, ...]:
    kind_of = kinds_by_name(kinds, labels.columns)
    return tuple(infer_task(column, kind_of.get(column.name))[0] for column in labels)


def assemble(
    inputs: Tensor,
    labels: pl.DataFrame,
    tasks: tuple[Task, ...],
    split: Split,
    seed: int,
    *,
    test: bool = True,
) -> Splits:
    """Cut inputs ``[N, ...]`` and a tidy table of labels, one column a task, in three."""
    labelled = labelled_rows(encode_values(labels, tasks))
    inputs, labels = inputs[torch.from_numpy(labelled)], labels.filter(pl.Series(labelled))
    values = encode_values(labels, tasks)
    assignment = assign_rows(labels, values, tasks, split, seed, test=test)
    tasks = standardised(tasks, values[assignment == 0])
    targets, mask = encode_targets(labels, tasks)
    columns = inputs.flatten(start_dim=1).numpy().astype(np.float64)
    data = TaskData(
        inputs=inputs,
        targets=targets,
        mask=mask,
        tasks=tasks,
        columns=columns,
        categorical=np.zeros(columns.shape[1], dtype=bool),
    )
    return cut(data, assignment, labelled, split.units(labels), split.times(labels))
