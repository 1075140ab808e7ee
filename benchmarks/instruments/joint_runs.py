"""What instruments find that look on at one joint run of every seed."""

from __future__ import annotations

import json
import tempfile
from typing import Any, NamedTuple

import numpy as np

from benchmarks.common.arrays import Array
from benchmarks.common.folders import RESULTS
from benchmarks.instruments.problems import CASES
from benchmarks.instruments.truth import SEEDS, Truth, make_engine
from cotrain.engine.member import Member, indicator
from cotrain.engine.tuning import SETTINGS
from cotrain.measure.datamaps.recorder import DataMaps
from cotrain.measure.gradients.instrument import Gradients
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
    joint = Member(
        name="joint",
        weights=indicator(set(range(len(tasks))), len(tasks)),
        seed=seed,
        learning_rate=SETTINGS[0].learning_rate,
        dropout=SETTINGS[0].dropout,
    )
    with tempfile.TemporaryDirectory() as folder:
        examples, _ = measure_joint_run(make_engine(development, folder), joint, watchers)
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


def joint_runs() -> dict[str, list[JointRun]]:
    """What was found in one joint run of every seed; they are done where the file is missing."""
    path = RESULTS / "joint_runs.json"
    if not path.exists():
        found = {
            name: [look_on(name, Truth.read(name), seed) for seed in range(SEEDS)] for name in CASES
        }
        text = json.dumps(found, default=_rounded, separators=(",", ":")).replace("NaN", "null")
        path.write_text(text + "\n")
    return {
        name: [
            JointRun(
                {key: np.array(one, dtype=np.float64) for key, one in matrices.items()},
                np.array(distances, dtype=np.float64),
                *rest,
            )
            for matrices, distances, *rest in runs
        ]
        for name, runs in json.loads(path.read_text()).items()
    }


def _rounded(array: Array) -> list[Any]:
    return [[float(f"{value:.6g}") for value in row] for row in array]
