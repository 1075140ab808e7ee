"""Gradient-boosted trees, one model a task: the honest alternative to every network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cotrain.arrays import Array
from cotrain.baselines.boosted import HistTrees, TreeLearner, fit_task, tree_data
from cotrain.baselines.folds import fit_folds
from cotrain.contenders.base import BASELINE, Model, ModelContender, one_cut
from cotrain.data.dataset import Development, Rows
from cotrain.tasks import Task


@dataclass(frozen=True, kw_only=True)
class Trees(ModelContender):
    """Boosted trees for each task, tuned and averaged over seeds as the networks are.

    Args:
        learner: The library behind.
    """

    name = "trees"
    purpose = tuning_purpose = BASELINE
    compared_with = ("single",)

    learner: TreeLearner = field(default_factory=HistTrees)

    @property
    def label(self) -> str:
        """With the library's name."""
        return f"{self.name} ({self.learner.name})"

    def fit(self, cuts: Sequence[Development], task: int, *, tried: int) -> list[Model]:
        """With one cut: tune on seed 0, then train the best setting from the other seeds too."""
        if one_cut(cuts):
            data = tree_data(cuts[0], task)
            return fit_task(self.learner, lambda _: data, candidates=tried, seeds=len(cuts))
        folds = [tree_data(cut, task) for cut in cuts]
        return fit_folds(self.learner, folds, candidates=tried)

    def predict(self, task: Task, model: Model, rows: Rows) -> Array:
        """Probabilities or standardised values by one model."""
        return self.learner.predict(task, model, rows.columns)

    def save(self, models: list[Model], path: Path) -> None:
        """In the library's own format."""
        self.learner.save(models, path)

    def load(self, path: Path) -> list[Model]:
        """From the library's own format."""
        return self.learner.load(path)
