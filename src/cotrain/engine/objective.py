"""The one seam between who proposes weights and who trains them.

A searcher (sampled gains, exhaustive subsets, population-based training) calls an objective and never
sees a network; the engine, a cluster or three lines in a test answer it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from cotrain.engine.engine import Engine
from cotrain.engine.member import Member
from cotrain.engine.tuning import Setting, held_scores
from cotrain.errors import InputError

Scores = NDArray[np.float64]


class Objective(Protocol):
    """Trains a population of weight vectors and scores every member on validation.

    >>> def fake(weights, seeds):  # every helper brings a tenth
    ...     return np.where(weights > 0, 0.1 * (weights.sum(axis=1, keepdims=True) - 1), np.nan)
    >>> fake(np.array([[1.0, 1.0, 0.0]]), [0])
    array([[0.1, 0.1, nan]])
    """

    def __call__(self, weights: Scores, seeds: Sequence[int]) -> Scores:
        """Scores of P members.

        Args:
            weights: ``[P, T]`` loss weights, non-negative, no row all zero.
            seeds: ``[P]`` seed of each member.

        Returns:
            ``[P, T]`` validation scores, higher is better, NaN where the weight is 0 or the score is
            not defined.
        """
        ...


@dataclass(kw_only=True)
class EngineObjective:
    """The objective that trains members with the engine, on a user's data.

    Scores are the tasks' metrics on validation at each task's best epoch. Every call is one population;
    its scores stay in the run folder, so a resumed search asks again and is answered at once. The models
    are not kept.

    Args:
        engine: Who trains.
        stage: Names the files.
        setting: Learning rate and dropout of every member.
        trainings: Members trained so far, those of an interrupted run included.
        examples: Training examples that they saw.
        seconds: Time that their training took.
    """

    engine: Engine
    stage: str
    setting: Setting
    trainings: int = field(default=0, init=False)
    examples: int = field(default=0, init=False)
    seconds: float = field(default=0.0, init=False)
    _calls: int = field(default=0, init=False)

    def __call__(self, weights: Scores, seeds: Sequence[int]) -> Scores:
        """Train the asked members as one population, or read its scores from the run folder."""
        file = f"scores/{self.stage}-{self._calls}.safetensors"
        asked = torch.from_numpy(np.column_stack([weights, seeds]).astype(np.float64))
        stage = f"{self.stage}-{self._calls}"
        members = self._members(stage, asked)
        if not self.engine.folder.has(file):
            self._train(file, asked, stage, members)
        tensors, facts = self.engine.folder.read_tensors(file)
        if not torch.equal(tensors["asked"], asked):
            raise InputError(f"{self.engine.folder.path(file)} holds other task sets: start afresh")
        self.engine.forget(stage, members)  # a kill may have come before
        self._calls += 1
        self.trainings += len(asked)
        self.examples += facts["examples"]
        self.seconds += facts["seconds"]
        scores: Scores = tensors["scores"].numpy()
        return scores

    def _members(self, stage: str, asked: torch.Tensor) -> list[Member]:
        return [
            Member(
                name=f"{stage}/{row}",
                weights=tuple(map(float, line[:-1])),
                seed=int(line[-1]),
                learning_rate=self.setting.learning_rate,
                dropout=self.setting.dropout,
                epochs=self.setting.epochs,
            )
            for row, line in enumerate(asked.tolist())
        ]

    def _train(self, file: str, asked: torch.Tensor, stage: str, members: Sequence[Member]) -> None:
        trained = self.engine.train(stage, members)
        scores = held_scores(trained, self.engine.development)
        facts = {"examples": self.engine.examples(trained), "seconds": trained.seconds}
        tensors = {"asked": asked, "scores": torch.from_numpy(scores)}
        self.engine.folder.write_tensors(file, tensors, facts)
