"""A short joint run of sources and target, for instruments to look at.

It is short on purpose: choosing sources must cost less than it saves. The rows are a sample of each task's
training rows; the target takes part like a source, and its test rows are never seen.
Letters: T tasks (the sources and, last, the target), N rows, B rows of a look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from cotrain.artifacts import RunFolder
from cotrain.contenders import SETTINGS
from cotrain.data.taskdata import Development, TaskData
from cotrain.measure.engine_point import EnginePoint
from cotrain.measure.point import Point
from cotrain.models.losses import TaskLosses
from cotrain.population.batches import take
from cotrain.population.engine import Engine
from cotrain.population.member import Member, Recipe
from cotrain.population.step import TrainingStep
from cotrain.population.training import Progress, start, train_cohort
from cotrain.settings import Settings
from cotrain.stages import build_engine

SETTING = SETTINGS[0]  # that of stage 1
BATCH = 64
ROUNDS = 4
FEWEST = 8  # rows of a task in the sample
OF_A_TASK = 24  # rows of each task in a look, where every task has its own
OF_ALL = 128  # rows in a look, where tasks share them


class Probe(Protocol):
    """An instrument, for instance :class:`~cotrain.measure.lookahead.Lookahead`."""

    def probe(self, point: Point) -> None:
        """Measure at one point of training."""
        ...


@dataclass(frozen=True, kw_only=True)
class ShortRun:
    """How short the run is.

    Args:
        passes: What it trains, in passes over all training rows; it sees a sample of them four times.
        widths: Hidden widths of the encoder.
        seed: Of the sample and of the run.
        low_precision: Let calibration choose bfloat16 products where they are faster and agree.
    """

    passes: float = 0.5
    widths: tuple[int, ...] = (256, 256)
    seed: int = 0
    low_precision: bool = True

    def engine(self, folder: RunFolder, joint: Development) -> Engine:
        """Trains on the sample."""
        rows = max(BATCH, round(len(joint.train) * self.passes / ROUNDS))
        sample = replace(joint, train=sample_rows(joint.train, rows, self.seed))
        settings = Settings(widths=self.widths, low_precision=self.low_precision)
        recipe = Recipe(rounds=ROUNDS, batch_size=BATCH, patience=ROUNDS, data_seed=self.seed)
        return build_engine(folder, sample, None, settings, recipe, lambda _: None)


def sample_rows(train: TaskData, rows: int, seed: int) -> TaskData:
    """About so many training rows, with the same share of every task's labels, but a few at least."""
    if rows >= len(train):
        return train
    order = np.random.default_rng(seed).permutation(len(train))
    mask, chosen = train.mask.numpy()[order], np.zeros(len(train), dtype=bool)
    for task in np.argsort(mask.sum(axis=0), kind="stable"):  # the rarest first: rows may be shared
        own = np.flatnonzero(mask[:, task])
        wanted = min(len(own), max(FEWEST, round(len(own) * rows / len(train))))
        free = own[~chosen[own]]
        chosen[free[: max(0, wanted - int(chosen[own].sum()))]] = True
    return train.rows(np.sort(order[chosen]))


def look_rows(train: TaskData, rng: np.random.Generator) -> NDArray[np.intp]:
    """``[B]`` rows of a look, in growing order."""
    if not train.domains:
        return np.sort(rng.permutation(len(train))[:OF_ALL])
    mask = train.mask.numpy()
    own = [rng.permutation(np.flatnonzero(labelled))[:OF_A_TASK] for labelled in mask.T]
    return np.sort(np.concatenate(own))


def train_looking(
    engine: Engine, whole: TaskData, probes: Sequence[Probe], seed: int
) -> tuple[Progress, int]:
    """Train all tasks together; after every round the probes look at rows of all tasks.

    Args:
        engine: Of the short run.
        whole: All training rows, of which each look takes some.
        probes: Who look.
        seed: Of the run and of these rows.

    Returns:
        Where the run came to, and the B rows of all looks added up.
    """
    member = Member(
        name="joint",
        weights=(1.0,) * len(whole.tasks),
        seed=seed,
        learning_rate=SETTING.learning_rate,
        dropout=SETTING.dropout,
    )
    net, losses = engine.architecture.build(seed=0), TaskLosses(whole.tasks)
    rng, seen = np.random.default_rng(seed), 0

    def look(progress: Progress) -> None:
        nonlocal seen
        if not probes:
            return
        rows = look_rows(whole, rng)
        seen += len(rows)
        step = TrainingStep(
            state=progress.state,
            batch=take(whole, torch.from_numpy(rows)),
            outputs=torch.empty(0),
            learning_rates=[member.learning_rate],
            weights=torch.ones(1, len(whole.tasks)),
            task_losses=losses,
        )
        point = EnginePoint(net, engine.executor, step)
        for probe in probes:
            probe.probe(point)

    progress = train_cohort(
        [member],
        start([member], engine.architecture, engine.development),
        engine.executor,
        engine.development,
        engine.recipe,
        after_round=look,
    )
    return progress, seen
