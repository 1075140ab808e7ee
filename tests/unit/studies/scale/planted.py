"""A trainer without networks: target scores by formula, with the findings planted or left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cotrain.arrays import Array
from cotrain.data.dataset import FinishedDecision
from cotrain.studies.scale.scores import StageOne
from cotrain.studies.scale.sets import SourceSet

SIZE = 640  # labels of a source


@dataclass(kw_only=True)
class PlantedScale:
    """See :class:`~cotrain.studies.scale.scores.Trainer`. Sources s and targets t are of group s, t mod 4.

    Args:
        by_tasks: What twice as many sources add to a score.
        by_examples: What twice as many labels add.
        relatedness: What a set made of related sources only adds, and one without any loses.
        calming: How much twice as many sources lower the binary logarithm of the noise of seeds.
        noise: Standard deviation over seeds, without sources.
        seeds: K.
        said: What was asked for, in order.
    """

    by_tasks: float = 0.0
    by_examples: float = 0.0
    relatedness: float = 0.0
    calming: float = 0.0
    noise: float = 0.01
    seeds: int = 5
    said: list[str] = field(default_factory=list)

    def pretrain(self, sets: Sequence[SourceSet]) -> StageOne:
        self.said.append("pretrain")
        rows = np.array([float(len(own.sources) * (own.labels or SIZE)) for own in sets])
        return StageOne(
            examples=rows * 10, epoch_examples=rows, seconds=rows / 100, epoch_seconds=rows / 1000
        )

    def finetune(self, target: int, sets: Sequence[SourceSet]) -> Array:
        self.said.append(f"finetune {target}")
        return self._scores(target, sets, 0)

    def test(self, decision: FinishedDecision, target: int, sets: Sequence[SourceSet]) -> Array:
        self.said.append(f"test {target}")
        return self._scores(target, sets, 1)

    def _scores(self, target: int, sets: Sequence[SourceSet], split: int) -> Array:
        rng = np.random.default_rng((target, split))
        level = 0.7 + 0.02 * rng.normal()
        return level + np.stack([self._set(target, own, rng) for own in sets])

    def _set(self, target: int, own: SourceSet, rng: np.random.Generator) -> Array:
        count = len(own.sources)
        sd = self.noise * 2 ** (-self.calming * math.log2(1 + count))
        luck = sd * rng.normal(size=self.seeds)
        if not count:
            return np.asarray(luck)
        labels = count * (own.labels or SIZE)
        related = sum(s % 4 == target % 4 for s in own.sources) / count
        value = self.by_tasks * math.log2(count) + self.by_examples * math.log2(labels / SIZE)
        return np.asarray(value + self.relatedness * (related - (related == 0)) + luck)
