"""Members trained once more while an instrument looks at their gradients every few steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from cotrain.engine.engine import Engine
from cotrain.engine.member import Member
from cotrain.engine.models.multitask import MultiTaskNet
from cotrain.engine.step import TrainingStep
from cotrain.engine.training import Progress, start, train_cohort
from cotrain.measure.points.engine_point import EnginePoint
from cotrain.results import Cost


def train_probed(
    engine: Engine,
    members: Sequence[Member],
    probe: Callable[[int, EnginePoint], None],
    *,
    probes: int,
    after_epoch: Callable[[Progress], None] = lambda _: None,
) -> Cost:
    """Train members side by side as the engine trains them, and forget them: what it took is returned.

    Args:
        engine: How the members are trained.
        members: Who is trained.
        probe: Called with a member's place and its gradients, held still.
        probes: Of every member, in a run that does not stop early.
        after_epoch: Called after every epoch.
    """
    began = time.monotonic()
    progress = start(members, engine.architecture, engine.development)
    probing = _Probing(engine=engine, progress=progress, probes=probes)

    def before_update(step: TrainingStep) -> None:
        for member, point in probing.points(step):
            probe(member, point)

    train_cohort(
        members,
        progress,
        engine.executor,
        engine.development,
        engine.recipe,
        before_update=before_update,
        after_epoch=after_epoch,
    )
    return Cost(
        trainings=len(members),
        examples=int(progress.epochs_run.sum()) * engine.examples_in_epoch,
        seconds=time.monotonic() - began,
    )


@dataclass(frozen=True, kw_only=True)
class _Probing:
    """Every so many steps, the members held still one by one; looking leaves no trace.

    The very first step is left out: no gradient reaches the encoder there. So is a member that is about to
    diverge: where a loss or a gradient is not finite, there is nothing to compare.
    """

    engine: Engine
    progress: Progress
    probes: int

    def points(self, step: TrainingStep) -> Iterator[tuple[int, EnginePoint]]:
        """Row in the cohort and point of every member that is probed in a step."""
        if step.state.step % self._every or step.state.step == 0:
            return
        for row, member in enumerate(self.progress.active):
            one = replace(step, state=step.state.select([row]), batch=step.batch.of(row))
            point = EnginePoint(self._net, self.engine.executor, one)
            if _finite(point):
                yield member, point

    @cached_property
    def _every(self) -> int:
        return max(1, self.engine.recipe.epochs * self.engine.batches_in_epoch // self.probes)

    @cached_property
    def _net(self) -> MultiTaskNet:
        return self.engine.architecture.build(seed=0)


def _finite(point: EnginePoint) -> bool:
    """Whether all losses and gradients of the tasks with labels are finite."""
    there, gradients = point.present, point.task_gradients()
    inner = gradients.inner(gradients)[there][:, there]
    return bool(point.losses[there].isfinite().all() and inner.isfinite().all())
