"""Several data sets of one width: every domain is a task, and weights are sampling rates.

Each row belongs to one domain. A member's weights say how often its batches draw from each, and the loss
is the plain mean over the rows drawn (multi-domain training: Royer et al. 2023, arXiv 2310.08910). Uniform
weights therefore mean each domain equally often, however many rows it has.

An epoch is as many draws as there are rows of all domains, whatever the weights: all members of a run take
the same steps, and one that trains a small domain alone passes over its rows many times between two looks
at the validation rows, so its best epoch is found more coarsely.
Letters: N rows, T domains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl
import torch

from cotrain.data.arrays import as_floats, assemble
from cotrain.data.columns.infer import infer_schema
from cotrain.data.columns.kinds import infer_task, sort_naturally
from cotrain.data.dataset import Splits
from cotrain.data.sampling import sampled_by_domain
from cotrain.data.schema import LabelCount, Schema
from cotrain.data.splits.split import Split, StratifiedSplit
from cotrain.data.tidy import as_text, tidy
from cotrain.errors import InputError, nearest
from cotrain.tasks import Task

HEAD = "labels"  # the head that domains of one label space share
_STRATIFIED = StratifiedSplit()
_NO_KINDS: Mapping[str, str] = MappingProxyType({})

Array = Any
"""A numpy array, a tensor, or nested lists of numbers."""


def from_domains(
    domains: Mapping[str, tuple[Array, Array]],
    *,
    one_label_space: bool = True,
    kinds: Mapping[str, str] = _NO_KINDS,
    split: Split = _STRATIFIED,
    seed: int = 0,
    test: bool = True,
) -> Splits:
    """Cut several domains in three, each in the same proportions.

    Args:
        domains: Name → inputs ``[n, ...]``, finite and of one shape of row, and labels ``[n]``: class codes
            or values, NaN where there is none.
        one_label_space: The domains have the same labels, and one head of the network for all; else each
            has labels and a head of its own.
        kinds: Kind of a domain's task where the inferred one is wrong, by name; with one label space any
            domain's speaks for all. Codes of three or more classes are taken for numbers where there are
            fewer than 20 labels a class: say ``multiclass``.
        split: How rows are assigned; it has no columns to read.
        seed: Seed of the split.
        test: Keep test rows; see :func:`~cotrain.data.build.from_table`.

    Raises:
        InputError: If a domain has no rows or labels, or another width.

    >>> draw = np.random.default_rng(0)
    >>> x, y = draw.normal(size=(60, 3)), np.arange(60) % 2
    >>> splits = from_domains({"photo": (x, y), "sketch": (x[:40] + 1, y[:40])})
    >>> [task.name for task in splits.tasks], splits.development.train.mask.sum(dim=0).tolist()
    (['photo', 'sketch'], [48, 32])
    """
    if not domains:
        raise InputError("there are no domains: give {name: (inputs, labels), ...}")
    parts = {name: _checked(name, *pair) for name, pair in domains.items()}
    shapes = {name: tuple(inputs.shape[1:]) for name, (inputs, _) in parts.items()}
    if len(set(shapes.values())) > 1:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise InputError(
            f"domains differ in the shape of a row ({listed}): bring them to one shape"
        )
    labels = pl.concat(
        [pl.DataFrame({name: values}) for name, (_, values) in parts.items()],
        how="diagonal_relaxed",
    ).select(*parts)
    labels = tidy(labels)
    tasks = domain_tasks(labels, one_label_space=one_label_space, kinds=kinds)
    inputs = torch.cat([inputs for inputs, _ in parts.values()])
    return sampled_by_domain(assemble(inputs, labels, tasks, split, seed, test=test))


def domain_tasks(
    labels: pl.DataFrame, *, one_label_space: bool, kinds: Mapping[str, str] = _NO_KINDS
) -> tuple[Task, ...]:
    """One task a column; with one label space all have its classes, and one head.

    Args:
        labels: A tidy column for each domain, null in the other domains' rows.
        one_label_space: See :func:`from_domains`; likewise below.
        kinds: By name.
    """
    unknown = set(kinds) - set(labels.columns)
    if unknown:
        raise InputError(f"kinds names {', '.join(sorted(unknown))}, which is no domain")
    if not one_label_space:
        return tuple(infer_task(column, kinds.get(column.name))[0] for column in labels)
    said = set(kinds.values())
    if len(said) > 1:
        raise InputError(f"one label space has one kind, found {', '.join(sorted(said))}")
    frames = [column.drop_nulls().to_frame("labels") for column in labels]
    together = pl.concat(frames, how="vertical_relaxed").to_series()
    task, _ = infer_task(together, next(iter(said), None))
    return tuple(replace(task, name=name, head=HEAD) for name in labels.columns)


def infer_domains(
    frame: pl.DataFrame,
    *,
    target: str,
    domain: str,
    kind: str | None = None,
    ignore: Sequence[str] = (),
    smiles: str | None = None,
    reserved: Sequence[str] = (),
) -> tuple[pl.DataFrame, Schema]:
    """A table whose rows come from several domains: one task a domain, with one head for all.

    Args:
        frame: The table.
        target: The column to predict.
        domain: The column that names each row's domain; rows without are left out.
        kind: Of the target, where the inferred one is wrong.
        ignore: Domains to leave out, and columns as for :func:`~cotrain.data.columns.infer.infer_schema`;
            likewise below.
        smiles: The input column that holds molecules.
        reserved: Columns of the split.

    Returns:
        The table with the target spread over one column a domain, and its schema.

    Raises:
        InputError: A name is not found, or a domain cannot be a task; the message says which and why.

    >>> table = pl.DataFrame({"x": [1, 2, 3, 4], "shop": ["a", "a", "b", "b"], "bad": [0, 1, 1, 0]})
    >>> spread, schema = infer_domains(table, target="bad", domain="shop")
    >>> spread["a"].to_list(), [task.name for task in schema.tasks]
    ([0, 1, None, None], ['a', 'b'])
    """
    for name in (target, domain):
        if name not in frame.columns:
            raise InputError(f"{name!r} is not a column: {nearest(name, frame.columns)}")
    if target == domain or domain in (*ignore, *reserved):
        raise InputError(f"the domain column {domain!r} has another role, too: name another column")
    frame = tidy(frame)
    values = as_text(frame[domain])
    every = sort_naturally(values.drop_nulls().unique().to_list())
    if 2 * len(every) > len(values):
        raise InputError(
            f"column {domain!r} has {len(every):,} values in {len(values):,} rows: it names no domains"
        )
    names = [name for name in every if name not in ignore]
    rest = frame.drop(target, domain)
    for name in names:
        if name in rest.columns:
            raise InputError(
                f"domain {name!r} of column {domain!r} is also the name of a column: rename one"
            )
    columns = [pl.when(values == name).then(frame[target]).alias(name) for name in names]
    frame = rest.with_columns(columns)
    kinds = {} if kind is None else dict.fromkeys(names, kind)
    schema = infer_schema(
        frame,
        targets=names,
        ignore=[name for name in ignore if name not in every],
        kinds=kinds,
        smiles=smiles,
        reserved=reserved,
    )
    tasks = domain_tasks(frame.select(names), one_label_space=True, kinds=kinds)
    counts = tuple(_in_classes(frame[name], tasks[0]) for name in names)
    return frame, replace(schema, tasks=tasks, counts=counts, domains=True)


def _in_classes(column: pl.Series, task: Task) -> LabelCount:
    """The label counts in the classes that all domains have."""
    labels = as_text(column.drop_nulls())
    counted = dict(labels.value_counts().iter_rows())
    return LabelCount(
        rows=len(column),
        labelled=len(labels),
        classes=tuple(counted.get(label, 0) for label in task.classes),
    )


def _checked(name: str, inputs: Array, labels: Array) -> tuple[torch.Tensor, pl.Series]:
    tensor = as_floats(inputs)
    values = pl.Series(name, np.asarray(labels).tolist(), strict=False)
    if tensor.ndim < 2 or not len(tensor):
        raise InputError(
            f"domain {name!r} has inputs of shape {tuple(tensor.shape)}: give [rows, ...], and rows"
        )
    if np.ndim(labels) != 1 or len(values) != len(tensor):
        raise InputError(
            f"domain {name!r} has {len(tensor):,} rows and labels of shape {np.shape(labels)}: give "
            "one label a row, NaN where there is none"
        )
    return tensor, values
