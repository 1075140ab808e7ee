"""One joint run with instruments looking on: every one of them sees the same training."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from cotrain.engine.cohorts import checkpoint
from cotrain.engine.engine import Engine, Update
from cotrain.engine.member import Member
from cotrain.engine.models.losses import TaskLosses
from cotrain.engine.state import Tensors
from cotrain.engine.step import TrainingStep
from cotrain.engine.training import Progress, start, train_cohort
from cotrain.errors import InputError
from cotrain.measure.datamaps.confidence import judge
from cotrain.measure.datamaps.recorder import DataMaps
from cotrain.measure.gradients.comparison import Gradients
from cotrain.measure.points.engine_point import EnginePoint
from cotrain.measure.points.point import Point
from cotrain.measure.schedule import (
    PROBE_EVERY,
    comparing_cost,
    looking_cost,
    probe_interval,
    probe_rows,
)
from cotrain.measure.transference.lookahead import Lookahead

CHECKPOINT = "population/measure.checkpoint.safetensors"


@dataclass(frozen=True, kw_only=True)
class Watchers:
    """The instruments that look on while a member trains.

    Args:
        lookahead: Looks every few steps, at a part of the batch.
        gradients: Looks at the same points, if given.
        maps: Sees the training outputs of every step, if given.
        every: Steps from one probe to the next, fewer in a short run.
    """

    lookahead: Lookahead
    gradients: Gradients | None = None
    maps: DataMaps | None = None
    every: int = PROBE_EVERY

    def probe(self, point: Point) -> None:
        """Let the instruments look at one point of training."""
        self.lookahead.probe(point)
        if self.gradients is not None:
            self.gradients.probe(point)

    def end_epoch(self) -> None:
        """Close an epoch for all instruments."""
        for watcher in (self.gradients, self.maps):
            if watcher is not None:
                watcher.end_epoch()

    def state(self) -> Tensors:
        """All that was measured so far, for a checkpoint."""
        return {
            f"{name}/{key}": torch.from_numpy(np.ascontiguousarray(array))
            for name, watcher in self._named()
            for key, array in watcher.state().items()
        }

    def load_state(self, state: Tensors) -> None:
        """Go on from where :meth:`state` stood."""
        for name, watcher in self._named():
            own = {k.removeprefix(f"{name}/"): v for k, v in state.items() if k.startswith(name)}
            watcher.load_state({key: tensor.numpy() for key, tensor in own.items()})

    def _named(self) -> list[tuple[str, Lookahead | Gradients | DataMaps]]:
        everyone = (
            ("lookahead", self.lookahead),
            ("gradients", self.gradients),
            ("maps", self.maps),
        )
        return [(name, watcher) for name, watcher in everyone if watcher is not None]


def measure_joint_run(engine: Engine, member: Member, watchers: Watchers) -> tuple[int, float]:
    """Train a member and let the watchers look on; an interrupted run is continued.

    Returns:
        Training examples seen, the probes' passes counted as shares of one, and seconds, those up to
        the last checkpoint of an interrupted run included.

    Raises:
        InputError: If a loss is not finite; names the task and the step. Checkpoints stay.
    """
    progress = start([member], engine.architecture, engine.development)
    spent = 0.0
    if engine.folder.has(CHECKPOINT):
        progress, facts, measured = checkpoint.load(engine.folder, CHECKPOINT)
        watchers.load_state(measured)
        spent = facts["seconds"]
    looking = _Looking(engine=engine, watchers=watchers, began=time.monotonic() - spent)
    train_cohort(
        [member],
        progress,
        engine.executor,
        engine.development,
        engine.recipe,
        after_epoch=looking.after_epoch,
        before_update=looking.before_update,
    )
    if progress.diverged:
        raise InputError(
            f"the joint run diverged: a validation loss is not finite after epoch {progress.epoch}; lower "
            "the learning rate, or look for infinite inputs or targets"
        )
    engine.folder.remove(CHECKPOINT)
    seen = int(progress.epochs_run[0]) * engine.examples_in_epoch
    examples = seen + round(_probing(watchers, looking.rows))
    return examples, time.monotonic() - looking.began


@dataclass(kw_only=True)
class _Looking:
    """Hands the watchers what they look at, and keeps checkpoints.

    The very first step is not probed: the heads start at zero, so no gradient reaches the encoder.
    """

    engine: Engine
    watchers: Watchers
    began: float  # on the clock of this process, had it done everything itself
    next_save: float = field(init=False)

    def __post_init__(self) -> None:
        engine = self.engine
        self.next_save = time.monotonic() + engine.checkpoint_seconds
        tasks, recipe = engine.development.tasks, engine.recipe
        self.losses = TaskLosses(tasks)
        self.net = engine.architecture.build(seed=0)
        self.rows = min(probe_rows(len(tasks)), engine.examples_in_epoch // engine.batches_in_epoch)
        steps = recipe.epochs * engine.batches_in_epoch
        self.every = probe_interval(self.watchers.every, steps)

    def before_update(self, step: TrainingStep) -> None:
        batch = step.batch
        self._refuse_undefined(step)
        if self.watchers.maps is not None:
            judged = judge(self.losses, step.outputs[0], batch.targets, batch.shares > 0)
            self.watchers.maps.record(batch.rows, *judged)
        if step.state.step % self.every == 0 and step.state.step > 0:
            part = replace(step, batch=step.batch.part(slice(self.rows)))
            decay = self.engine.recipe.weight_decay
            self.watchers.probe(
                EnginePoint(self.net, self.engine.executor, part, weight_decay=decay)
            )

    def _refuse_undefined(self, step: TrainingStep) -> None:
        """A loss that is not finite ends the run here: validation would stop it without a word."""
        losses = self.losses.means(step.outputs[0], step.batch.targets, step.batch.shares)
        for task, loss in zip(self.engine.development.tasks, losses.tolist(), strict=True):
            if not math.isfinite(loss):
                raise InputError(
                    f"the loss of task {task.name!r} is {loss} at step {step.state.step}: look for "
                    "infinite inputs or targets, or lower the learning rate"
                )

    def after_epoch(self, progress: Progress) -> None:
        self.watchers.end_epoch()
        now = time.monotonic()
        if progress.active and now >= self.next_save:
            measured, folder = self.watchers.state(), self.engine.folder
            checkpoint.save(folder, CHECKPOINT, progress, measured, seconds=now - self.began)
            writing = time.monotonic() - now  # at most a twentieth of the time goes into writing
            self.next_save = now + max(self.engine.checkpoint_seconds, 20 * writing)
        done, total = progress.epoch, self.engine.recipe.epochs
        loss = float(progress.loss.mean())
        self.engine.watch(Update(stage="measure", done=done, total=total, loss=loss))


def _probing(watchers: Watchers, rows: int) -> float:
    """What the probes did, in training examples."""
    gradients = watchers.gradients
    looking = looking_cost(len(watchers.lookahead.tasks), rows) * len(watchers.lookahead.exact)
    return looking + (0 if gradients is None else comparing_cost() * len(gradients.grams))
