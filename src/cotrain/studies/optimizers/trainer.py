"""The population engine as the trainer of the optimizer study: one population an optimizer and method.

Letters: O optimizers, M methods, L learning rates, S seeds, T tasks, C image sets, R draws.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from cotrain.arrays import Array
from cotrain.data.dataset import TaskData
from cotrain.engine.build import build_engine
from cotrain.engine.engine import Engine
from cotrain.engine.member import Member
from cotrain.engine.recipe import recipe_for
from cotrain.results import Cost
from cotrain.studies.optimizers.contestants import OptimizerGrid
from cotrain.studies.optimizers.estimates import relative_loss
from cotrain.studies.optimizers.inter_task import compare_gradients
from cotrain.studies.optimizers.robustness import image_sets, refitted_scores
from cotrain.studies.optimizers.tuning import Tuned, best_rate, tune
from cotrain.studies.redrawn import redrawn_scores
from cotrain.studies.trainer import StudyDesign, StudyTrainer

Rows = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True)
class OptimizerTrainer(StudyTrainer):
    """Trains everything that a grid asks for, once; what was done before is read back.

    Args:
        grid: What is trained.
    """

    grid: OptimizerGrid

    @cached_property
    def engine(self) -> Engine:
        """The engine that trains all populations; weight decays are the members' own."""
        development = self.splits.development
        recipe = self.grid.recipe or recipe_for(len(development.train), seed=self.grid.seed)
        return build_engine(
            self.folder,
            development,
            replace(recipe, weight_decay=1.0),
            widths=self.grid.widths,
            low_precision=False,
            watch=self.watch,
        )

    def alone(self) -> list[Tuned]:
        """Each task alone, a population for every contestant that is not by task; kept are ``[S · T]``."""
        (rates, seeds), tasks = self._shape, len(self.splits.tasks)

        def choose(valid: Array) -> Rows:
            own = np.einsum("lstt->lst", valid.reshape(rates, seeds, tasks, tasks))
            best = np.array([best_rate(-own[..., t]) for t in range(tasks)])
            return ((best * seeds + np.arange(seeds)[:, None]) * tasks + np.arange(tasks)).ravel()

        return [
            self._tune(
                f"single-{o}",
                self.grid.alone(self.grid.contestants[o], tasks),
                choose,
                stage=f"{self.grid.contestants[o].name}, each task alone",
            )
            for o in self.grid.lone
        ]

    def together(self, baseline: Array) -> list[list[Tuned]]:
        """``[O][M]`` populations; kept are the ``[S]`` members at the rate of the least Δm on validation.

        Args:
            baseline: ``[T]`` validation scores that Δm compares with; tasks without one do not choose.
        """
        tasks, known = self.splits.tasks, np.isfinite(baseline)

        def choose(valid: Array) -> Rows:
            losses = relative_loss(tasks, valid, baseline)[:, known].mean(axis=1)
            return best_rate(losses.reshape(self._shape)) * self.grid.seeds + np.arange(
                self.grid.seeds
            )

        return [
            [
                self._tune(
                    f"{o}-{m}",
                    self.grid.together(contestant, method, len(tasks)),
                    choose,
                    stage=f"{contestant.name}, {method.name}",
                )
                for m, method in enumerate(self.grid.methods)
            ]
            for o, contestant in enumerate(self.grid.contestants)
        ]

    def gradients(self, chosen: Sequence[Sequence[Tuned]]) -> Array:
        """``[O, S, 2, 3]`` of uniform weights at the chosen rates, see :func:`compare_gradients`."""
        found = []
        for o, (contestant, (uniform, *_)) in enumerate(
            zip(self.grid.contestants, chosen, strict=True)
        ):
            members = self.grid.together(contestant, self.grid.methods[0], len(self.splits.tasks))
            file = f"scores/gradients-{o}.safetensors"
            if not self.folder.has(file):
                kept = [members[row] for row in uniform.kept]
                compared, cost = compare_gradients(self.engine, kept)
                tensors = {"compared": torch.from_numpy(compared)}
                self.folder.write_tensors(file, tensors, asdict(cost))
            tensors, facts = self.folder.read_tensors(file)
            self._costs[file] = Cost(**facts)
            found.append(tensors["compared"].numpy())
            self.say("gradients", o + 1, len(self.grid.contestants))
        return np.stack(found)

    def design(self, chosen: Array) -> StudyDesign:
        """The decision that opens the test split: the ``[O, M]`` learning rates that were chosen."""
        compared = [
            f"{contestant.name}, {method.name}, learning rate {rate:g}"
            for contestant, rates in zip(self.grid.contestants, chosen, strict=True)
            for method, rate in zip(self.grid.methods, rates, strict=True)
        ]
        return StudyDesign.of(self.splits.tasks, compared)

    def test(self, tuned: Tuned, test: TaskData) -> Array:
        """``[1 + R, K, T]`` scores on the test rows, then on R draws of them."""
        outputs = tuned.outputs(self.engine, test.inputs)
        return redrawn_scores(test, outputs, tuned.best_epoch > 0, seed=self.grid.seed)

    def robustness(self, pair: Sequence[Tuned], test: TaskData, size: tuple[int, int]) -> Array:
        """``[1 + R, 2, S, C, T]`` of two populations whose networks speak for all tasks together."""
        train, net = self.splits.development.train, self.engine.architecture.build(seed=0)
        sets = [inputs for _, _, inputs in image_sets(test, size, seed=self.grid.seed)]
        found = []
        for at, tuned in enumerate(pair):
            scores = refitted_scores(net, tuned, train, test, sets, seed=self.grid.seed)
            found.append(self.by_seed(scores.swapaxes(2, 3)).swapaxes(2, 3))
            self.say("corruptions", at + 1, len(pair))
        return np.stack(found, axis=1)

    def by_seed(self, scores: Array) -> Array:
        """``[D, S, T, ...]`` from ``[D, K, T, ...]``: networks of all tasks, or of one each."""
        seeds, tasks = self.grid.seeds, len(self.splits.tasks)
        if scores.shape[1] == seeds and tasks > 1:
            return scores
        own = scores.reshape(scores.shape[0], seeds, tasks, tasks, *scores.shape[3:])
        return np.stack([own[:, :, t, t] for t in range(tasks)], axis=2)

    @property
    def _shape(self) -> tuple[int, int]:
        return len(self.grid.contestants[0].learning_rates), self.grid.seeds

    def _tune(
        self,
        name: str,
        members: Sequence[Member],
        choose: Callable[[Array], Rows],
        *,
        stage: str,
    ) -> Tuned:
        engine = replace(self.engine, watch=self.called(stage))
        tuned = tune(engine, name, members, choose)
        self._costs[name] = tuned.cost
        return tuned
