"""Points at which the gradients of a cohort's members are looked at while they are trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from cotrain.engine.engine import Engine
from cotrain.engine.models.multitask import MultiTaskNet
from cotrain.engine.step import TrainingStep
from cotrain.engine.training import Progress
from cotrain.measure.points.engine_point import EnginePoint


@dataclass(frozen=True, kw_only=True)
class Looking:
    """Every so many steps, the members held still one by one; looking leaves no trace.

    The very first step is left out: no gradient reaches the encoder there. So is a member that is about to
    diverge: where a loss or a gradient is not finite, there is nothing to compare.

    Args:
        engine: How the members are trained.
        progress: Where they stand.
        probes: In a run that does not stop early.
    """

    engine: Engine
    progress: Progress
    probes: int

    def points(self, step: TrainingStep) -> Iterator[tuple[int, EnginePoint]]:
        """Row in the cohort and point of every member that is looked at in a step."""
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
    """Whether the losses and gradients of the tasks with labels are."""
    there, gradients = point.present, point.task_gradients()
    inner = gradients.inner(gradients)[there][:, there]
    return bool(point.losses[there].isfinite().all() and inner.isfinite().all())
