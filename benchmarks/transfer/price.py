"""Seconds and memory of all 617 heads beside those of one."""

from __future__ import annotations

import resource
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.transfer.problem import cut, table
from cotrain.data.dataset import Development
from cotrain.engine.member import Member
from cotrain.engine.training import start, train_cohort
from cotrain.folder import RunFolder
from cotrain.run.settings import Settings
from cotrain.run.stages import build_engine
from cotrain.transfer import Pretraining

TIMED_ROUNDS = 5


def price(folder: Path) -> dict[str, Any]:
    """Seconds an epoch of all 617 heads and of one, measured in turns; both read the same rows."""
    x, y, names, _ = table("mol_toxcast617", "toxcast_data.csv.gz")
    many = cut(x, y, names, range(len(names))).development
    widest = int(many.train.mask.sum(dim=0).argmax())
    one = Development(train=only(many.train, widest), valid=only(many.valid, widest))
    times: dict[str, list[float]] = {"617 heads": [], "1 head": []}
    runs = {}
    for name, development in zip(times, (many, one), strict=True):
        recipe = Pretraining().recipe(len(development.train))
        engine = build_engine(
            RunFolder(folder / name), development, None, Settings(), recipe, lambda _: None
        )
        member = Member(
            name="all", weights=(1.0,) * len(development.tasks), learning_rate=3e-3, dropout=0.3
        )
        runs[name] = (engine, [member], start([member], engine.architecture, development))
    for epoch in range(TIMED_ROUNDS + 1):
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


def only(data: Any, task: int) -> Any:
    """One task of the table, with all rows."""
    return replace(
        data, targets=data.targets[:, [task]], mask=data.mask[:, [task]], tasks=(data.tasks[task],)
    )


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
