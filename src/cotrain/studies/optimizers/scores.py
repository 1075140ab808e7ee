"""Everything that the numbers of the optimizer study are computed from, and Δm seed by seed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cotrain.arrays import Array
from cotrain.measure.measurement import Measurement
from cotrain.results import Interval
from cotrain.studies.optimizers import estimates as numbers
from cotrain.studies.optimizers.corruptions import CORRUPTIONS, SEVERITIES
from cotrain.studies.optimizers.estimates import relative_loss
from cotrain.tasks import Kind, Task


@dataclass(frozen=True, kw_only=True)
class OptimizerScores(Measurement):
    """What training gave, and Δm of it; scores are higher-is-better.

    D = 1 + R draws, the first the data themselves.

    Args:
        tasks: T names.
        kinds: ``[T]`` of the tasks.
        optimizers: O names.
        rules: ``[O]`` their classes, such as ``Adam``.
        methods: M names, the first uniform weights.
        rates: ``[O, L]`` learning rates.
        chosen: ``[O, M]`` place of the rate with the least Δm on validation.
        valid: ``[O, M, L, S, T]`` validation scores.
        test: ``[D, O, M, S, T]`` test scores at the chosen rates.
        lone: O' places of the optimizers that trained each task alone.
        alone_valid: ``[O', S, T]`` validation scores of each task alone, at its chosen rate.
        alone_test: ``[D, O', S, T]`` test scores.
        baseline: ``[T]`` place among ``lone`` of the optimizer that validation chose for the task alone.
        gradients: ``[O, S, 2, 3]`` (between tasks on a sample, between samples of a task) by (cosine, share
            of conflicts, magnitude similarity), under uniform weights.
        robustness: ``[D, 2, S, C, T]`` scores of refitted heads on the clean and the corrupted images,
            features learned together and alone; C = 0 where the data are no images.
        steady: Name of the optimizer that learned the features together.
        seed: Of the draws of test rows.
        engine: What computed it.
        trainings: Networks trained, those looked at once more included.
        examples: Training examples they saw.
        seconds: Time of their training.
        notes: What the user should know about the data.
    """

    title = "Optimizers and methods of weighting"
    about = (
        "Δm on the test split against each task alone, per cent: below zero is better. Intervals are over "
        "test rows and seeds; every learning rate was chosen on validation."
    )

    kinds: tuple[str, ...]
    optimizers: tuple[str, ...]
    rules: tuple[str, ...]
    methods: tuple[str, ...]
    rates: Array
    chosen: NDArray[np.int64]
    valid: Array
    test: Array
    lone: tuple[int, ...]
    alone_valid: Array
    alone_test: Array
    baseline: NDArray[np.int64]
    gradients: Array
    robustness: Array
    steady: str
    seed: int
    engine: str
    trainings: int
    examples: int
    seconds: float
    notes: tuple[str, ...]

    @cached_property
    def losses(self) -> Array:
        """``[D, O, M, S, T]`` summands of Δm on the test split, per cent, seed by seed."""
        base = of_baseline(self.alone_test, self.baseline)
        return relative_loss(self.problem, self.test, base[:, None, None])

    @cached_property
    def alone_losses(self) -> Array:
        """``[D, O', S, T]`` those of each task alone with one optimizer for all of them."""
        base = of_baseline(self.alone_test, self.baseline)
        return relative_loss(self.problem, self.alone_test, base[:, None])

    @cached_property
    def corrupted_losses(self) -> Array:
        """``[D, S, C, T]`` those of features learned together over features learned alone."""
        return relative_loss(self.problem, self.robustness[:, 0], self.robustness[:, 1])

    @cached_property
    def valid_losses(self) -> Array:
        """``[O, M, L, T]`` the summands on validation at every rate, of the seeds' means."""
        base = of_baseline(self.alone_valid, self.baseline).mean(axis=0)
        return np.asarray(relative_loss(self.problem, self.valid, base).mean(axis=3))

    def delta(self, optimizer: str, method: str) -> Interval:
        """Δm on the test split, per cent."""
        o, m = self.optimizers.index(optimizer), self.methods.index(method)
        return numbers.estimate(self.losses[:, o, m].mean(axis=-1))

    @property
    def problem(self) -> tuple[Task, ...]:
        """The tasks, as far as Δm needs them."""
        return tuple(
            Task(name=name, kind=Kind(kind))
            for name, kind in zip(self.tasks, self.kinds, strict=True)
        )

    @property
    def image_sets(self) -> tuple[str, ...]:
        """``[C]`` clean, then every corruption five times; nothing where the data are no images."""
        every = ("clean", *(name for name in CORRUPTIONS for _ in range(SEVERITIES)))
        return every if self.robustness.shape[3] else ()


def of_baseline(scores: Array, baseline: NDArray[np.int64]) -> Array:
    """``[..., S, T]`` of each task's optimizer, from ``[..., O', S, T]``."""
    at = baseline.reshape(*[1] * (scores.ndim - 1), -1)
    return np.take_along_axis(scores, at, axis=-3).squeeze(-3)
