"""Seconds and memory of all 617 heads beside those of one."""

from __future__ import annotations

import resource
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common.molecules import TOXCAST
from benchmarks.common.networks import engine_on, member_at
from benchmarks.transfer.problem import table
from cotrain.data.dataset import Development, TaskData
from cotrain.engine.training import start, train_cohort
from cotrain.engine.tuning import SETTINGS
from cotrain.transfer import Pretraining

TIMED_ROUNDS = 5


def price(folder: Path, rounds: int = TIMED_ROUNDS) -> dict[str, Any]:
    """Seconds an epoch of all 617 heads and of one, measured in turns; both read the same rows."""
    toxcast = table(TOXCAST)
    rows = np.ones(len(toxcast.scaffolds), dtype=bool)
    many = toxcast.cut(rows, range(len(toxcast.molecules.names))).development
    widest = int(many.train.mask.sum(dim=0).argmax())
    one = Development(train=only(many.train, widest), valid=only(many.valid, widest))
    times: dict[str, list[float]] = {"617 heads": [], "1 head": []}
    runs = {}
    for name, development in zip(times, (many, one), strict=True):
        recipe = Pretraining().recipe(len(development.train))
        engine = engine_on(development, folder / name, recipe=recipe)
        member = member_at(SETTINGS[0], (1.0,) * len(development.tasks), name="all")
        runs[name] = (engine, [member], start([member], engine.architecture, development))
    for epoch in range(rounds + 1):
        for name, (engine, members, progress) in runs.items():
            began = time.monotonic()
            train_cohort(
                members,
                progress,
                engine.executor,
                engine.development,
                replace(engine.recipe, patience=99),
                until=epoch + 1,
            )
            if epoch:  # the first warms up
                times[name].append(time.monotonic() - began)
    return {
        "rows": len(many.train),
        "threads": torch.get_num_threads(),
        "seconds an epoch": {name: statistics.median(own) for name, own in times.items()},
        "engines": {name: engine.executor.name for name, (engine, _, _) in runs.items()},
        "times": times,
    }


def only(data: TaskData, task: int) -> TaskData:
    """One task of the table, with all rows."""
    return replace(
        data, targets=data.targets[:, [task]], mask=data.mask[:, [task]], tasks=(data.tasks[task],)
    )


def peak() -> float:
    """Gigabytes of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
