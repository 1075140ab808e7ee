"""What instruments find that look on at one joint run of every seed."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.common.arrays import Array
from benchmarks.common.files import read_json, write_json
from benchmarks.common.folders import RESULTS
from benchmarks.common.networks import engine_on, member_at
from benchmarks.instruments.problems import CASES
from benchmarks.instruments.truth import SEEDS, Truth
from cotrain.engine.tuning import SETTINGS
from cotrain.measure.datamaps.recorder import DataMaps
from cotrain.measure.gradients.comparison import Gradients
from cotrain.measure.joint_run import Watchers, measure_joint_run
from cotrain.measure.transference.lookahead import Lookahead


class JointRun(NamedTuple):
    """What looking on at one joint run found: a ``[T, T]`` matrix an instrument (row = recipient)."""

    matrices: dict[str, Array]
    distances: Array  # of data maps
    trainings: float
    reliability: float  # of the lookahead


def look_on(name: str, truth: Truth, seed: int) -> JointRun:
    """Everything that looks on at one joint run."""
    development, _ = CASES[name]()
    tasks = truth.tasks
    gradients, maps = Gradients(tasks=tasks), DataMaps(tasks, rows=len(development.train))
    watchers = Watchers(lookahead=Lookahead(tasks=tasks), gradients=gradients, maps=maps)
    joint = member_at(SETTINGS[0], (1.0,) * len(tasks), name="joint", seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        examples, _ = measure_joint_run(engine_on(development, folder), joint, watchers)
    affinity, distances = watchers.lookahead.affinity(), maps.result().distances()
    off = ~np.eye(len(tasks), dtype=bool)
    return JointRun(
        matrices={
            "lookahead": affinity.mean,
            "first order": affinity.first_order,
            "gradient cosine": gradients.similarity().cosine,
            "data map (closer than average)": distances[off].mean() - distances,
        },
        distances=distances,
        trainings=examples / truth.examples_per_training,
        reliability=affinity.reliability,
    )


def joint_runs(folder: Path = RESULTS) -> dict[str, list[JointRun]]:
    """What was found in one joint run of every seed; they are done where the file is missing."""
    path = folder / "joint_runs.json"
    if not path.exists():
        found = {
            name: [_plain(look_on(name, Truth.read(name, folder), seed)) for seed in range(SEEDS)]
            for name in CASES
        }
        write_json(path, found, compact=True)
    return {
        name: [
            JointRun(
                {key: np.array(one, dtype=np.float64) for key, one in matrices.items()},
                np.array(distances, dtype=np.float64),
                *rest,
            )
            for matrices, distances, *rest in runs
        ]
        for name, runs in read_json(path).items()
    }


def _plain(run: JointRun) -> list[Any]:
    """As JSON takes it, numbers to six digits."""
    matrices = {name: _rounded(own) for name, own in run.matrices.items()}
    return [matrices, _rounded(run.distances), run.trainings, run.reliability]


def _rounded(array: Array) -> list[list[float]]:
    return [[float(f"{value:.6g}") for value in row] for row in array]
