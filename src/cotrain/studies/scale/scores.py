"""Target scores and costs of every set of sources: what the training of a study of scale gives.

Letters: X sets of sources, T targets, K seeds, D draws, Z sizes.
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
from cotrain.folder import RunFolder
from cotrain.studies.scale.sets import ScalePlan, SourceSet
from cotrain.studies.trainer import StudyDesign
from cotrain.tasks import Task

FILE = "scores.safetensors"
ARRAYS = ("valid", "test", "examples", "epoch_examples", "seconds", "epoch_seconds")
BY_VALIDATION = -1


@dataclass(frozen=True, kw_only=True)
class StageOne:
    """What pre-finetuning on each set took; 0 for no sources.

    Args:
        examples: ``[X]`` training rows processed.
        epoch_examples: ``[X]`` rows in an epoch.
        seconds: ``[X]`` wall time, shared by examples among encoders that trained side by side.
        epoch_seconds: ``[X]`` of an epoch, likewise.
    """

    examples: Array
    epoch_examples: Array
    seconds: Array
    epoch_seconds: Array


class Trainer(Protocol):
    """Who pre-finetunes on sets of sources, fine-tunes targets, and scores them."""

    def pretrain(self, sets: Sequence[SourceSet]) -> StageOne:
        """Train an encoder for every set."""
        ...

    def finetune(self, target: int, sets: Sequence[SourceSet]) -> Array:
        """``[X, K]`` validation scores of a target from every set's encoder."""
        ...

    def test(self, decision: FinishedDecision, target: int, sets: Sequence[SourceSet]) -> Array:
        """``[X, K]`` its test scores."""
        ...


@dataclass(frozen=True, kw_only=True)
class ScaleScores(StageOne):
    """Everything that a study's numbers are computed from, stage 1 included; scores: higher is better.

    Args:
        targets: ``[T]`` names.
        family: ``[T]`` place of the target's own group among the groups; ``BY_VALIDATION`` if it has none.
        groups: ``[G]`` places in X of the sets of one group.
        sizes: ``[Z]`` numbers of sources.
        drawn: ``[D, Z]`` places in X of growing random sets with all their labels.
        fixed: ``[D, Z]`` the same with a fixed number of labels.
        valid: ``[X, T, K]``; no sources come first, then all.
        test: ``[X, T, K]``.
    """

    targets: tuple[str, ...]
    family: tuple[int, ...]
    groups: tuple[int, ...]
    sizes: tuple[int, ...]
    drawn: NDArray[np.intp]
    fixed: NDArray[np.intp]
    valid: Array
    test: Array

    def write(self, folder: RunFolder, sets: Sequence[Sequence[str]]) -> None:
        """Keep every score beside the names of its set: each number can be traced."""
        tensors = {name: torch.from_numpy(getattr(self, name)) for name in ARRAYS}
        facts = {"targets": self.targets, "sets": sets}
        folder.write_tensors(FILE, tensors, facts)


def collect(
    trainer: Trainer,
    tasks: Sequence[Task],
    targets: Sequence[int],
    family: Sequence[int],
    plan: ScalePlan,
) -> ScaleScores:
    """Train everything, then open the test split once.

    Args:
        trainer: Trains and scores.
        tasks: All tasks.
        targets: The T places of the targets among them.
        family: ``[T]`` place of each one's own group, or ``BY_VALIDATION``.
        plan: The sets.
    """
    stage_one = trainer.pretrain(plan.sets)
    valid = np.stack([trainer.finetune(target, plan.sets) for target in targets], axis=1)
    compared = [f"{own} → {tasks[t].name}" for t in targets for own in plan.sets]
    decision = StudyDesign.of(tasks, compared)
    test = np.stack([trainer.test(decision, target, plan.sets) for target in targets], axis=1)
    return ScaleScores(
        targets=tuple(tasks[t].name for t in targets),
        family=tuple(family),
        groups=tuple(plan.unions[name,] for name in plan.groups),
        sizes=plan.sizes,
        drawn=np.array(plan.drawn),
        fixed=np.array(plan.fixed),
        valid=valid,
        test=test,
        **vars(stage_one),
    )
