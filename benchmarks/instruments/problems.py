"""The two data sets of which every set of tasks can be trained: Tox21's assays and ETTh1's channels."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import polars as pl
import torch

from benchmarks.common.arrays import Array, Inputs
from benchmarks.common.folders import DATA
from benchmarks.common.molecules import TOX21, fingerprints
from benchmarks.common.networks import binary_tasks
from cotrain.data.dataset import Development, TaskData
from cotrain.tasks import Kind, Task

ASSAYS = ("NR-AhR", "NR-Aromatase", "NR-ER", "SR-ARE", "SR-MMP", "SR-p53")
PAST, AHEAD, STRIDE = 48, 24, 3  # hours


def task_data(x: Array | Inputs, y: Array | Inputs, tasks: tuple[Task, ...]) -> TaskData:
    """Rows of the data set, where NaN is no label."""
    inputs = torch.from_numpy(x.astype(np.float32))
    return TaskData(
        inputs=inputs,
        targets=torch.from_numpy(np.nan_to_num(y).astype(np.float32)),
        mask=torch.from_numpy(np.isfinite(y)),
        tasks=tasks,
        columns=inputs.double().numpy(),
        categorical=np.zeros(x.shape[1], dtype=bool),
    )


def tox21() -> tuple[Development, TaskData]:
    """Training, validation and test rows of six assays, cut 80/10/10 at random."""
    file = fingerprints(TOX21)
    y = file.labels[:, [file.names.index(name) for name in ASSAYS]]
    labelled = np.isfinite(y).any(axis=1)
    bits, y = file.bits[labelled], y[labelled]
    order = np.random.default_rng(0).permutation(len(y))
    cuts = np.split(order, [int(0.8 * len(y)), int(0.9 * len(y))])
    train, valid, test = (task_data(bits[rows], y[rows], binary_tasks(ASSAYS)) for rows in cuts)
    return Development(train=train, valid=valid), test


def etth1() -> tuple[Development, TaskData]:
    """Windows in order of time; channels standardised on the training rows; no window crosses a cut."""
    with gzip.open(DATA / "ts_ett_hourly" / "ETTh1.csv.gz") as file:
        frame = pl.read_csv(file.read()).drop("date")
    values = frame.to_numpy().astype(np.float64)
    ends = [int(share * len(values)) for share in (0, 0.7, 0.8, 1)]
    start = values[: ends[1]]
    values = (values - start.mean(axis=0)) / start.std(axis=0)
    tasks = tuple(Task(name=name, kind=Kind.REGRESSION) for name in frame.columns)
    parts = []
    for first, last in pairwise(ends):
        at = np.arange(first + PAST, last - AHEAD, STRIDE)
        windows = np.lib.stride_tricks.sliding_window_view(values, PAST, axis=0)[at - PAST]
        parts.append(task_data(windows.reshape(len(at), -1), values[at + AHEAD - 1], tasks))
    return Development(train=parts[0], valid=parts[1]), parts[2]


CASES: dict[str, Callable[[], tuple[Development, TaskData]]] = {"tox21": tox21, "etth1": etth1}
TITLES = {"tox21": "Tox21, six assays", "etth1": "ETTh1, seven channels"}
