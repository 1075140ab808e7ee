"""A short joint run of sources and target, in which rankers probe losses and gradients.

It is short on purpose: choosing sources must cost less than it saves. The rows are a sample of each task's
training rows; the target takes part like a source, and its test rows are never seen.
Letters: T tasks (the sources and, last, the target), N rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from cotrain.data.dataset import Development, TaskData
from cotrain.engine.batches import Batch, take
from cotrain.engine.build import build_engine
from cotrain.engine.directions import Dense
from cotrain.engine.engine import Engine
from cotrain.engine.executors.base import Executor
from cotrain.engine.member import Member
from cotrain.engine.models.losses import TaskLosses
from cotrain.engine.models.multitask import HEAD, MultiTaskNet
from cotrain.engine.recipe import Recipe
from cotrain.engine.state import State
from cotrain.engine.step import TrainingStep
from cotrain.engine.training import Progress, start, train_cohort
from cotrain.engine.tuning import UNTUNED
from cotrain.folder import RunFolder
from cotrain.measure.points.engine_point import EnginePoint
from cotrain.tasks import Task
from cotrain.transfer.rows import only_target

BATCH = 64
EPOCHS = 4
FEWEST = 8  # rows of a task in the sample
OF_A_SOURCE = 32  # rows of each source in a probe
OF_THE_TARGET = 96


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The short run held still: every task on rows of its own, as if it were the only one.

    Each task is probed alone, so a probe costs its rows, not rows times tasks.

    Args:
        state: Of the run.
        batches: ``[T]`` rows labelled for each task.
        tasks: The T tasks, the target last.
        net: Used as code only.
        executor: Of the run.
    """

    state: State
    batches: tuple[Batch, ...]
    tasks: tuple[Task, ...]
    net: MultiTaskNet
    executor: Executor

    @property
    def rows(self) -> tuple[int, ...]:
        """``[T]`` rows that are probed."""
        return tuple(batch.size for batch in self.batches)

    def gradient(self, task: int) -> Dense:
        """Gradient of the task's loss by the encoder."""
        return self._point(task, self.state).task_gradients().dense()

    def loss(self, task: int, move: Dense | None = None) -> float:
        """Loss of the task, with the encoder moved if a move is given."""
        state = self.state
        if move is not None:
            moved = {name: state.params[name] + own for name, own in move.tensors.items()}
            state = replace(state, params=state.params | moved)
        return float(self._point(task, state).losses[0])

    def _point(self, task: int, state: State) -> EnginePoint:
        """The task alone, with its own rows of the head only."""
        places = TaskLosses(self.tasks)
        own = places.head_rows[places.slices[task]]
        heads = {n: t[:, own] for n, t in state.params.items() if n.startswith(HEAD)}
        step = TrainingStep(
            state=replace(state, params=state.params | heads),
            batch=self.batches[task],
            outputs=torch.empty(0),
            learning_rates=[0.0],
            weights=torch.ones(1, 1),
            task_losses=TaskLosses([replace(self.tasks[task], head="")]),
        )
        return EnginePoint(self.net, self.executor, step)


@dataclass(frozen=True, kw_only=True)
class ShortRun:
    """How long a short joint run is, and of which network.

    Args:
        epochs: Its length in epochs of all training rows; it reads a sample of them four times.
        widths: Hidden widths of the encoder.
        seed: Of the sample and of the run.
        low_precision: Let calibration choose bfloat16 products where they are faster and agree.
    """

    epochs: float = 0.5
    widths: tuple[int, ...] = (256, 256)
    seed: int = 0
    low_precision: bool = True

    def engine(self, folder: RunFolder, joint: Development) -> Engine:
        """An engine that trains on a sample of the rows."""
        rows = max(BATCH, round(len(joint.train) * self.epochs / EPOCHS))
        sample = replace(joint, train=sample_rows(joint.train, rows, self.seed))
        recipe = Recipe(epochs=EPOCHS, batch_size=BATCH, patience=EPOCHS, data_seed=self.seed)
        return build_engine(
            folder, sample, recipe, widths=self.widths, low_precision=self.low_precision
        )


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


def draw_batches(train: TaskData, rng: np.random.Generator) -> tuple[Batch, ...]:
    """``[T]`` some labelled rows of each task, with its own labels; more of the last task's."""
    tasks, order = len(train.tasks), torch.from_numpy(rng.permutation(len(train)))
    sizes = [*[OF_A_SOURCE] * (tasks - 1), OF_THE_TARGET]
    found = []
    for task, size in enumerate(sizes):
        own = only_target(train.rows(order[train.mask[order, task]][:size]), task)
        found.append(take(own, torch.arange(len(own))))
    return tuple(found)


def train_probed(
    engine: Engine, whole: TaskData, probe: Callable[[Snapshot], None], seed: int
) -> tuple[State, int]:
    """Train all tasks together, and probe after every epoch.

    Args:
        engine: Of the short run.
        whole: All training rows, of which each probe takes some.
        probe: Called with the run held still.
        seed: Of the run and of these rows.

    Returns:
        Where the run came to, and the training rows it processed.
    """
    member = Member(
        name="joint",
        weights=(1.0,) * len(whole.tasks),
        seed=seed,
        learning_rate=UNTUNED.learning_rate,
        dropout=UNTUNED.dropout,
    )
    net, rng = engine.architecture.build(seed=0), np.random.default_rng(seed)

    def after_epoch(progress: Progress) -> None:
        probe(
            Snapshot(
                state=progress.state,
                batches=draw_batches(whole, rng),
                tasks=whole.tasks,
                net=net,
                executor=engine.executor,
            )
        )

    progress = train_cohort(
        [member],
        start([member], engine.architecture, engine.development),
        engine.executor,
        engine.development,
        engine.recipe,
        after_epoch=after_epoch,
    )
    return progress.state, int(progress.epochs_run[0]) * engine.examples_in_epoch
