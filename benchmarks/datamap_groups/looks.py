"""Lookahead, gradients and data maps that look on at one joint run on the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from benchmarks.common.arrays import Array
from benchmarks.datamap_groups.digits import SNAPSHOTS
from benchmarks.datamap_groups.images import images
from benchmarks.datamap_groups.networks import member
from cotrain.data.dataset import TaskData
from cotrain.engine.engine import Engine
from cotrain.engine.step import TrainingStep
from cotrain.engine.training import start, train_cohort
from cotrain.measure.datamaps.datamap import DataMap
from cotrain.measure.datamaps.observations import ArrayLike
from cotrain.measure.datamaps.recorder import DataMaps
from cotrain.measure.gradients.comparison import Gradients
from cotrain.measure.joint_run import Watchers, measure_joint_run
from cotrain.measure.points.engine_point import EnginePoint
from cotrain.measure.transference.lookahead import Lookahead

EVERY = 50  # steps between probes on images, each of which is worth 3,200 training images
WHOLE_EVERY = 100  # from one probe of a whole batch to the next


class TwoMaps(DataMaps):
    """The map of the run, and one of logits less the log-odds of the prevalence.

    A positive weight of (1 − p) / p would move the logits up by that much at its optimum, and the map with
    them; what else it does to training is not seen here.
    """

    def __init__(self, names: Sequence[str], train: TaskData) -> None:
        super().__init__(names, rows=len(train), snapshots=SNAPSHOTS)
        self.balanced = DataMaps(names, rows=len(train), snapshots=SNAPSHOTS)
        share = train.targets.double().mean(dim=0)
        self._sign = 2 * train.targets.T.double() - 1  # [T, N]
        self._move = torch.log(share / (1 - share)).unsqueeze(1)

    def record(
        self,
        rows: ArrayLike,
        confidence: ArrayLike,
        correct: ArrayLike,
        labelled: ArrayLike | None = None,
    ) -> None:
        super().record(rows, confidence, correct, labelled)
        sure = torch.as_tensor(confidence).double().clamp(1e-7, 1 - 1e-7)
        moved = torch.logit(sure) - self._sign[:, torch.as_tensor(rows)] * self._move
        balanced = moved.sigmoid()
        self.balanced.record(rows, balanced, balanced > 0.5, labelled)

    def end_epoch(self) -> None:
        super().end_epoch()
        self.balanced.end_epoch()


@dataclass(frozen=True, kw_only=True)
class Looks:
    """What looked on at one joint run on T tasks.

    Args:
        maps: The data map, and the balanced one.
        relations: Lookahead (symmetrised) and gradient cosine, each ``[T, T]``: of 32 images a probe, as
            cotrain probes 100 tasks, and of whole batches.
        reliability: Rank correlation between two halves of each lookahead's probes.
        probes: Their number.
    """

    maps: dict[str, DataMap]
    relations: dict[str, Array]
    reliability: tuple[float, ...]
    probes: tuple[int, ...]

    def select(self, tasks: Sequence[int]) -> Looks:
        at = np.ix_(tasks, tasks)
        maps = {name: each.select(tasks) for name, each in self.maps.items()}
        relations = {name: each[at] for name, each in self.relations.items()}
        return replace(self, maps=maps, relations=relations)


def look(engine: Engine, seed: int) -> Looks:
    """One joint run with everybody looking on, and the same run again with whole batches probed."""
    train, names = engine.development.train, images().names
    maps, lookahead, gradients = (
        TwoMaps(names, train),
        Lookahead(tasks=names),
        Gradients(tasks=names),
    )
    watchers = Watchers(lookahead=lookahead, gradients=gradients, maps=maps, every=EVERY)
    measure_joint_run(engine, member((1.0,) * len(names), seed), watchers)
    whole = Watchers(lookahead=Lookahead(tasks=names), gradients=Gradients(tasks=names))
    probe_whole_batches(engine, seed, whole)
    affinities = [each.lookahead.affinity() for each in (watchers, whole)]
    return Looks(
        maps={"data map": maps.result(), "balanced data map": maps.balanced.result()},
        relations=relations_of(watchers, "") | relations_of(whole, " (whole batches)"),
        reliability=tuple(each.reliability for each in affinities),
        probes=tuple(each.probes for each in affinities),
    )


def relations_of(watchers: Watchers, which: str) -> dict[str, Array]:
    mean = watchers.lookahead.affinity().mean
    assert watchers.gradients is not None
    cosine = watchers.gradients.similarity().cosine
    return {f"lookahead{which}": (mean + mean.T) / 2, f"gradient cosine{which}": cosine}


def probe_whole_batches(engine: Engine, seed: int, watchers: Watchers) -> None:
    """32 images hold a positive of every third task only; 256 hold 2.56 of each on average."""
    joint = member((1.0,) * len(engine.development.tasks), seed)
    net = engine.architecture.build(seed=0)

    def before_update(step: TrainingStep) -> None:
        if step.state.step % WHOLE_EVERY == WHOLE_EVERY - 1:
            watchers.probe(EnginePoint(net, engine.executor, step))

    progress = start([joint], engine.architecture, engine.development)
    train_cohort(
        [joint],
        progress,
        engine.executor,
        engine.development,
        engine.recipe,
        before_update=before_update,
    )
