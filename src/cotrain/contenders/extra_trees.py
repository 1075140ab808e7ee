"""Extremely randomised trees, one forest a task: strong where rows are few and columns many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cotrain.arrays import Array
from cotrain.baselines import extra_trees
from cotrain.baselines.boosted import tree_data
from cotrain.contenders.base import BASELINE, Model, ModelContender
from cotrain.data.dataset import Development, Rows
from cotrain.tasks import Task


@dataclass(frozen=True, kw_only=True)
class ExtraTrees(ModelContender):
    """A forest of extremely randomised trees for each task, its setting chosen without held-out rows."""

    name = "extra trees"
    purpose = tuning_purpose = BASELINE
    compared_with = ("single",)

    def fit(self, cuts: Sequence[Development], task: int, *, tried: int) -> list[Model]:
        """The training rows of the first cut choose the setting for all: the only thing that is shared."""
        first, setting = extra_trees.choose(tree_data(cuts[0], task), tried=tried, seed=0)
        others = [tree_data(cut, task) for cut in cuts[1:]]
        return [first, *(extra_trees.fit(own, setting, s) for s, own in enumerate(others, start=1))]

    def predict(self, task: Task, model: Model, rows: Rows) -> Array:
        """Probabilities or standardised values by one model."""
        return extra_trees.predict(task, model, rows.columns)

    def save(self, models: list[Model], path: Path) -> None:
        """As skops."""
        extra_trees.save(models, path)

    def load(self, path: Path) -> list[Model]:
        """From skops."""
        return extra_trees.load(path)
