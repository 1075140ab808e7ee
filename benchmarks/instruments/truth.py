"""The exhaustive truth: every set of tasks trained from every seed."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.common.arrays import Array
from benchmarks.common.files import read_json, write_json
from benchmarks.common.folders import RESULTS
from benchmarks.common.networks import engine_on, member_at
from benchmarks.instruments.problems import CASES
from cotrain.engine.tuning import SETTINGS, member_scores
from cotrain.measure.gains.sets import every_set

SEEDS = 5


def train_all_sets(name: str, out: Path) -> None:
    """Train every set from every seed; keep its validation and its test scores in a folder."""
    development, test = CASES[name]()
    sets = every_set(len(development.tasks))
    with tempfile.TemporaryDirectory() as folder:
        engine = engine_on(development, folder)
        valid, tested, examples, began = [], [], 0, time.monotonic()
        for seed in range(SEEDS):
            members = [
                member_at(SETTINGS[0], tuple(map(float, row_set)), name=f"set {row}", seed=seed)
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
    write_json(out / f"exhaustive_{name}.json", truth, compact=True)


@dataclass(frozen=True, kw_only=True)
class Truth:
    """Gains over training alone of every task in every set, ``[2^T − 1, T]`` a seed."""

    tasks: tuple[str, ...]
    valid: Array  # [S, N, T]
    test: Array  # [S, N, T]
    examples_per_training: float

    @classmethod
    def read(cls, name: str, folder: Path = RESULTS) -> Truth:
        """What :func:`train_all_sets` kept."""
        content = read_json(folder / f"exhaustive_{name}.json")
        valid, test = (np.array(content[split], dtype=np.float64) for split in ("valid", "test"))
        singles = [2**t - 1 for t in range(len(content["tasks"]))]

        def gains(scores: Array) -> Array:
            return scores - scores[:, singles, range(len(singles))][:, None]

        return cls(
            tasks=tuple(content["tasks"]),
            valid=gains(valid),
            test=gains(test),
            examples_per_training=content["examples_per_training"],
        )
