"""Which pairs of tasks are trained, with which weights, in networks of which sizes.

Letters: T tasks, P pairs, W weights of a pair, U different weight vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from cotrain.data.dataset import TaskData
from cotrain.engine.member import Member
from cotrain.errors import InputError
from cotrain.studies.ranges import check_between, check_least

Pair = tuple[int, int]
UNIFORM = 0.5


@dataclass(frozen=True, kw_only=True)
class Size:
    """A built-in network: ``depth`` hidden layers of ``width`` units.

    >>> print(Size(width=64, depth=2), Size(width=64, depth=2).widths)
    64x2 (64, 64)
    """

    width: int
    depth: int

    @property
    def widths(self) -> tuple[int, ...]:
        """Width of every hidden layer."""
        return (self.width,) * self.depth

    def __str__(self) -> str:
        """Width and depth."""
        return f"{self.width}x{self.depth}"


@dataclass(frozen=True, kw_only=True)
class Grid:
    """What a study of scalarization trains.

    Args:
        shares: Weights of a pair's first task, each above 0 and below 1, the second task has the rest. One
            half (uniform) and each task alone are always trained.
        widths: Units in a hidden layer.
        depths: Hidden layers.
        learning_rates: Tried for every pair, weight and size.
        seeds: Seeds of every member, at least 2.
        most_pairs: Of more pairs so many are drawn at random.
        dropout: Multiplies the network's dropout rates.
        seed: Of the drawn pairs, the row order and the bootstrap.
        low_precision: Let calibration choose bfloat16 products where they are faster and agree.
    """

    shares: tuple[float, ...] = (0.1, 0.25, 0.5, 0.75, 0.9)
    widths: tuple[int, ...] = (16, 64, 256)
    depths: tuple[int, ...] = (1, 2)
    learning_rates: tuple[float, ...] = (1e-3, 3e-3, 1e-2)
    seeds: int = 3
    most_pairs: int = 10
    dropout: float = 0.3
    seed: int = 0
    low_precision: bool = True

    def __post_init__(self) -> None:
        """Refuse what would train nothing, or fail after the training."""
        check_between("shares", self.shares, 0, 1)
        for name in ("learning_rates", "widths", "depths"):
            check_between(name, getattr(self, name), 0)
        for name, least in (("seeds", 2), ("most_pairs", 1), ("dropout", 0)):
            check_least(name, getattr(self, name), least)

    @property
    def sizes(self) -> tuple[Size, ...]:
        """Every width with every depth."""
        return tuple(
            Size(width=width, depth=depth)
            for width in sorted(set(self.widths))
            for depth in sorted(set(self.depths))
        )

    @property
    def weights(self) -> tuple[float, ...]:
        """``[W]`` growing weights of the first task, from 0 to 1."""
        return tuple(sorted({0.0, *self.shares, UNIFORM, 1.0}))


def draw_pairs(train: TaskData, *, most: int, seed: int) -> tuple[Pair, ...]:
    """All pairs of tasks (domains are tasks, too), or so many drawn at random.

    Tasks are ordered by a hash of their labels, so neither the draw nor the order of the pairs, nor which
    task of a pair comes first, depends on the tasks' names and places.

    Raises:
        InputError: If there is only one task.
    """
    tasks = len(train.tasks)
    if tasks < 2:
        raise InputError("a pair needs two tasks, there is one: name more targets")
    pairs = list(combinations(sorted(range(tasks), key=train.label_key), 2))
    if len(pairs) <= most:
        return tuple(pairs)
    chosen = np.random.default_rng(seed).choice(len(pairs), size=most, replace=False)
    return tuple(pairs[at] for at in sorted(chosen.tolist()))


@dataclass(frozen=True, kw_only=True)
class Vectors:
    """The different weight vectors behind pairs and weights: a task alone serves all its pairs.

    Args:
        distinct: ``[U]`` weight vectors over the T tasks.
        place: ``[P][W]`` which of them a pair has at a weight.
    """

    distinct: tuple[tuple[float, ...], ...]
    place: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, pairs: Sequence[Pair], weights: Sequence[float], tasks: int) -> Vectors:
        """Every pair at every weight.

        >>> Vectors.of([(0, 1), (2, 1)], [0.0, 0.5], tasks=3)
        Vectors(distinct=((0.0, 1.0, 0.0), (0.5, 0.5, 0.0), (0.0, 0.5, 0.5)), place=((0, 1), (0, 2)))
        """
        known: dict[tuple[float, ...], int] = {}
        place = tuple(
            tuple(known.setdefault(_vector(pair, weight, tasks), len(known)) for weight in weights)
            for pair in pairs
        )
        return cls(distinct=tuple(known), place=place)

    def members(self, grid: Grid) -> list[Member]:
        """``[rates · U · seeds]`` members; those of one rate stand together."""
        return [
            Member(
                name="pair",
                weights=weights,
                seed=seed,
                learning_rate=rate,
                dropout=grid.dropout,
            )
            for rate in grid.learning_rates
            for weights in self.distinct
            for seed in range(grid.seeds)
        ]


def _vector(pair: Pair, weight: float, tasks: int) -> tuple[float, ...]:
    first, second = pair
    of = {first: weight, second: 1 - weight}
    return tuple(of.get(t, 0.0) for t in range(tasks))
