"""Linear models, one a task: what the simplest honest model reaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cotrain.arrays import Array
from cotrain.baselines import linear
from cotrain.baselines.linear import LinearModel, Prepared
from cotrain.contenders.base import BASELINE, ModelContender, Terms
from cotrain.data.dataset import Development, Rows
from cotrain.tasks import Task


@dataclass(frozen=True, kw_only=True)
class Linear(ModelContender):
    """Ridge regression or logistic regression for each task.

    Nothing is drawn and no validation row is used, so that models of the same training rows are the same.
    """

    name = "linear"
    purpose = tuning_purpose = BASELINE
    compared_with = ("single",)

    _prepared: list[Prepared] = field(default_factory=list, repr=False, compare=False)

    def fit(self, cuts: Sequence[Development], task: int, *, tried: int) -> list[LinearModel]:
        """Penalties are chosen on the training rows; what all tasks share is kept until the last one."""
        known = list(self._prepared)
        for cut in cuts:
            if not any(own.train is cut.train for own in known):
                known.append(Prepared(cut.train))
        wanted = [next(own for own in known if own.train is cut.train) for cut in cuts]
        different = list({id(own): own for own in wanted}.values())
        fitted = {id(own): own.fit(task) for own in different}
        self._prepared[:] = different if task + 1 < len(cuts[0].tasks) else []
        return [fitted[id(own)] for own in wanted]

    def predict(self, task: Task, model: LinearModel, rows: Rows) -> Array:
        """Probabilities or standardised values by one model."""
        return model.predict(task, rows.columns)

    def save(self, models: list[LinearModel], path: Path) -> None:
        """As safetensors."""
        linear.save(models, path)

    def load(self, path: Path) -> list[LinearModel]:
        """From safetensors."""
        return linear.load(path)

    def trainings(self, terms: Terms) -> int:
        """One a seed: the penalty is chosen within."""
        return terms.seeds
