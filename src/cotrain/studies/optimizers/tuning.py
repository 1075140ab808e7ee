"""Populations tuned on validation, of which only the chosen members' models are kept.

Letters: L learning rates, S seeds, T tasks, K kept members.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cotrain.arrays import Array
from cotrain.engine.cohorts.checkpoint import split_models
from cotrain.engine.engine import Engine
from cotrain.engine.member import Member
from cotrain.engine.trained import Models, predict
from cotrain.engine.tuning import member_scores
from cotrain.results import Cost

Rows = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """What is left of a population.

    Args:
        valid: ``[P, T]`` validation scores of all members; NaN for those that diverged.
        kept: ``[K]`` rows of the chosen members.
        best_epoch: ``[K, T]`` where each task of them was best.
        models: (place among the kept, epoch) → parameters and buffers.
        cost: What the training took.
    """

    valid: Array
    kept: Rows
    best_epoch: Tensor
    models: Models
    cost: Cost

    def outputs(self, engine: Engine, inputs: Tensor) -> Tensor:
        """``[K, O, N]`` outputs of the chosen members on other rows."""
        tasks = engine.development.tasks
        return predict(self.models, self.best_epoch, engine.executor, inputs, tasks)


def tune(
    engine: Engine,
    name: str,
    members: Sequence[Member],
    choose: Callable[[Array], Rows],
) -> Tuned:
    """Train a population and choose from it; what was done before is read back.

    Args:
        engine: Trains.
        name: Of the files.
        members: P members.
        choose: From ``[P, T]`` validation scores, NaN for members that diverged, to the rows of those to
            keep.
    """
    folder, file = engine.folder, f"scores/{name}.safetensors"
    if not folder.has(file):
        trained = engine.train(name, members)
        scores = member_scores(trained, engine.development.valid)
        valid = np.where(trained.diverged.numpy()[:, None], np.nan, scores)
        kept = choose(valid)
        models = {
            f"model/{place}/{epoch}/{key}": tensor
            for place, row in enumerate(kept.tolist())
            for (member, epoch), model in trained.models.items()
            if member == row
            for key, tensor in model.items()
        }
        tensors = {
            "valid": torch.from_numpy(valid),
            "kept": torch.from_numpy(kept),
            "best_epoch": trained.best_epoch[kept],
        }
        facts = {"examples": engine.examples(trained), "seconds": trained.seconds}
        folder.write_tensors(file, tensors | models, facts)
    engine.forget(name, members)  # a kill may have come before
    tensors, facts = folder.read_tensors(file)
    models = {key.removeprefix("model/"): t for key, t in tensors.items() if "/" in key}
    return Tuned(
        valid=tensors["valid"].numpy(),
        kept=tensors["kept"].numpy(),
        best_epoch=tensors["best_epoch"],
        models=split_models(models),
        cost=Cost(
            trainings=len(members), examples=int(facts["examples"]), seconds=facts["seconds"]
        ),
    )


def picked(alone: Sequence[Tuned], of_task: Sequence[int]) -> Tuned:
    """Networks of one task each, every task's from one of several populations.

    Args:
        alone: Their kept members are ``[S · T]``, a task's networks T apart.
        of_task: ``[T]`` population of each task.
    """
    tasks, count = len(of_task), len(alone[0].kept)
    owners = [alone[of_task[place % tasks]] for place in range(count)]
    return Tuned(
        valid=np.zeros((0, tasks)),
        kept=np.arange(count),
        best_epoch=torch.stack([own.best_epoch[place] for place, own in enumerate(owners)]),
        models={
            key: model
            for place, own in enumerate(owners)
            for key, model in own.models.items()
            if key[0] == place
        },
        cost=Cost(trainings=0, examples=0, seconds=0.0),
    )


def best_rate(losses: Array) -> int:
    """The learning rate with the least mean over seeds; one at which a seed failed is not chosen.

    Args:
        losses: ``[L, S]``, NaN where training failed; if all rates failed, the lowest is taken.

    >>> best_rate(np.array([[3.0, 3.0], [1.0, 2.0], [0.0, np.nan]]))
    1
    """
    mean = losses.mean(axis=1)
    return int(np.where(np.isfinite(mean), mean, np.inf).argmin())
