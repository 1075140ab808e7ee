"""Judges every instrument on real data by the exhaustive truth: who predicts which tasks help each other?

Truth: every set of tasks trained (2^T − 1 sets, 5 seeds); the true gain of a task in a set is its mean
test score there minus its mean test score alone. Instruments see training and validation rows only. For each one:
rank correlation between what it predicts for a task in a set and the true gain, over all sets of two or
more; the true mean gain of the plan it leads to (at most k groups, each task served by the group the
instrument scores best); its share of the oracle's; its cost in trainings of one network from one seed.

    python benchmarks/instruments.py       # writes benchmarks/results/instruments.{json,md}

Tox21: six assays (NR-AhR, NR-Aromatase, NR-ER, SR-ARE, SR-MMP, SR-p53), 1024-bit fingerprints. ETTh1: the
seven channels a day ahead from the last two days, rows in order of time (70 / 10 / 20 %).
"""

from __future__ import annotations

import gzip
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from cotrain.artifacts import RunFolder
from cotrain.budget import recipe_for
from cotrain.contenders import SETTINGS, member_scores
from cotrain.data.taskdata import Development, TaskData
from cotrain.measure.confidence import judge  # noqa: F401
from cotrain.measure.exhaustive import all_sets
from cotrain.population.engine import Engine
from cotrain.population.member import Member
from cotrain.settings import Settings
from cotrain.stages import build_engine
from cotrain.tasks import Kind, Task

DATA = Path(__file__).parents[2] / "shared" / "data"
RESULTS = Path(__file__).parent / "results"
SEEDS = 5
ASSAYS = ("NR-AhR", "NR-Aromatase", "NR-ER", "SR-ARE", "SR-MMP", "SR-p53")
PAST, AHEAD = 48, 24  # hours
Array = NDArray[np.float64]


def task_data(x: Array, y: Array, tasks: tuple[Task, ...]) -> TaskData:
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
    file = np.load(DATA / "mol_tox21" / "ecfp4_1024.npz")
    bits = np.unpackbits(file["fp_packed"], axis=1)[:, :1024].astype(np.float64)
    names = [str(name) for name in file["tasks"]]
    y = np.where(file["y"] < 0, np.nan, file["y"])[:, [names.index(name) for name in ASSAYS]]
    tasks = tuple(Task(name=name, kind=Kind.BINARY, classes=("0", "1")) for name in ASSAYS)
    labelled = np.isfinite(y).any(axis=1)
    bits, y = bits[labelled], y[labelled]
    order = np.random.default_rng(0).permutation(len(y))
    cuts = np.split(order, [int(0.8 * len(y)), int(0.9 * len(y))])
    train, valid, test = (task_data(bits[rows], y[rows], tasks) for rows in cuts)
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
        at = np.arange(first + PAST, last - AHEAD)
        windows = np.lib.stride_tricks.sliding_window_view(values, PAST, axis=0)[at - PAST]
        parts.append(task_data(windows.reshape(len(at), -1), values[at + AHEAD - 1], tasks))
    return Development(train=parts[0], valid=parts[1]), parts[2]


def make_engine(development: Development, folder: str) -> Engine:
    recipe = recipe_for(len(development.train), seed=0)
    return build_engine(
        RunFolder(Path(folder)), development, None, Settings(), recipe, lambda _: None
    )


def train_all_sets(name: str) -> None:
    """Train every set from every seed; keep its validation and its test scores."""
    development, test = CASES[name]()
    sets = all_sets(len(development.tasks))
    with tempfile.TemporaryDirectory() as folder:
        engine = make_engine(development, folder)
        valid, tested, examples, began = [], [], 0, time.monotonic()
        for seed in range(SEEDS):
            members = [
                Member(
                    name=f"set {row}",
                    weights=tuple(map(float, row_set)),
                    seed=seed,
                    learning_rate=SETTINGS[0].learning_rate,
                    dropout=SETTINGS[0].dropout,
                )
                for row, row_set in enumerate(sets)
            ]
            trained = engine.train(f"seed-{seed}", members)
            outputs = engine.predict(trained, test.inputs)
            valid.append(member_scores(trained, development.valid))
            tested.append(member_scores(replace(trained, outputs=outputs), test))
            examples += engine.examples(trained)
            engine.forget(f"seed-{seed}", members)
            print(f"{name}: seed {seed}, {time.monotonic() - began:.0f} s", flush=True)
    truth = {
        "tasks": [task.name for task in development.tasks],
        "examples_per_training": examples / (SEEDS * len(sets)),
        "valid": np.round(valid, 5).tolist(),
        "test": np.round(tested, 5).tolist(),
    }
    text = json.dumps(truth, separators=(",", ":")).replace("NaN", "null")
    (RESULTS / f"exhaustive_{name}.json").write_text(text + "\n")


CASES: dict[str, Callable[[], tuple[Development, TaskData]]] = {"tox21": tox21, "etth1": etth1}


if __name__ == "__main__":
    for case in CASES:
        if not (RESULTS / f"exhaustive_{case}.json").exists():
            train_all_sets(case)
