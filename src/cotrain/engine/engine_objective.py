"""The engine as an objective: trains weight vectors and scores them on validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from cotrain.engine.engine import Engine
from cotrain.engine.member import Member
from cotrain.engine.objective import Scores
from cotrain.engine.tuning import Setting, member_scores
from cotrain.errors import InputError


@dataclass(kw_only=True)
class EngineObjective:
    """An :class:`~cotrain.engine.objective.Objective` on a user's data.

    Scores are the tasks' metrics on validation at each task's best epoch. Every call is one population;
    its scores stay in the run folder, so a resumed search asks again and is answered at once. The models
    are not kept.

    Args:
        engine: Who trains.
        stage: Names the files.
        setting: Learning rate and dropout of every member.
        trainings: Members trained so far, those of an interrupted run included; likewise below.
        examples: Training examples they saw.
        seconds: Wall time.
    """

    engine: Engine
    stage: str
    setting: Setting
    trainings: int = field(default=0, init=False)
    examples: int = field(default=0, init=False)
    seconds: float = field(default=0.0, init=False)
    _calls: int = field(default=0, init=False)

    def __call__(self, weights: Scores, seeds: Sequence[int]) -> Scores:
        """See :class:`~cotrain.engine.objective.Objective`."""
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
            )
            for row, line in enumerate(asked.tolist())
        ]

    def _train(self, file: str, asked: torch.Tensor, stage: str, members: Sequence[Member]) -> None:
        trained = self.engine.train(stage, members)
        scores = member_scores(trained, self.engine.development.valid)
        facts = {"examples": self.engine.examples(trained), "seconds": trained.seconds}
        tensors = {"asked": asked, "scores": torch.from_numpy(scores)}
        self.engine.folder.write_tensors(file, tensors, facts)
