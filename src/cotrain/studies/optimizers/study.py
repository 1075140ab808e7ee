"""What is trained, and the result, from data to :class:`OptimizerStudy`.

Departures from the paper: networks are the built-in MLP; the learning rate of every method and optimizer is
chosen on validation by Δm from as many rates for all; every task of every network speaks from its own best
epoch on validation; Δm is taken over each task alone, trained with the optimizer and the rate that
validation chose for it, and is measured on the sealed test split, opened once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cotrain.data.dataset import Splits
from cotrain.engine.engine import Watch
from cotrain.errors import InputError
from cotrain.figures.style import Figure
from cotrain.folder import RunFolder
from cotrain.measure.measurement import Measurement
from cotrain.results import Interval
from cotrain.studies.finding import Finding, Section
from cotrain.studies.optimizers import estimates as numbers
from cotrain.studies.optimizers import sections
from cotrain.studies.optimizers.contestants import OptimizerGrid
from cotrain.studies.optimizers.corruptions import CORRUPTIONS, SEVERITIES
from cotrain.studies.optimizers.findings import findings
from cotrain.studies.optimizers.pareto import relative_loss
from cotrain.studies.optimizers.robustness import check_images
from cotrain.studies.optimizers.trainer import OptimizerTrainer
from cotrain.studies.optimizers.tuning import best_rate, picked
from cotrain.tasks import Kind, Task

Array = NDArray[np.float64]
RESULT = "study.safetensors"
TOGETHER, ALONE = 0, 1


@dataclass(frozen=True, kw_only=True)
class OptimizerStudy(Measurement):
    """What the study found. Scores are higher-is-better; D = 1 + R draws, the first the data themselves.

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
        base = _picked(self.alone_test, self.baseline)
        return relative_loss(self.problem, self.test, base[:, None, None])

    @cached_property
    def alone_losses(self) -> Array:
        """``[D, O', S, T]`` those of each task alone with one optimizer for all of them."""
        base = _picked(self.alone_test, self.baseline)
        return relative_loss(self.problem, self.alone_test, base[:, None])

    @cached_property
    def corrupted_losses(self) -> Array:
        """``[D, S, C, T]`` those of features learned together over features learned alone."""
        return relative_loss(self.problem, self.robustness[:, 0], self.robustness[:, 1])

    @cached_property
    def valid_losses(self) -> Array:
        """``[O, M, L, T]`` the summands on validation at every rate, of the seeds' means."""
        base = _picked(self.alone_valid, self.baseline).mean(axis=0)
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

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The published findings and what these data say of them."""
        return findings(self)

    def sections(self) -> tuple[Section, ...]:
        """The pictures with their numbers."""
        return sections.sections(self)

    def figure(self) -> Figure:
        """Δm of every method, a line an optimizer."""
        return self.sections()[0].figure()

    def __str__(self) -> str:
        """What was trained, and the verdicts."""
        return "\n".join([sections.trained(self), *map(str, self.findings)])


def study_optimizers(
    splits: Splits,
    *,
    out: str | Path,
    grid: OptimizerGrid | None = None,
    title: str = "tasks",
    images: tuple[int, int] | None = None,
    watch: Watch = lambda _: None,
) -> OptimizerStudy:
    """Train every optimizer with every method and see which of the findings hold.

    Args:
        splits: Training and validation rows and the sealed test rows, from :mod:`cotrain.data`.
        out: The run folder; an interrupted study of the same data and grid is continued.
        grid: What is trained; five optimizers, eight methods, eight learning rates, three seeds by default.
        title: Name of the data set.
        images: Height and width of the inputs, if they are images in [0, 1]: adds the corruptions.
        watch: Called with progress updates.

    Raises:
        InputError: If the folder holds something else, there is one task only, TorchJD is missing, or the
            inputs are no such images.
    """
    if len(splits.tasks) < 2:
        raise InputError("the study compares ways of training tasks together: give two or more")
    if images is not None:
        for part in (splits.development.train, splits.development.valid):
            check_images(part.inputs, images)
    folder, grid = RunFolder(Path(out)), grid or OptimizerGrid()
    asked = {"grid": repr(grid), "images": images}
    folder.claim(splits.identity(verb="study optimizers", title=title, settings=asked))
    if not folder.has(RESULT):
        trainer = OptimizerTrainer(splits=splits, folder=folder, grid=grid, watch=watch)
        _study(trainer, images).save(folder.path(RESULT))
    folder.drop_working_files()
    return OptimizerStudy.load(folder.path(RESULT))


def _study(trainer: OptimizerTrainer, images: tuple[int, int] | None) -> OptimizerStudy:
    grid, tasks = trainer.grid, trainer.splits.tasks
    alone = trainer.alone()
    alone_valid = np.concatenate([trainer.by_seed(t.valid[t.kept][None]) for t in alone])
    means = alone_valid.mean(axis=1)
    baseline = np.where(np.isfinite(means), means, -np.inf).argmax(axis=0)
    base_valid = _picked(alone_valid, baseline).mean(axis=0)
    together = trainer.together(base_valid)
    gradients = trainer.gradients(together)
    seeds = grid.seeds
    rates = np.array([contestant.learning_rates for contestant in grid.contestants])
    valid = np.stack([[t.valid.reshape(-1, seeds, len(tasks)) for t in row] for row in together])
    chosen = np.array([[int(t.kept[0]) // seeds for t in row] for row in together])
    uniform = valid[np.arange(len(rates)), 0, chosen[:, 0]]  # [O, S, T]
    losses = relative_loss(tasks, uniform, base_valid)[..., np.isfinite(base_valid)]
    steady = best_rate(losses.mean(axis=2))
    test = trainer.open_test(np.take_along_axis(rates, chosen, axis=1))
    scores = np.stack([[trainer.test(t, test) for t in row] for row in together])
    robustness = np.zeros((1, 2, seeds, 0, len(tasks)))
    if images is not None:
        pair = (together[steady][0], picked(alone, baseline.tolist()))
        robustness = trainer.robustness(pair, test, images)
    cost = trainer.cost()
    return OptimizerStudy(
        tasks=tuple(task.name for task in tasks),
        kinds=tuple(str(task.kind) for task in tasks),
        optimizers=tuple(contestant.name for contestant in grid.contestants),
        rules=tuple(type(contestant.optimizer).__name__ for contestant in grid.contestants),
        methods=tuple(method.name for method in grid.methods),
        rates=rates,
        chosen=chosen,
        valid=valid,
        test=np.moveaxis(scores, 2, 0),
        lone=grid.lone,
        alone_valid=alone_valid,
        alone_test=np.stack([trainer.by_seed(trainer.test(t, test)) for t in alone], axis=1),
        baseline=baseline,
        gradients=gradients,
        robustness=robustness,
        steady=grid.contestants[steady].name,
        seed=grid.seed,
        engine=trainer.engine.executor.name,
        trainings=cost.trainings,
        examples=cost.examples,
        seconds=cost.seconds,
        notes=trainer.splits.notes,
    )


def _picked(scores: Array, baseline: NDArray[np.int64]) -> Array:
    """``[..., S, T]`` of each task's optimizer, from ``[..., O', S, T]``."""
    at = baseline.reshape(*[1] * (scores.ndim - 1), -1)
    return np.take_along_axis(scores, at, axis=-3).squeeze(-3)
