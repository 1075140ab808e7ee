"""What the trainers of all studies share: their costs, their progress, and the way to the test split."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from cotrain.data.dataset import FinishedDecision, Splits, TaskData
from cotrain.engine.engine import Update, Watch
from cotrain.folder import RunFolder
from cotrain.results import Cost
from cotrain.tasks import Task


@dataclass(frozen=True, kw_only=True)
class StudyDesign(FinishedDecision):
    """The trainings that a study compares, each tuned on validation; what they mean is fixed beforehand.

    Args:
        compared: Name of every training that is judged, its tuned setting included.
    """

    compared: tuple[str, ...]

    @classmethod
    def of(cls, tasks: Sequence[Task], compared: Sequence[str]) -> StudyDesign:
        """The decision to compare these trainings on these tasks."""
        return cls(tasks=tuple(tasks), compared=tuple(compared))

    @property
    def decided(self) -> str:
        """How many trainings are compared."""
        return f"a comparison of {len(self.compared)} tuned trainings"


@dataclass(frozen=True, kw_only=True)
class StudyTrainer:
    """The part of a study's trainer that knows nothing of its grid.

    Args:
        splits: The data.
        folder: Keeps what is trained until the study is finished.
        watch: Called with progress updates.
    """

    splits: Splits
    folder: RunFolder
    watch: Watch
    _costs: dict[str, Cost] = field(default_factory=dict, init=False)

    def cost(self) -> Cost:
        """What all trainings took, once they are done."""
        return Cost.total(self._costs.values())

    def open_test(self, decision: FinishedDecision) -> TaskData:
        """The test rows, in exchange for a finished decision; the one place where a study opens them."""
        return self.splits.test.open_for(decision)

    def say(self, stage: str, done: int, total: int) -> None:
        """Tell the watcher how far a stage is."""
        self.watch(Update(stage=stage, done=done, total=total, loss=math.nan))

    def called(self, stage: str) -> Watch:
        """A watcher that tells updates of an engine under the name of a stage."""
        return lambda news: self.watch(replace(news, stage=stage))
