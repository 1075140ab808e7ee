"""The engine: trains any number of members in cohorts that fit in memory, and survives being killed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from cotrain.artifacts import RunFolder
from cotrain.data.taskdata import Development
from cotrain.models.multitask import Architecture
from cotrain.population import checkpoint
from cotrain.population.batches import batch_count
from cotrain.population.calibration import Calibration
from cotrain.population.executor import Executor
from cotrain.population.member import Member, Recipe
from cotrain.population.trained import Trained, from_progress, merge
from cotrain.population.training import Progress, start, train_cohort

COHORT_BYTES = 1 << 30  # stacked parameters, moments and activations of a cohort
MOST_MEMBERS = 64
CHECKPOINT_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Update:
    """News for whoever shows progress: ``done`` of ``total`` member-rounds of a stage."""

    stage: str
    done: int
    total: int
    loss: float  # weighted validation loss, averaged over members


Watch = Callable[[Update], None]


@dataclass(frozen=True, kw_only=True)
class Engine:
    """Everything that is the same for all populations of a run.

    Args:
        architecture: Builds a fresh network for a seed.
        development: Training and validation rows.
        recipe: How members are trained.
        executor: Who computes.
        calibration: Why this executor.
        folder: Where finished cohorts and checkpoints go; the run resumes from it.
        watch: Called after every round.
        checkpoint_seconds: Time between checkpoints of an unfinished cohort.
    """

    architecture: Architecture
    development: Development
    recipe: Recipe
    executor: Executor
    calibration: Calibration
    folder: RunFolder
    watch: Watch = field(default=lambda _: None)
    checkpoint_seconds: float = CHECKPOINT_SECONDS

    def train(self, stage: str, members: Sequence[Member]) -> Trained:
        """Train all members. Finished cohorts of the same stage are read back instead.

        Args:
            stage: Names the files; each stage of a run has its own.
            members: Any number; a member's result does not depend on the others.
        """
        total = len(members) * self.recipe.rounds
        parts: list[Trained] = []
        for at, cohort in enumerate(self._cohorts(members)):
            base = sum(len(part.members) for part in parts) * self.recipe.rounds
            parts.append(self._cohort(f"population/{stage}-{at}", cohort, stage, base, total))
        return merge(parts)

    def _cohorts(self, members: Sequence[Member]) -> list[list[Member]]:
        """Members that stand together and share weighting and optimiser, as many as fit in memory."""
        alike = groupby(members, key=lambda member: (member.weighting, member.optimiser))
        cohorts = []
        for _, group in alike:
            run = list(group)
            by_task = len(run[0].weights) if run[0].optimiser.by_task else 1
            size = cohort_size(self.architecture, self.recipe, gradients=by_task)
            cohorts += [run[at : at + size] for at in range(0, len(run), size)]
        return cohorts

    def forget(self, stage: str, members: Sequence[Member]) -> None:
        """Delete the files of a stage whose result is kept elsewhere."""
        for cohort in range(len(self._cohorts(members))):
            self.folder.remove(f"population/{stage}-{cohort}.safetensors")

    def predict(self, trained: Trained, inputs: Tensor) -> Tensor:
        """``[P, O, N]`` outputs of each member on other rows, each task's from its best round."""
        return trained.predict(self.executor, inputs, self.development.tasks)

    def examples(self, trained: Trained) -> int:
        """Training examples the population has processed, summed over members."""
        return int(trained.rounds_run.sum()) * self.examples_in_round

    @property
    def examples_in_round(self) -> int:
        """Training examples that one member sees in a round."""
        rows, batches = len(self.development.train), self.batches_in_round
        return batches * (rows // batches)

    @property
    def batches_in_round(self) -> int:
        """Optimiser steps in one round."""
        return batch_count(len(self.development.train), self.recipe.batch_size)

    def _cohort(
        self, name: str, cohort: Sequence[Member], stage: str, base: int, total: int
    ) -> Trained:
        done, partial = f"{name}.safetensors", f"{name}.checkpoint.safetensors"
        if self.folder.has(done):
            progress, facts, _ = checkpoint.load(self.folder, done)
            return from_progress(cohort, progress, facts["seconds"])
        spent = 0.0
        if self.folder.has(partial):
            progress, facts, _ = checkpoint.load(self.folder, partial)
            spent = facts["seconds"]
        else:
            progress = start(cohort, self.architecture, self.development)
        began = saved = time.monotonic()

        def after_round(progress: Progress) -> None:
            nonlocal saved
            self.watch(_update(stage, base, total, cohort, progress, self.recipe))
            now = time.monotonic()
            if progress.active and now - saved >= self.checkpoint_seconds:
                checkpoint.save(self.folder, partial, progress, seconds=spent + now - began)
                saved = now

        train_cohort(
            cohort, progress, self.executor, self.development, self.recipe, after_round=after_round
        )
        seconds = spent + time.monotonic() - began
        checkpoint.save(self.folder, done, checkpoint.finished(progress), seconds=seconds)
        self.folder.remove(partial)
        return from_progress(cohort, progress, seconds)


def cohort_size(architecture: Architecture, recipe: Recipe, *, gradients: int = 1) -> int:
    """Members that train side by side: as many as fit in ``COHORT_BYTES``, at most 64.

    Counted for a member: parameters, gradients, two moments and a copy for the products, and twice what
    autograd would keep of a batch. The size depends on nothing that varies from run to run, so a
    resumed run forms the same cohorts.

    Args:
        architecture: Of a member.
        recipe: Says how large a batch is.
        gradients: How many gradients, and moments, the optimiser keeps of every parameter.
    """
    net = architecture.build(seed=0)
    parameters = sum(p.numel() * p.element_size() for p in net.parameters())
    one, two = (_kept_bytes(net, architecture.sample.repeat_interleave(n, 0)) for n in (2, 4))
    activations = recipe.batch_size * (two - one) // 2
    return max(1, min(MOST_MEMBERS, COHORT_BYTES // (5 * gradients * parameters + 2 * activations)))


def _kept_bytes(net: nn.Module, inputs: Tensor) -> int:
    kept = 0

    def count(tensor: Tensor) -> Tensor:
        nonlocal kept
        kept += tensor.numel() * tensor.element_size()
        return tensor

    with saved_tensors_hooks(count, lambda tensor: tensor):
        net(inputs)
    return kept


def flops_per_example(architecture: Architecture) -> float:
    """Floating-point operations of one training example, forward and backward."""
    net = architecture.build(seed=0)
    with FlopCounterMode(display=False) as counter:
        net(architecture.sample.repeat_interleave(2, 0)).sum().backward()
    return float(counter.get_total_flops()) / 2


def _update(
    stage: str, base: int, total: int, cohort: Sequence[Member], progress: Progress, recipe: Recipe
) -> Update:
    """Stopped members count as done with all their rounds."""
    stopped = len(cohort) - len(progress.active)
    done = base + stopped * recipe.rounds + len(progress.active) * progress.round
    weights = torch.tensor([member.weights for member in cohort])
    losses = torch.where(weights > 0, progress.loss, 0.0)
    mean = (weights * losses).sum(dim=1) / weights.sum(dim=1)
    return Update(stage=stage, done=done, total=total, loss=float(mean.mean()))
