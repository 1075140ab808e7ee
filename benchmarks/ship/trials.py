"""One run of `cotrain.plan` for a table and a split, and what is kept of it."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.files import read_json, write_json
from cotrain import Settings, plan
from cotrain.data import Splits
from cotrain.data.dataset import FinishedDecision, TaskData
from cotrain.results import Result
from cotrain.tasks import Task


@dataclass(frozen=True, kw_only=True)
class Export(FinishedDecision):
    """The run has shipped: its rows, the test rows included, may go to rivals."""

    @property
    def decided(self) -> str:
        """What was decided."""
        return "what ships"


def trial(
    table: str,
    seed: int,
    cut: Callable[[int], Splits],
    settings: Settings,
    folder: Path,
    rivals: Path | None,
) -> dict[str, Any]:
    """What is stored of a pair, else run and stored at once: a benchmark that was killed goes on.

    Args:
        table: Its name.
        seed: Of the split.
        cut: Cuts the table in three.
        settings: Of the run.
        folder: Of the stored pairs.
        rivals: Where the same rows are written for ``rivals.py``, if anywhere.
    """
    path = folder / f"{table}-{seed}.json"
    if not path.exists():
        splits = cut(seed)
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as run_folder:
            result, _ = plan(splits, out=run_folder, settings=settings, title=table)
        found = summary(result) | {"seconds": time.monotonic() - began}
        unfinished = path.with_suffix(".part")
        write_json(unfinished, {"table": table, "seed": seed} | found)
        unfinished.replace(path)
    if rivals is not None and not (copy := rivals / f"{table}-{seed}.npz").exists():
        export(cut(seed), copy)
    stored: dict[str, Any] = read_json(path)
    return stored


def summary(result: Result) -> dict[str, Any]:
    """What is kept of a result."""
    runs = [line.joint_runs for line in result.costs]
    return {
        "rows": result.rows,
        "settings": result.settings,
        "joint_runs": sum(run for run in runs if math.isfinite(run)),
        "trainings": sum(line.trainings for line in result.costs),
        "tasks": [
            {
                "name": task.name,
                "metric": task.metric,
                "shipped": task.shipped,
                "test": task.test,
                "valid": task.valid,
                "weights": task.weights,
            }
            for task in result.tasks
        ],
    }


def export(splits: Splits, path: Path) -> None:
    """The rows as trees read them, for rivals: ``x``, ``y`` in the user's units, and where to test.

    A rival gets all rows that the run may learn from in one piece (``train`` and ``valid``), because how
    to hold some back is for each to say.
    """
    development = splits.development
    test = splits.test.open_for(Export(tasks=splits.tasks))
    parts = (development.train, development.valid, test)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        x=np.concatenate([part.columns for part in parts]),
        y=np.concatenate([_labels(part, splits.tasks) for part in parts]),
        test=np.repeat([False, False, True], [len(part) for part in parts]),
        categorical=development.train.categorical,
        names=np.array([task.name for task in splits.tasks]),
        kinds=np.array([str(task.kind) for task in splits.tasks]),
    )


def _labels(part: TaskData, tasks: tuple[Task, ...]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """``[N, T]`` in the user's units, NaN where there is none."""
    labels = np.full(part.targets.shape, np.nan)
    for t, task in enumerate(tasks):
        rows, own = part.labels(t)
        labels[rows, t] = task.mean + task.scale * own
    return labels
