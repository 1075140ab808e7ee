"""Linear models, one a task: ridge regression for numbers, logistic regression for classes.

They need the training rows only: penalties are chosen on these, by leave-one-out errors or inner folds.
Letters: N rows, F tree columns, E encoded columns, K scores (1, or one a class), S models.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import expit, softmax
from threadpoolctl import threadpool_limits

from cotrain.arrays import Array
from cotrain.baselines.boosted import threads
from cotrain.baselines.design import Encoding, Scaled
from cotrain.baselines.logistic import logistic
from cotrain.baselines.ridge import Decomposition, ridge
from cotrain.data.dataset import TaskData
from cotrain.tasks import Kind, Task

SPARSE = 0.1  # share of cells that are not 0, below which products skip the others


@dataclass(frozen=True, kw_only=True)
class LinearModel:
    """Scores are ``encoding.apply(columns) @ weights + intercept``.

    Args:
        encoding: Of the columns.
        weights: ``[E, K]``.
        intercept: ``[K]``; minus infinity for a class that training lacks.
    """

    encoding: Encoding
    weights: NDArray[np.float64]
    intercept: NDArray[np.float64]

    def predict(self, task: Task, columns: Array) -> Array:
        """``[N]`` probabilities or standardised values, or ``[N, classes]`` probabilities."""
        with threadpool_limits(threads(columns), "blas"):
            scores = self.encoding.apply(columns) @ self.weights + self.intercept
        if task.kind is Kind.MULTICLASS:
            return np.asarray(softmax(scores, axis=1))
        return np.asarray(expit(scores[:, 0]) if task.kind is Kind.BINARY else scores[:, 0])


@dataclass(frozen=True)
class Prepared:
    """Training rows, encoded once for all tasks, and what tasks labelled on the same rows share.

    Args:
        train: The rows.
    """

    train: TaskData

    @cached_property
    def encoding(self) -> Encoding:
        """Of all training rows, labelled or not."""
        return Encoding.fit(self.train.columns, self.train.categorical)

    @cached_property
    def scaled(self) -> Scaled:
        """All training rows in standard units."""
        return Scaled.of(self.encoding.apply(self.train.columns))

    @cached_property
    def _decomposed(self) -> dict[bytes, Decomposition]:
        return {}

    def decomposition(self, rows: NDArray[np.intp]) -> Decomposition:
        """Of the given rows; kept until other rows are asked for."""
        key, kept = rows.tobytes(), self._decomposed
        if key not in kept:
            kept.clear()
            kept[key] = Decomposition.of(self.scaled.rows[rows])
        return kept[key]

    def fit(self, task: int) -> LinearModel:
        """The model of a task. Where all labels are the same, it predicts that one."""
        rows, labels = self.train.labels(task)
        with threadpool_limits(threads(self.scaled.rows), "blas"):
            if len(labels) < 2 or labels.min() == labels.max():
                weights, intercept = _constant(self.train.tasks[task], labels, self.scaled)
            elif self.train.tasks[task].kind is Kind.REGRESSION:
                slopes, level, _ = ridge(self.decomposition(rows), labels)
                weights, intercept = slopes[:, None], np.array([level])
            else:
                weights, intercept = self._classes(self.train.tasks[task], rows, labels)
            weights, intercept = self.scaled.unscaled(weights, intercept)
        return LinearModel(encoding=self.encoding, weights=weights, intercept=intercept)

    def _classes(
        self, task: Task, rows: NDArray[np.intp], labels: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Weights and intercepts for rows in standard units."""
        if self._sparse is not None:  # not centred: the intercept takes it up
            weights, intercept = logistic(self._sparse[rows], labels)
            intercept = intercept + (self.scaled.center / self.scaled.scale) @ weights
        elif self.scaled.rows.shape[1] > len(rows):
            turned = self.decomposition(rows)
            weights, intercept = logistic(turned.coordinates, labels)
            weights = turned.right @ weights
            intercept = intercept - turned.center @ weights
        else:
            weights, intercept = logistic(self.scaled.rows[rows], labels)
        return _all_classes(task, np.unique(labels).astype(int), weights, intercept)

    @cached_property
    def _sparse(self) -> csr_array | None:
        """Encoded training rows in standard units around 0 instead of their means, if most are 0."""
        encoded = self.encoding.apply(self.train.columns)
        if np.count_nonzero(encoded) > SPARSE * encoded.size:
            return None
        return csr_array(encoded / self.scaled.scale)


def _constant(
    task: Task, labels: NDArray[np.float64], scaled: Scaled
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What is known without a difference between labels; without labels, nothing."""
    level = np.zeros(task.outputs)
    if len(labels) and task.kind is Kind.REGRESSION:
        level[0] = labels.mean()
    elif len(labels) and task.kind is Kind.BINARY:
        level[0] = np.inf if labels[0] else -np.inf
    elif len(labels):
        level[np.arange(len(level)) != int(labels[0])] = -np.inf
    return np.zeros((len(scaled.scale), len(level))), level


def _all_classes(
    task: Task,
    present: NDArray[np.int64],
    weights: NDArray[np.float64],
    intercept: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For every class of the task, from those seen in training; a lone score is that of the second."""
    if task.kind is Kind.BINARY:
        return weights, intercept
    seen = present[-weights.shape[1] :]
    every, level = np.zeros((len(weights), task.outputs)), np.full(task.outputs, -np.inf)
    level[present] = 0.0
    every[:, seen], level[seen] = weights, intercept
    return every, level


def save(models: list[LinearModel], path: Path) -> None:
    """Write models as safetensors, one part a model."""
    from safetensors.numpy import save_file

    save_file(
        {f"{s}/{name}": values for s, model in enumerate(models) for name, values in _parts(model)},
        path,
    )


def load(path: Path) -> list[LinearModel]:
    """Read what :func:`save` wrote.

    Raises:
        ValueError: If the file holds something else.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        found = load_file(path)
        count = len({name.split("/")[0] for name in found})
        models = [_model(found, s) for s in range(count)]
    except (SafetensorError, KeyError) as error:
        raise ValueError(f"the file holds something else than linear models: {error}") from error
    if not models or len(found) != count * len(_parts(models[0])):
        raise ValueError("the file holds something else than linear models")
    return models


def _parts(model: LinearModel) -> list[tuple[str, NDArray[np.generic]]]:
    own = [(field.name, getattr(model.encoding, field.name)) for field in fields(Encoding)]
    every = [*own, ("weights", model.weights), ("intercept", model.intercept)]
    return [(name, np.ascontiguousarray(values)) for name, values in every]


def _model(found: dict[str, NDArray[np.generic]], s: int) -> LinearModel:
    own = {field.name: found[f"{s}/{field.name}"] for field in fields(Encoding)}
    return LinearModel(
        encoding=Encoding(**own),  # type: ignore[arg-type]
        weights=found[f"{s}/weights"].astype(np.float64, copy=False),
        intercept=found[f"{s}/intercept"].astype(np.float64, copy=False),
    )
