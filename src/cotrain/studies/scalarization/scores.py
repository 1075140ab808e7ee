"""Scores of every pair of tasks at every weight and network size, each with its own learning rate.

Letters: S sizes, P pairs, W weights, K seeds, T tasks, U weight vectors, M members, R draws of test rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from cotrain.arrays import Array
from cotrain.data.dataset import FinishedDecision
from cotrain.engine.member import Member
from cotrain.folder import RunFolder
from cotrain.studies.scalarization.pairs import UNIFORM, Grid, Pair, Size, Vectors
from cotrain.studies.trainer import StudyDesign
from cotrain.tasks import Task

FILE = "scores.safetensors"
ARRAYS = ("learning_rates", "valid", "test", "redrawn", "conflict")


class Trainer(Protocol):
    """Who trains members of a size and scores them."""

    def parameters(self, size: Size) -> int:
        """Shared parameters of a network."""
        ...

    def valid(self, size: Size, members: Sequence[Member]) -> Array:
        """``[M, T]`` validation scores, NaN for tasks of weight 0."""
        ...

    def conflicts(self, size: Size, members: Sequence[Member], pairs: Sequence[Pair]) -> Array:
        """``[M]`` share of steps at which the member's two tasks conflict."""
        ...

    def test(
        self, decision: FinishedDecision, size: Size, members: Sequence[Member], rows: Sequence[int]
    ) -> Array:
        """``[1 + R, len(rows), T]`` test scores of some members: on all test rows, and on R draws."""
        ...


@dataclass(frozen=True, kw_only=True)
class PairScores:
    """What the training of a study gave. All scores are higher-is-better; NaN where a task has weight 0.

    Args:
        sizes: ``[S]`` network sizes by growing number of parameters.
        parameters: ``[S]`` shared parameters.
        pairs: ``[P]`` names of the two tasks.
        weights: ``[W]`` of the first task, growing from 0 to 1; the second has the rest.
        learning_rates: ``[S, P, W]`` the rate with the best mean validation score.
        valid: ``[S, P, W, K, 2]`` validation scores of both tasks.
        test: ``[S, P, W, K, 2]`` test scores.
        redrawn: ``[R, S, P, W, K, 2]`` the same on draws of the test rows.
        conflict: ``[S, P, K]`` share of steps with conflicting gradients, uniform weights.
    """

    sizes: tuple[Size, ...]
    parameters: tuple[int, ...]
    pairs: tuple[tuple[str, str], ...]
    weights: tuple[float, ...]
    learning_rates: Array
    valid: Array
    test: Array
    redrawn: Array
    conflict: Array

    def write(self, folder: RunFolder) -> None:
        """Keep every score: each number can be traced to its pair, weight, size and seed."""
        tensors = {name: torch.from_numpy(getattr(self, name)) for name in ARRAYS}
        sizes = [(size.width, size.depth) for size in self.sizes]
        facts = {"sizes": sizes, "pairs": self.pairs, "weights": self.weights}
        folder.write_tensors(FILE, tensors, facts | {"parameters": self.parameters})

    @classmethod
    def read(cls, folder: RunFolder) -> PairScores:
        """What :meth:`write` wrote.

        Raises:
            InputError: If the file is missing or damaged.
        """
        tensors, facts = folder.read_tensors(FILE)
        return cls(
            sizes=tuple(Size(width=width, depth=depth) for width, depth in facts["sizes"]),
            parameters=tuple(facts["parameters"]),
            pairs=tuple((first, second) for first, second in facts["pairs"]),
            weights=tuple(facts["weights"]),
            **{name: tensors[name].numpy() for name in ARRAYS},
        )


def collect(
    trainer: Trainer, tasks: Sequence[Task], pairs: Sequence[Pair], grid: Grid
) -> PairScores:
    """Train everything, choose each learning rate on validation, then open the test split once.

    Args:
        trainer: Trains and scores.
        tasks: The T tasks.
        pairs: The P pairs of them.
        grid: Weights, sizes, learning rates, seeds.
    """
    vectors = Vectors.of(pairs, grid.weights, len(tasks))
    members = vectors.members(grid)
    sizes = sorted(grid.sizes, key=trainer.parameters)
    tuned = [_tune(trainer, size, members, vectors, grid) for size in sizes]
    uniform = np.array(vectors.place)[:, grid.weights.index(UNIFORM)]
    looked = [pair for pair in pairs for _ in range(grid.seeds)]
    conflict = [
        trainer.conflicts(size, [members[row] for row in own.rows[uniform].flat], looked)
        for size, own in zip(sizes, tuned, strict=True)
    ]
    compared = [
        f"{members[row].name} in {size}, learning rate {members[row].learning_rate:g}"
        for size, own in zip(sizes, tuned, strict=True)
        for row in own.rows.ravel().tolist()
    ]
    decision = StudyDesign.of(tasks, compared)
    test = [
        trainer.test(decision, size, members, own.rows.ravel().tolist())
        for size, own in zip(sizes, tuned, strict=True)
    ]
    shape = (-1, len(sizes), *tuned[0].rows.shape, len(tasks))  # [1 + R, S, U, K, T]
    redrawn = _of_pairs(np.stack(test, axis=1).reshape(shape), vectors, pairs)
    return PairScores(
        sizes=tuple(sizes),
        parameters=tuple(trainer.parameters(size) for size in sizes),
        pairs=tuple((tasks[a].name, tasks[b].name) for a, b in pairs),
        weights=grid.weights,
        learning_rates=np.stack([own.rates for own in tuned])[:, np.array(vectors.place)],
        valid=_of_pairs(np.stack([own.valid for own in tuned]), vectors, pairs),
        test=redrawn[0],
        redrawn=redrawn[1:],
        conflict=np.stack(conflict).reshape(len(sizes), len(pairs), grid.seeds),
    )


@dataclass(frozen=True, kw_only=True)
class _Tuned:
    """The members of a size with their best learning rates.

    Args:
        rows: ``[U, K]`` their places among all members.
        rates: ``[U]``.
        valid: ``[U, K, T]``.
    """

    rows: NDArray[np.intp]
    rates: Array
    valid: Array


def _tune(
    trainer: Trainer, size: Size, members: Sequence[Member], vectors: Vectors, grid: Grid
) -> _Tuned:
    shape = (len(grid.learning_rates), len(vectors.distinct), grid.seeds)
    scores = trainer.valid(size, members).reshape(*shape, -1)
    best, each = _best_rates(scores, vectors.distinct), np.arange(len(vectors.distinct))
    return _Tuned(
        rows=np.arange(len(members)).reshape(shape)[best, each],
        rates=np.array(grid.learning_rates)[best],
        valid=scores[best, each],
    )


def _best_rates(scores: Array, vectors: Sequence[tuple[float, ...]]) -> NDArray[np.intp]:
    """``[U]`` the learning rate with the best mean over seeds and tasks, one that diverged last.

    Args:
        scores: ``[rates, U, K, T]``.
        vectors: ``[U]`` weights over the tasks.
    """
    finite = np.isfinite(scores)
    judged = (np.array(vectors) > 0) & finite.any(axis=(0, 2))  # [U, T] where the metric is defined
    known = np.where(finite, scores, -np.inf)
    total = np.where(judged[:, None], known, 0.0).sum(axis=(2, 3))
    return np.asarray(total.argmax(axis=0))


def _of_pairs(scores: Array, vectors: Vectors, pairs: Sequence[Pair]) -> Array:
    """``[..., P, W, K, 2]`` from ``[..., U, K, T]``."""
    place = np.array(vectors.place)
    columns = [scores[..., place[p], :, :][..., list(pair)] for p, pair in enumerate(pairs)]
    return np.stack(columns, axis=-4)
