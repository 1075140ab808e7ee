"""Independent gradient-boosted trees, one model a task: the honest alternative to every network.

Each task is tuned over as many candidates as a network is, on the same validation rows (which also stop
the boosting early), and then trained from as many seeds; the seeds' predictions are averaged. Where there
are folds instead of one validation split, :mod:`cotrain.baselines.folds` trains them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from cotrain.arrays import Array
from cotrain.data.dataset import Development
from cotrain.tasks import Kind, Task, score

Model = Any  # a fitted model of the library behind the learner

PATIENCE = 25  # boosting rounds without improvement on validation
MOST_ROUNDS = 500
CELLS_PER_THREAD = 2_000_000  # below, a second thread waits longer than it works


class TreeLearner(Protocol):
    """A gradient-boosting library."""

    @property
    def name(self) -> str:
        """Shown in the report."""
        ...

    @property
    def candidates(self) -> tuple[dict[str, Any], ...]:
        """Settings to tune over."""
        ...

    def fit(
        self, data: TreeData, candidate: dict[str, Any], seed: int, rounds: int | None = None
    ) -> Model:
        """Train one model until the validation rows stop it, or, without these, so many rounds."""
        ...

    def rounds(self, model: Model) -> int:
        """The boosting round at which the validation rows were predicted best."""
        ...

    def predict(self, task: Task, model: Model, columns: Array) -> Array:
        """``[n]`` probabilities or values, or ``[n, classes]`` probabilities."""
        ...

    def save(self, models: list[Model], path: Path) -> None:
        """Write models without pickle."""
        ...

    def load(self, path: Path) -> list[Model]:
        """Read what :meth:`save` wrote, refusing anything else."""
        ...


@dataclass(frozen=True, kw_only=True)
class TreeData:
    """One task's labelled rows.

    Args:
        task: The task.
        columns: ``[n, F]`` training columns, NaN where missing.
        labels: ``[n]`` codes or standardised values.
        valid_columns: ``[m, F]`` validation columns.
        valid_labels: ``[m]``.
        categorical: ``[F]`` which columns hold category codes.
    """

    task: Task
    columns: Array
    labels: Array
    valid_columns: Array
    valid_labels: Array
    categorical: NDArray[np.bool_]


def tree_data(development: Development, task: int) -> TreeData:
    """The labelled rows of a task."""
    rows, labels = development.train.labels(task)
    valid_rows, valid_labels = development.valid.labels(task)
    return TreeData(
        task=development.tasks[task],
        columns=development.train.columns[rows],
        labels=labels,
        valid_columns=development.valid.columns[valid_rows],
        valid_labels=valid_labels,
        categorical=development.train.categorical,
    )


def fit_task(
    learner: TreeLearner, data: Callable[[int], TreeData], *, candidates: int, seeds: int
) -> list[Model]:
    """Tune on seed 0, then train the best candidate from the other seeds too.

    Args:
        learner: The library.
        data: The rows of each seed; validation rows are the same for all.
        candidates: Settings tried.
        seeds: Models returned.
    """
    best, setting = tune(learner, data(0), candidates=candidates, seed=0)
    return [best, *(learner.fit(data(seed), setting, seed) for seed in range(1, seeds))]


def tune(
    learner: TreeLearner, data: TreeData, *, candidates: int, seed: int
) -> tuple[Model, dict[str, Any]]:
    """The model of the first so many settings that scores best on the validation rows, and its setting."""

    def quality(model: Model) -> float:
        predicted = learner.predict(data.task, model, data.valid_columns)
        return score(data.task, predicted, data.valid_labels)

    tried = [(learner.fit(data, own, seed), own) for own in learner.candidates[:candidates]]
    return max(tried, key=lambda pair: quality(pair[0]))


@dataclass(frozen=True, kw_only=True)
class HistTrees:
    """scikit-learn's ``HistGradientBoosting``. Random feature subsets make the seeds differ."""

    name: str = "HistGradientBoosting"
    candidates: tuple[dict[str, Any], ...] = (
        {"learning_rate": 0.1, "max_leaf_nodes": 31, "max_features": 0.5},
        {"learning_rate": 0.05, "max_leaf_nodes": 15, "max_features": 0.3},
        {"learning_rate": 0.1, "max_leaf_nodes": 8, "max_features": 0.5, "min_samples_leaf": 5},
    )

    def fit(
        self, data: TreeData, candidate: dict[str, Any], seed: int, rounds: int | None = None
    ) -> Model:
        """Fit ``HistGradientBoosting`` with as many bins as the columns need."""
        from sklearn import ensemble

        regression = data.task.kind is Kind.REGRESSION
        seen = np.isin(data.valid_labels, data.labels) | regression  # it refuses unseen classes
        kind = (
            ensemble.HistGradientBoostingRegressor
            if regression
            else ensemble.HistGradientBoostingClassifier
        )
        if not seen.any():  # nothing to stop on
            rounds = rounds or 1
        model = kind(
            **candidate,
            max_iter=rounds or MOST_ROUNDS,
            max_bins=_bins(data),
            early_stopping=rounds is None,
            n_iter_no_change=PATIENCE,
            categorical_features=data.categorical,
            random_state=seed,
        )
        judges = {"X_val": data.valid_columns[seen], "y_val": data.valid_labels[seen]}
        with threadpool_limits(threads(data.columns), "openmp"):
            return model.fit(data.columns, data.labels, **({} if rounds else judges))

    def rounds(self, model: Model) -> int:
        """Where the validation score was highest; its first entry is that of no round."""
        scores = model.validation_score_
        return max(1, int(np.argmax(scores))) if len(scores) else 1

    def predict(self, task: Task, model: Model, columns: Array) -> Array:
        """Probabilities over the task's classes, or values."""
        with threadpool_limits(threads(columns), "openmp"):
            if task.kind is Kind.REGRESSION:
                return np.asarray(model.predict(columns), dtype=np.float64)
            return all_classes(task, model.classes_, model.predict_proba(columns))

    def save(self, models: list[Model], path: Path) -> None:
        """Write a skops file."""
        import skops.io

        skops.io.dump(models, path)

    def load(self, path: Path) -> list[Model]:
        """Read a skops file that holds boosted trees and nothing else."""
        import skops.io
        from sklearn import ensemble

        kinds = (
            ensemble.HistGradientBoostingClassifier,
            ensemble.HistGradientBoostingRegressor,
        )
        models = skops.io.load(path, trusted=_TRUSTED)
        if not (isinstance(models, list) and all(isinstance(model, kinds) for model in models)):
            raise ValueError("the file holds something else than boosted trees")
        return models


_TRUSTED = [
    "functools.partial",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.utils.validation.check_array",
]


@dataclass(frozen=True, kw_only=True)
class LightGBMTrees:
    """LightGBM (extra ``gbm``). Random feature subsets make the seeds differ."""

    name: str = "LightGBM"
    candidates: tuple[dict[str, Any], ...] = (
        {"learning_rate": 0.05, "num_leaves": 31, "feature_fraction": 0.3},
        {"learning_rate": 0.1, "num_leaves": 15, "feature_fraction": 0.5},
        {"learning_rate": 0.05, "num_leaves": 8, "feature_fraction": 0.5, "min_data_in_leaf": 5},
    )

    def fit(
        self, data: TreeData, candidate: dict[str, Any], seed: int, rounds: int | None = None
    ) -> Model:
        """Train a booster."""
        import lightgbm

        settings = candidate | _objective(data.task) | {"seed": seed, "verbose": -1}
        settings["num_threads"] = threads(data.columns)
        categories = data.categorical.nonzero()[0].tolist()
        train = lightgbm.Dataset(data.columns, data.labels, categorical_feature=categories)
        if rounds is not None:
            return lightgbm.train(settings, train, rounds)
        valid = lightgbm.Dataset(data.valid_columns, data.valid_labels, reference=train)
        stop = lightgbm.early_stopping(PATIENCE, verbose=False)
        return lightgbm.train(settings, train, MOST_ROUNDS, valid_sets=[valid], callbacks=[stop])

    def rounds(self, model: Model) -> int:
        """As LightGBM found it."""
        return max(1, int(model.best_iteration))

    def predict(self, task: Task, model: Model, columns: Array) -> Array:
        """Probabilities or values."""
        return np.asarray(model.predict(columns), dtype=np.float64)

    def save(self, models: list[Model], path: Path) -> None:
        """Write the boosters' text as JSON."""
        import json

        path.write_text(json.dumps([model.model_to_string() for model in models]))

    def load(self, path: Path) -> list[Model]:
        """Read boosters from their text."""
        import json

        import lightgbm

        return [lightgbm.Booster(model_str=text) for text in json.loads(path.read_text())]


def _objective(task: Task) -> dict[str, Any]:
    if task.kind is Kind.MULTICLASS:
        return {"objective": "multiclass", "num_class": len(task.classes)}
    return {"objective": "binary" if task.kind is Kind.BINARY else "regression"}


def threads(columns: Array) -> int:
    """How many threads pay for so large a table."""
    return int(np.clip(columns.size // CELLS_PER_THREAD, 1, os.cpu_count() or 1))


def _bins(data: TreeData) -> int:
    """Bins that lose nothing: fingerprints need two, and a histogram's cost is its bins."""
    most = max(
        (len(np.unique(column[np.isfinite(column)])) for column in data.columns.T), default=2
    )
    return int(np.clip(most, 2, 255))


def all_classes(task: Task, present: NDArray[np.float64], probabilities: Array) -> Array:
    """Probabilities over the task's classes, from those over the classes seen in training."""
    full = np.zeros((len(probabilities), len(task.classes)))
    full[:, present.astype(int)] = probabilities[:, : len(present)]  # a lone class has two columns
    return full[:, 1] if task.kind is Kind.BINARY else full
