"""One joint run with instruments looking on: every one of them sees the same training."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cotrain.measure.confidence import judge
from cotrain.measure.engine_point import EnginePoint
from cotrain.measure.gradients import MOST, Gradients
from cotrain.measure.lookahead import Lookahead
from cotrain.measure.recorder import DataMaps
from cotrain.models.losses import TaskLosses
from cotrain.population.engine import Engine, Update
from cotrain.population.member import Member
from cotrain.population.training import Progress, Step, start, train_cohort

FEWEST_PROBES = 20  # short runs are probed more often
PROBED_CELLS = 1536  # rows of a probe times tasks, so that its cost does not grow with the tasks
FEWEST_ROWS = 32
FORWARD, BACKWARD = 1 / 3, 2 / 3  # shares of the work of a training example


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


def measure_joint_run(engine: Engine, member: Member, watchers: Watchers) -> int:
    """Train a member from the start and let the watchers look on.

    The very first step is not probed: the heads start at zero, so no gradient reaches the encoder.

    Returns:
        Training examples seen, the probes' passes counted as shares of one.
    """
    development, recipe = engine.development, engine.recipe
    losses, net = TaskLosses(development.tasks), engine.architecture.build(seed=0)
    every = max(1, min(watchers.every, recipe.rounds * engine.batches_in_round // FEWEST_PROBES))
    rows = min(probe_rows(len(development.tasks)), recipe.batch_size)

    def before_update(step: Step) -> None:
        if watchers.maps is not None:
            batch = step.batch
            judged = judge(losses, step.outputs[0], batch.targets, batch.shares > 0)
            watchers.maps.record(batch.rows, *judged)
        if step.state.step % every == 0 and step.state.step > 0:
            part = replace(step, batch=step.batch.part(slice(rows)))
            point = EnginePoint(
                net, losses, engine.executor, part, weight_decay=recipe.weight_decay
            )
            watchers.lookahead.probe(point)
            if watchers.gradients is not None:
                watchers.gradients.probe(point)

    def after_round(progress: Progress) -> None:
        if watchers.maps is not None:
            watchers.maps.end_epoch()
        if watchers.gradients is not None:
            watchers.gradients.end_epoch()
        loss = float(progress.loss.mean())
        engine.watch(Update(stage="measure", done=progress.round, total=recipe.rounds, loss=loss))

    progress = train_cohort(
        [member],
        start([member], engine.architecture, development),
        engine.executor,
        development,
        recipe,
        after_round=after_round,
        before_update=before_update,
    )
    seen = int(progress.rounds_run[0]) * engine.examples_in_round
    return seen + round(_probing(watchers, rows))


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
