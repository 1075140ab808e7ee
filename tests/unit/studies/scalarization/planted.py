"""A trainer without networks: scores by formula, with findings planted or left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cotrain.arrays import Array
from cotrain.data.dataset import FinishedDecision
from cotrain.engine.member import Member
from cotrain.studies.scalarization.pairs import Pair, Size

DRAWS = 60
RATES = (1e-3, 3e-3, 1e-2)
BEST_RATE = 3e-3


@dataclass(kw_only=True)
class Planted:
    """See :class:`~cotrain.studies.scalarization.scores.Trainer`.

    Args:
        tasks: T.
        growth: Gain of training together for ten times the parameters.
        preference: How much a pair loses with weights far from its favourite ones.
        steady: Whether the favourite weights are the same at every size.
        telling: Whether conflicts tell the gain.
        noise: Standard deviation of single scores.
        seed: Of everything that is drawn.
        said: What was asked for, in order.
    """

    tasks: int = 6
    growth: float = 0.0
    preference: float = 0.0
    steady: bool = True
    telling: bool = False
    noise: float = 0.01
    seed: int = 0
    said: list[str] = field(default_factory=list)

    def parameters(self, size: Size) -> int:
        return size.width * size.depth * 10

    def valid(self, size: Size, members: Sequence[Member]) -> Array:
        self.said.append(f"valid {size}")
        return np.stack([self._scores(size, member, 0) for member in members])

    def conflicts(self, size: Size, members: Sequence[Member], pairs: Sequence[Pair]) -> Array:
        self.said.append(f"conflicts {size}")
        assert all(member.learning_rate == BEST_RATE for member in members)
        for member, pair in zip(members, pairs, strict=True):
            assert [member.weights[t] for t in pair] == [0.5, 0.5]
        own = [self._own(pair) if self.telling else self._own(pair, 1) for pair in pairs]
        return 0.3 + np.array(own) * 2

    def test(
        self, decision: FinishedDecision, size: Size, members: Sequence[Member], rows: Sequence[int]
    ) -> Array:
        self.said.append(f"test {size}")
        assert all(members[row].learning_rate == BEST_RATE for row in rows)
        found = np.stack([self._scores(size, members[row], 1) for row in rows])
        draws = self._rng(99).normal(0, 0.003, (DRAWS, 1, self.tasks))  # same rows for all members
        return np.concatenate([found[None], found + draws])

    def _scores(self, size: Size, member: Member, split: int) -> Array:
        weights = np.array(member.weights)
        trained = np.flatnonzero(weights)
        place = [size.width, size.depth, *(1000 * weights).astype(int), member.seed, split]
        noise = self._rng(*place).normal(0, self.noise, self.tasks)
        off = abs(math.log(member.learning_rate / BEST_RATE))
        scores = 0.8 - off + noise
        if len(trained) == 2:
            pair = (int(trained[0]), int(trained[1]))
            scores += self._own(pair) + self.growth * math.log10(self.parameters(size))
            peak = self._favourite(pair, size)
            scores -= self.preference * (weights[pair[0]] - peak) ** 2
        return np.where(weights > 0, scores, np.nan)

    def _own(self, pair: Pair, what: int = 0) -> float:
        """The pair's own gain, whatever the size."""
        return float(self._rng(7, what, *sorted(pair)).normal(0, 0.02))

    def _favourite(self, pair: Pair, size: Size) -> float:
        place = (0, 0) if self.steady else (size.width, size.depth)
        return float(self._rng(8, *pair, *place).choice([0.1, 0.3, 0.7, 0.9]))

    def _rng(self, *place: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *map(int, place)])
