"""From a table to the three splits, ready to train on."""

import hashlib
from dataclasses import replace

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from cotrain.data.check import check_split
from cotrain.data.dataset import Development, SealedTest, Splits, TaskData
from cotrain.data.features.expand import count_unreadable
from cotrain.data.features.prepare import Preparation
from cotrain.data.sampling import sampled_by_domain
from cotrain.data.schema import Schema
from cotrain.data.splits.split import Split, StratifiedSplit
from cotrain.data.splits.stratify import label_strata
from cotrain.data.targets import encode_targets, encode_values
from cotrain.tasks import Kind, Task


def from_table(
    frame: pl.DataFrame,
    schema: Schema,
    split: Split,
    seed: int,
    *,
    test: bool = True,
    like: Preparation | None = None,
) -> Splits:
    """Cut a table in three, fit the preparation on the training rows, and apply it to all rows.

    Rows without any label are dropped. Means and scales of regression tasks come from the training
    rows.

    Args:
        frame: The table.
        schema: What its columns are.
        split: How rows are assigned.
        seed: Of the split.
        test: Keep test rows. Sources of a transfer need none: without, they are training rows, and a task
            need not show two classes in every split.
        like: Networks read what this preparation, of another table, makes of the columns.

    >>> from cotrain.data import RandomSplit, digits_table, infer_schema
    >>> table = digits_table()
    >>> schema = infer_schema(table, targets=["is_*", "even"])
    >>> splits = from_table(table, schema, RandomSplit(), seed=0)
    >>> len(splits.development.train), len(splits.development.valid), splits.test
    (1437, 179, SealedTest(rows=181))
    """
    labelled = labelled_rows(encode_values(frame, schema.tasks))
    frame = frame.filter(pl.Series(labelled))
    values = encode_values(frame, schema.tasks)
    assignment = assign_rows(frame, values, schema.tasks, split, seed, test=test)
    train = assignment == 0
    schema = replace(schema, tasks=standardised(schema.tasks, values[train]))
    preparation = Preparation.fit(frame, schema, np.flatnonzero(train))
    preparation = preparation if like is None else preparation.reading_like(like)
    targets, mask = encode_targets(frame, schema.tasks)
    data = TaskData(
        inputs=torch.from_numpy(preparation.network_inputs(frame)),
        targets=targets,
        mask=mask,
        tasks=schema.tasks,
        columns=preparation.tree_columns(frame),
        categorical=preparation.categorical,
    )
    splits = cut(data, assignment, labelled, split.units(frame), split.times(frame))
    notes = (*splits.notes, *_input_notes(frame, preparation))
    splits = replace(splits, notes=notes, preparation=preparation)
    return sampled_by_domain(splits) if schema.domains else splits


def labelled_rows(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which rows of ``values [N, T]`` carry at least one label."""
    return np.asarray((~np.isnan(values)).any(axis=1))


def assign_rows(
    frame: pl.DataFrame,
    values: NDArray[np.float64],
    tasks: tuple[Task, ...],
    split: Split,
    seed: int,
    *,
    test: bool = True,
) -> NDArray[np.int8]:
    """The split of each row, checked; without ``test`` its rows join the training rows, unchecked."""
    assignment = split.assign(frame, label_strata(values, tasks), seed)
    if not test:
        return np.where(assignment == 2, 0, assignment).astype(np.int8)
    check_split(assignment, values, tasks, stratified=isinstance(split, StratifiedSplit))
    return assignment


def standardised(tasks: tuple[Task, ...], values: NDArray[np.float64]) -> tuple[Task, ...]:
    """The tasks, with mean and standard deviation of the regression labels in ``values [N, T]``.

    Tasks of the same head have them in common.
    """
    found = []
    for t, task in enumerate(tasks):
        if task.kind is Kind.REGRESSION:
            alike = [
                k
                for k, other in enumerate(tasks)
                if k == t or (task.head and other.head == task.head)
            ]
            own = values[:, alike]
            task = replace(task, mean=float(np.nanmean(own)), scale=float(np.nanstd(own)))
        found.append(task)
    return tuple(found)


def cut(
    data: TaskData,
    assignment: NDArray[np.int8],
    labelled: NDArray[np.bool_],
    units: NDArray[np.int64] | None = None,
    times: NDArray[np.float64] | None = None,
) -> Splits:
    """The three splits of the data, the last one sealed.

    Args:
        data: N rows.
        assignment: ``[N]`` 0 train, 1 validation, 2 test.
        labelled: Which rows of the user's table are in the data.
        units: ``[N]`` what folds must keep together.
        times: ``[N]`` what folds must keep in order.
    """
    train, valid, test = (data.rows(np.flatnonzero(assignment == code)) for code in range(3))
    developing = np.concatenate([np.flatnonzero(assignment == code) for code in range(2)])
    return Splits(
        development=Development(
            train=train,
            valid=valid,
            train_rows=np.flatnonzero(labelled)[assignment == 0].astype(np.int64),
            units=None if units is None else units[developing],
            times=None if times is None else times[developing],
        ),
        test=SealedTest(test),
        digest=digest(data, assignment),
        notes=_drop_notes(labelled),
        unlabelled=int((~labelled).sum()),
    )


def digest(data: TaskData, assignment: NDArray[np.int8]) -> str:
    """SHA-256 over everything that training and measuring read, except the names."""
    parts = (data.inputs.numpy(), data.columns, data.targets.numpy(), data.mask.numpy(), assignment)
    total = hashlib.sha256()
    for part in parts:
        total.update(f"{part.dtype}{part.shape}".encode())
        total.update(np.ascontiguousarray(part).tobytes())
    return total.hexdigest()


def _drop_notes(labelled: NDArray[np.bool_]) -> tuple[str, ...]:
    """A note if rows without any label were dropped."""
    dropped = int((~labelled).sum())
    return (f"{dropped:,} of {len(labelled):,} rows dropped: they have no label",) * (dropped > 0)


def _input_notes(frame: pl.DataFrame, preparation: Preparation) -> tuple[str, ...]:
    notes = []
    unreadable = count_unreadable(frame, preparation.schema.inputs)
    if unreadable:
        notes.append(
            f"SMILES that are missing or no molecule: {unreadable:,}; their fingerprints are empty"
        )
    unused = preparation.unused
    if unused:
        shown = ", ".join(unused[:5]) + (f" and {len(unused) - 5:,} more" if unused[5:] else "")
        notes.append(f"input columns left out, constant on the training rows: {shown}")
    unread = preparation.unread
    if unread:
        shown = ", ".join(unread[:5]) + (f" and {len(unread) - 5:,} more" if unread[5:] else "")
        notes.append(f"input columns that the encoder does not read, only trees do: {shown}")
    return tuple(notes)
