"""The engine: trains any number of members in cohorts that fit in memory, and survives being killed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby

from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from cotrain.data.dataset import Development
from cotrain.engine.batches import batches_in_epoch
from cotrain.engine.cohorts.local import LocalCluster
from cotrain.engine.cohorts.memory import gradients_kept, member_bytes
from cotrain.engine.cohorts.stage import Cohort, Stage, Update, Watch
from cotrain.engine.cohorts.workers import Cluster, Partition, WorkerContext, Workers, repeated
from cotrain.engine.executors.base import Executor
from cotrain.engine.executors.calibrate import Calibration
from cotrain.engine.member import Member
from cotrain.engine.models.multitask import Architecture
from cotrain.engine.recipe import Recipe
from cotrain.engine.trained import Trained
from cotrain.folder import RunFolder

__all__ = ["Engine", "Update", "Watch", "cohort_size", "flops_per_example"]

COHORT_BYTES = 1 << 30  # stacked parameters, moments and activations of a cohort
MOST_MEMBERS = 64
CHECKPOINT_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Engine:
    """Everything that is the same for all populations of a run.

    Args:
        architecture: Builds a fresh network for a seed.
        development: Training and validation rows.
        recipe: How members are trained.
        executor: Computes gradients and outputs.
        calibration: Why this executor.
        folder: Where finished cohorts and checkpoints go; the run resumes from it.
        watch: Called after every epoch.
        checkpoint_seconds: Time between checkpoints of an unfinished cohort.
        cluster: Provides the workers that train cohorts.
        partition: How populations are cut into cohorts.
    """

    architecture: Architecture
    development: Development
    recipe: Recipe
    executor: Executor
    calibration: Calibration
    folder: RunFolder
    watch: Watch = field(default=lambda _: None)
    checkpoint_seconds: float = CHECKPOINT_SECONDS
    cluster: Cluster = field(default_factory=LocalCluster)
    partition: Partition = field(default_factory=Partition)

    def train(self, stage: str, members: Sequence[Member]) -> Trained:
        """Train all members. Finished cohorts of the same stage are read back instead.

        Args:
            stage: Names the files; each stage of a run has its own.
            members: Any number; a member's result does not depend on the others.

        Raises:
            LostError: If workers keep dying; the run folder keeps what is done.
        """
        run = Stage(
            name=stage,
            cohorts=[
                Cohort(folder=self.folder, name=f"population/{stage}-{at}", members=tuple(cohort))
                for at, cohort in enumerate(self.cohorts(members))
            ],
            recipe=self.recipe,
            workers=self.workers,
            watch=self.watch,
            checkpoint_seconds=self.checkpoint_seconds,
        )
        return repeated(run.train)

    @cached_property
    def workers(self) -> Workers:
        """The workers that train cohorts."""
        context = WorkerContext(
            architecture=self.architecture, development=self.development, executor=self.executor
        )
        return self.cluster.workers(context)

    def cohorts(self, members: Sequence[Member]) -> list[list[Member]]:
        """Members that stand together and share weighting, optimizer and epochs, as many as fit in memory.

        Several workers share them out evenly.
        """
        alike = groupby(members, key=lambda own: (own.weighting, own.optimizer, own.epochs))
        found = []
        for _, group in alike:
            run = list(group)
            most = cohort_size(
                self.architecture,
                self.recipe,
                self.partition.memory_budget,
                gradients=gradients_kept(run[0]),
            )
            size = min(most, -(-len(run) // self.partition.parts))
            found += [run[at : at + size] for at in range(0, len(run), size)]
        return found

    def forget(self, stage: str, members: Sequence[Member]) -> None:
        """Delete the files of a stage whose result is kept elsewhere."""
        for cohort in range(len(self.cohorts(members))):
            self.folder.remove(f"population/{stage}-{cohort}.safetensors")

    def predict(self, trained: Trained, inputs: Tensor) -> Tensor:
        """``[P, O, N]`` outputs of each member on other rows, each task's from its best epoch."""
        return trained.predict(self.executor, inputs, self.development.tasks)

    def examples(self, trained: Trained) -> int:
        """Training examples the population has processed, summed over members."""
        return int(trained.epochs_run.sum()) * self.examples_in_epoch

    @property
    def examples_in_epoch(self) -> int:
        """Training examples that one member sees in an epoch."""
        rows, batches = self.development.training_size, self.batches_in_epoch
        return batches * (rows // batches)

    @property
    def batches_in_epoch(self) -> int:
        """Optimizer steps in one epoch."""
        return batches_in_epoch(self.development, self.recipe)


def cohort_size(
    architecture: Architecture,
    recipe: Recipe,
    memory_budget: int | None = None,
    *,
    gradients: int = 1,
) -> int:
    """Members that train side by side: as many as fit in a memory budget, at most 64.

    Args:
        architecture: Of every member.
        recipe: Of every member.
        memory_budget: Bytes; ``COHORT_BYTES`` if None. See
            :func:`~cotrain.engine.cohorts.memory.member_bytes`.
        gradients: See :func:`~cotrain.engine.cohorts.memory.gradients_kept`.
    """
    memory_budget = COHORT_BYTES if memory_budget is None else memory_budget
    return max(1, min(MOST_MEMBERS, memory_budget // member_bytes(architecture, recipe, gradients)))


def flops_per_example(architecture: Architecture) -> float:
    """Floating-point operations of one training example, forward and backward."""
    net = architecture.build(seed=0)
    with FlopCounterMode(display=False) as counter:
        net(architecture.sample.repeat_interleave(2, 0)).sum().backward()
    return float(counter.get_total_flops()) / 2
