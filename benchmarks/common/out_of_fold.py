"""Small tables in five folds, and the score of predictions for rows that their networks left out.

Letters: K folds, O outputs, T tasks, N rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from benchmarks.ship.tables import TABLES
from cotrain.arrays import Array
from cotrain.data.dataset import Development, Splits
from cotrain.data.folds import crossfitted
from cotrain.engine.recipe import Recipe, recipe_for
from cotrain.stats import Labels
from cotrain.tasks import score

FOLDS = 5
SMALL = (
    *("slump", "edm", "andro", "jura", "enb", "emotions", "yeast400", "adult400", "tox400"),
    *("wq", "oes10"),
)


def cut(name: str) -> Splits:
    """A table, cut as the first seed of the benchmark ``ship`` cuts it; its test split stays sealed."""
    return TABLES[name](0)


def folded(development: Development) -> Development:
    """Training and validation rows in five folds; the network of seed s leaves out fold s."""
    return crossfitted(development, seeds=FOLDS, seed=0)


def recipe_of(development: Development) -> Recipe:
    """That of a run on so many rows, whose networks train to the end."""
    return replace(recipe_for(development.training_size, seed=0), to_end=True)


def out_of_fold(outputs: Tensor, development: Development, seeds: Sequence[int]) -> Tensor:
    """``[O, N]`` outputs of each row from the network that left it out.

    Args:
        outputs: ``[K, O, M]`` for the rows that each network left out, the first ones of M.
        development: The folds.
        seeds: ``[K]``, one a fold.
    """
    found = torch.full((outputs.shape[1], len(development.rows)), torch.nan)
    for own, seed in zip(outputs, seeds, strict=True):
        rows = torch.from_numpy(development.fold(seed).held)
        found[:, rows] = own[:, : len(rows)]
    return found


def mean_score(
    development: Development, predicted: Sequence[Array], labels: Sequence[Labels]
) -> float:
    """Mean over tasks of the score on labelled rows; NaN if one is not defined.

    Args:
        development: The tasks.
        predicted: ``[T]`` predictions of the N rows.
        labels: ``[T]`` labelled rows and their labels.
    """
    tasks = zip(development.tasks, predicted, labels, strict=True)
    return float(np.mean([score(task, own[rows], target) for task, own, (rows, target) in tasks]))
