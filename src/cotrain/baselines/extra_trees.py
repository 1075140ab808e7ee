"""Extremely randomised trees, one forest a task: many deep trees whose splits are drawn, averaged.

Geurts, Ernst & Wehenkel (2006), *Extremely randomized trees*. Each tree draws its rows, too, so that
the rows that it has not drawn choose the setting, and none need be held out.
Letters: N rows, F columns, S models.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED

import numpy as np

from cotrain.arrays import Array
from cotrain.baselines.boosted import Model, TreeData, all_classes, threads
from cotrain.tasks import Kind, Task, score

TREES = 50  # a model; a run averages those of its seeds
MOST_CELLS = 1_000_000  # of the columns; of more, the first setting does without a contest
LARGEST = np.finfo(np.float32).max  # the trees compare in single precision
LEAVES = 500
"""Leaves of a tree at most are about so many: more rows make larger leaves, so that files stay small."""

SETTINGS: tuple[dict[str, Any], ...] = (
    {"min_samples_leaf": 1, "max_features": 0.5},
    {"min_samples_leaf": 3, "max_features": "sqrt"},
    {"min_samples_leaf": 5, "max_features": 0.5},
)

MOST_FEATURES = 100  # looked at for a split: more make wide tables slow, and are no better on Tox21


def choose(data: TreeData, *, tried: int, seed: int) -> tuple[Model, dict[str, Any]]:
    """The forest of the first so many settings whose trees score best on rows they have not drawn.

    Args:
        data: The rows of a task; those for validation are not looked at.
        tried: Settings tried.
        seed: Of the forests.
    """
    tried = tried if data.columns.size <= MOST_CELLS else 1
    found = [(fit(data, own, seed), own) for own in SETTINGS[:tried]]
    if len(found) == 1:
        return found[0]
    return max(found, key=lambda pair: _out_of_bag(data, pair[0]))


def fit(data: TreeData, setting: dict[str, Any], seed: int) -> Model:
    """A forest; where all labels are the same, what predicts that one."""
    from sklearn import dummy, ensemble

    regression = data.task.kind is Kind.REGRESSION
    if data.labels.min() == data.labels.max():
        alone = dummy.DummyRegressor() if regression else dummy.DummyClassifier(strategy="prior")
        return alone.fit(data.columns, data.labels)
    kind = ensemble.ExtraTreesRegressor if regression else ensemble.ExtraTreesClassifier
    share = setting["max_features"]
    if isinstance(share, float):
        share = int(np.clip(share * data.columns.shape[1], 1, MOST_FEATURES))
    forest = kind(
        min_samples_leaf=max(setting["min_samples_leaf"], len(data.labels) // LEAVES),
        max_features=share,
        n_estimators=TREES,
        bootstrap=True,
        oob_score=len(data.labels) > 10,  # of fewer rows, some would be in every tree's draw
        random_state=seed,
        n_jobs=threads(data.columns),
    )
    return forest.fit(_single(data.columns), data.labels)


def predict(task: Task, model: Model, columns: Array) -> Array:
    """``[N]`` probabilities or standardised values, or ``[N, classes]`` probabilities."""
    if task.kind is Kind.REGRESSION:
        return np.asarray(model.predict(_single(columns)), dtype=np.float64)
    return all_classes(task, model.classes_, model.predict_proba(_single(columns)))


def _single(columns: Array) -> Array:
    return np.clip(columns, -LARGEST, LARGEST).astype(np.float32)


def _out_of_bag(data: TreeData, model: Model) -> float:
    if not getattr(model, "oob_score", False):
        return 0.0
    if data.task.kind is Kind.REGRESSION:
        return score(data.task, model.oob_prediction_, data.labels)
    found = all_classes(data.task, model.classes_, model.oob_decision_function_)
    return score(data.task, found, data.labels)


def save(models: Sequence[Model], path: Path) -> None:
    """Write a compressed skops file."""
    import skops.io

    skops.io.dump(list(models), path, compression=ZIP_DEFLATED, compresslevel=6)


def load(path: Path) -> list[Model]:
    """Read a skops file that holds forests of extra trees and nothing else.

    Raises:
        ValueError: If it holds something else.
    """
    import skops.io
    from sklearn import dummy, ensemble

    kinds = (
        ensemble.ExtraTreesClassifier,
        ensemble.ExtraTreesRegressor,
        dummy.DummyClassifier,
        dummy.DummyRegressor,
    )
    models = skops.io.load(path, trusted=_TRUSTED)
    if not (isinstance(models, list) and all(isinstance(model, kinds) for model in models)):
        raise ValueError("the file holds something else than extra trees")
    if not all(
        _sound(tree.tree_) for model in models for tree in getattr(model, "estimators_", ())
    ):
        raise ValueError("the file holds trees whose nodes lead nowhere")
    return models


def _sound(tree: Any) -> bool:
    """Whether children stand after their parents and within the tree: the library does not look."""
    inner = np.flatnonzero(tree.children_left != -1)
    children = np.stack([tree.children_left[inner], tree.children_right[inner]])
    known = (tree.feature[inner] >= 0) & (tree.feature[inner] < tree.n_features)
    return bool(known.all() and (children > inner).all() and (children < tree.node_count).all())


_TRUSTED = ["sklearn.tree._tree.Tree"]
