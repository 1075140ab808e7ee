"""The data, the network and the engine that workers share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from benchmarks.common.networks import binary_tasks
from cotrain.data.dataset import Development, TaskData
from cotrain.engine.cohorts.workers import Cluster, Partition
from cotrain.engine.engine import Engine
from cotrain.engine.executors.calibrate import Calibration
from cotrain.engine.executors.fused import FusedMLPExecutor
from cotrain.engine.member import Member
from cotrain.engine.models.losses import starting_bias
from cotrain.engine.models.mlp import MLP
from cotrain.engine.models.multitask import Architecture
from cotrain.engine.recipe import Recipe
from cotrain.engine.training import Progress, start, train_cohort
from cotrain.folder import RunFolder

INPUTS, TASKS, ROWS, COHORT = 200, 12, 2000, 8
ROUNDS, TURN_SECONDS = 8, 2.0
RECIPE = Recipe(epochs=ROUNDS, patience=ROUNDS + 1)


def make_data(rows: int, seed: int) -> TaskData:
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(rows, INPUTS)).astype(np.float32)
    targets = inputs @ rng.normal(size=(INPUTS, TASKS)).astype(np.float32) > 0
    return TaskData(
        inputs=torch.from_numpy(inputs),
        targets=torch.from_numpy(targets.astype(np.float32)),
        mask=torch.ones(rows, TASKS, dtype=torch.bool),
        tasks=binary_tasks(f"t{t}" for t in range(TASKS)),
        columns=inputs.astype(np.float64),
        categorical=np.zeros(INPUTS, dtype=bool),
    )


DEVELOPMENT = Development(train=make_data(ROWS, 0), valid=make_data(ROWS // 2, 1))


def encoder() -> MLP:
    return MLP(INPUTS, widths=(256, 256))


ARCHITECTURE = Architecture(
    encoder=encoder,
    sample=DEVELOPMENT.train.inputs[:1],
    bias=starting_bias(DEVELOPMENT.train.tasks, DEVELOPMENT.train.targets, DEVELOPMENT.train.mask),
)


def members(count: int) -> list[Member]:
    return [
        Member(name=f"m{at}", weights=tuple(1.0 + 0.01 * at for _ in range(TASKS)), seed=at)
        for at in range(count)
    ]


def make_engine(
    folder: str, cluster: Cluster, partition: Partition, recipe: Recipe = RECIPE
) -> Engine:
    executor = FusedMLPExecutor(ARCHITECTURE.build(seed=0))
    return Engine(
        architecture=ARCHITECTURE,
        development=DEVELOPMENT,
        recipe=recipe,
        executor=executor,
        calibration=Calibration(chosen=executor.name, trials=()),
        folder=RunFolder(Path(folder)),
        checkpoint_seconds=1e9,
        cluster=cluster,
        partition=partition,
    )


def a_cohort() -> Progress:
    """Eight members after an epoch, as large as they come."""
    cohort = members(COHORT)
    progress = start(cohort, ARCHITECTURE, DEVELOPMENT)
    executor = FusedMLPExecutor(ARCHITECTURE.build(seed=0))
    return train_cohort(cohort, progress, executor, DEVELOPMENT, RECIPE, until=1)
