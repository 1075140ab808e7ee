"""What is trained, and the result, from data to :class:`OptimizerStudy`.

Departures from the paper: networks are the built-in MLP; the learning rate of every method and optimizer is
chosen on validation by Δm from as many rates for all; every task of every network speaks from its own best
epoch on validation; Δm is taken over each task alone, trained with the optimizer and the rate that
validation chose for it, and is measured on the sealed test split, opened once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from cotrain.data.dataset import Splits
from cotrain.engine.engine import Watch
from cotrain.errors import InputError
from cotrain.figures.section import Section
from cotrain.figures.style import Figure
from cotrain.folder import RunFolder
from cotrain.studies.findings import Finding
from cotrain.studies.optimizers import sections
from cotrain.studies.optimizers.contestants import OptimizerGrid
from cotrain.studies.optimizers.estimates import relative_loss
from cotrain.studies.optimizers.findings import findings
from cotrain.studies.optimizers.robustness import check_images
from cotrain.studies.optimizers.scores import OptimizerScores, of_baseline
from cotrain.studies.optimizers.trainer import OptimizerTrainer
from cotrain.studies.optimizers.tuning import best_rate, picked
from cotrain.studies.study import Study, run_study


@dataclass(frozen=True, kw_only=True)
class OptimizerStudy(Study, OptimizerScores):
    """What the study found: its scores, and what they say of the published findings."""

    FILE = "study.safetensors"

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The published findings and what these data say of them."""
        return findings(self)

    def sections(self) -> tuple[Section, ...]:
        """Δm, learning rates, gradients, and corruptions where there are images."""
        return sections.sections(self)

    def trained(self) -> str:
        """How many optimizers, methods, rates and seeds, and what they took."""
        return sections.trained(self)

    def figure(self) -> Figure:
        """Δm of every method, a line an optimizer."""
        return self.sections()[0].figure()

    def write(self, folder: RunFolder) -> None:
        """Keep the result in a run folder, arrays as tensors."""
        self.save(folder.path(self.FILE))

    @classmethod
    def read(cls, folder: RunFolder) -> Self:
        """The result of a finished study."""
        return cls.load(folder.path(cls.FILE))


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
    chosen = grid or OptimizerGrid()

    def study(folder: RunFolder) -> OptimizerStudy:
        return _study(
            OptimizerTrainer(splits=splits, folder=folder, grid=chosen, watch=watch), images
        )

    return run_study(
        OptimizerStudy,
        splits,
        study,
        name="optimizers",
        out=out,
        title=title,
        settings={"grid": repr(chosen), "images": images},
    )


def _study(trainer: OptimizerTrainer, images: tuple[int, int] | None) -> OptimizerStudy:
    grid, tasks = trainer.grid, trainer.splits.tasks
    alone = trainer.alone()
    alone_valid = np.concatenate([trainer.by_seed(t.valid[t.kept][None]) for t in alone])
    means = alone_valid.mean(axis=1)
    baseline = np.where(np.isfinite(means), means, -np.inf).argmax(axis=0)
    base_valid = of_baseline(alone_valid, baseline).mean(axis=0)
    together = trainer.together(base_valid)
    gradients = trainer.gradients(together)
    seeds = grid.seeds
    rates = np.array([contestant.learning_rates for contestant in grid.contestants])
    valid = np.stack([[t.valid.reshape(-1, seeds, len(tasks)) for t in row] for row in together])
    chosen = np.array([[int(t.kept[0]) // seeds for t in row] for row in together])
    uniform = valid[np.arange(len(rates)), 0, chosen[:, 0]]  # [O, S, T]
    losses = relative_loss(tasks, uniform, base_valid)[..., np.isfinite(base_valid)]
    steady = best_rate(losses.mean(axis=2))
    test = trainer.open_test(trainer.design(np.take_along_axis(rates, chosen, axis=1)))
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
