"""One joint run with instruments looking on: every one of them sees the same training."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from cotrain.measure.confidence import judge
from cotrain.measure.engine_point import EnginePoint
from cotrain.measure.gradients import MOST, Gradients
from cotrain.measure.lookahead import Lookahead
from cotrain.measure.point import Point
from cotrain.measure.recorder import DataMaps
from cotrain.models.losses import TaskLosses
from cotrain.population import checkpoint
from cotrain.population.engine import Engine, Update
from cotrain.population.member import Member
from cotrain.population.state import Tensors
from cotrain.population.training import Progress, Step, start, train_cohort

FEWEST_PROBES = 20  # short runs are probed more often
PROBED_CELLS = 1536  # rows of a probe times tasks, so that its cost does not grow with the tasks
FEWEST_ROWS = 32
FORWARD, BACKWARD = 1 / 3, 2 / 3  # shares of the work of a training example
CHECKPOINT = "population/measure.checkpoint.safetensors"


@dataclass(frozen=True, kw_only=True)
class Watchers:
    """Who looks on.

    Args:
        lookahead: Looks every few steps, at a part of the batch.
        gradients: Looks at the same points, if given.
        maps: Sees the training outputs of every step, if given.
        every: Steps from one probe to the next, fewer in a short run.
    """

    lookahead: Lookahead
    gradients: Gradients | None = None
    maps: DataMaps | None = None
    every: int = 10

    def probe(self, point: Point) -> None:
        """Look at one point of training."""
        self.lookahead.probe(point)
        if self.gradients is not None:
            self.gradients.probe(point)

    def end_epoch(self) -> None:
        """Close an epoch."""
        for watcher in (self.gradients, self.maps):
            if watcher is not None:
                watcher.end_epoch()

    def state(self) -> Tensors:
        """All that was measured so far."""
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


def measure_joint_run(engine: Engine, member: Member, watchers: Watchers) -> int:
    """Train a member and let the watchers look on; an interrupted run is continued.

    Returns:
        Training examples seen, the probes' passes counted as shares of one.

    Raises:
        InputError: If a loss is not finite; names the task and the step. Checkpoints stay.
    """
    progress = start([member], engine.architecture, engine.development)
    if engine.folder.has(CHECKPOINT):
        progress, _, measured = checkpoint.load(engine.folder, CHECKPOINT)
        watchers.load_state(measured)
    looking = _Looking(engine=engine, watchers=watchers)
    train_cohort(
        [member],
        progress,
        engine.executor,
        engine.development,
        engine.recipe,
        after_round=looking.after_round,
        before_update=looking.before_update,
    )
    engine.folder.remove(CHECKPOINT)
    seen = int(progress.rounds_run[0]) * engine.examples_in_round
    return seen + round(_probing(watchers, looking.rows))


@dataclass(kw_only=True)
class _Looking:
    """Hands the watchers what they look at, and keeps checkpoints.

    The very first step is not probed: the heads start at zero, so no gradient reaches the encoder.
    """

    engine: Engine
    watchers: Watchers
    saved: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        engine = self.engine
        tasks, recipe = engine.development.tasks, engine.recipe
        self.losses = TaskLosses(tasks)
        self.net = engine.architecture.build(seed=0)
        self.rows = min(probe_rows(len(tasks)), recipe.batch_size)
        steps = recipe.rounds * engine.batches_in_round
        self.every = max(1, min(self.watchers.every, steps // FEWEST_PROBES))

    def before_update(self, step: Step) -> None:
        if self.watchers.maps is not None:
            batch = step.batch
            judged = judge(self.losses, step.outputs[0], batch.targets, batch.shares > 0)
            self.watchers.maps.record(batch.rows, *judged)
        if step.state.step % self.every == 0 and step.state.step > 0:
            part = replace(step, batch=step.batch.part(slice(self.rows)))
            decay = self.engine.recipe.weight_decay
            self.watchers.probe(
                EnginePoint(self.net, self.losses, self.engine.executor, part, weight_decay=decay)
            )

    def after_round(self, progress: Progress) -> None:
        self.watchers.end_epoch()
        now = time.monotonic()
        if progress.active and now - self.saved >= self.engine.checkpoint_seconds:
            checkpoint.save(self.engine.folder, CHECKPOINT, progress, self.watchers.state())
            self.saved = now
        done, total = progress.round, self.engine.recipe.rounds
        loss = float(progress.loss.mean())
        self.engine.watch(Update(stage="measure", done=done, total=total, loss=loss))


def _probing(watchers: Watchers, rows: int) -> float:
    """What the probes did, in training examples: a forward pass is a third of one, a backward two."""
    tasks, gradients = len(watchers.lookahead.tasks), watchers.gradients
    looking = (tasks + FORWARD) * rows * len(watchers.lookahead.exact)
    comparing = 0 if gradients is None else BACKWARD * MOST**3 * len(gradients.grams)
    return looking + comparing


def probe_rows(tasks: int) -> int:
    """Rows of a probe: the cost of T gradients and T looks ahead stays about the same.

    >>> probe_rows(2), probe_rows(12), probe_rows(617)
    (768, 128, 32)
    """
    return max(FEWEST_ROWS, PROBED_CELLS // tasks)
