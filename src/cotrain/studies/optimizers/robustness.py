"""Robustness of features to image corruptions (Elich et al. 2023, arXiv 2311.04698).

The encoder is frozen and its heads are refitted by scikit-learn on its features of the clean training
images, so only the features differ; then the corrupted test images are predicted.
Letters: K networks, T tasks, C images sets (the clean one first), R draws, N rows, H features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from torch.func import functional_call

from cotrain.arrays import Array
from cotrain.data.dataset import TaskData
from cotrain.engine.models.multitask import ENCODER, MultiTaskNet
from cotrain.engine.state import Tensors, is_shared
from cotrain.errors import InputError
from cotrain.stats import redraw
from cotrain.studies.optimizers.corruptions import CORRUPTIONS, SEVERITIES, corrupted
from cotrain.studies.optimizers.tuning import Tuned
from cotrain.studies.redrawn import row_draws
from cotrain.tasks import Kind, Task, score

Predict = Callable[[Array], Array]
STRENGTH = 1.0  # of scikit-learn's penalties, as it has them


def image_sets(
    test: TaskData, size: tuple[int, int], *, seed: int
) -> list[tuple[str, int, Tensor]]:
    """The clean test images, then every corruption at every severity, in the shape of the inputs.

    Pixels outside [0, 1] are clipped: the test split is opened after all training, too late to refuse it.

    Args:
        test: N images.
        size: Height and width; an input is one or several images of it.
        seed: Of what is random.
    """
    inputs = test.inputs.clamp(0, 1)
    images = inputs.view(len(inputs), -1, *size).numpy()
    found = [("clean", 0, inputs)]
    for name in CORRUPTIONS:
        for severity in range(1, SEVERITIES + 1):
            changed = torch.from_numpy(corrupted(images, name, severity, seed=seed))
            found.append((name, severity, changed.view_as(inputs)))
    return found


def check_images(inputs: Tensor, size: tuple[int, int]) -> None:
    """Refuse inputs that are no images of a size in [0, 1]."""
    (height, width), pixels = size, inputs[0].numel()
    if pixels % (height * width) or inputs.min() < 0 or inputs.max() > 1:
        raise InputError(
            f"corruptions need images in [0, 1]: inputs of {pixels} numbers from {float(inputs.min()):g} "
            f"to {float(inputs.max()):g} are no images of {height} × {width}"
        )


def refitted_scores(
    net: MultiTaskNet,
    tuned: Tuned,
    train: TaskData,
    test: TaskData,
    sets: list[Tensor],
    *,
    seed: int,
) -> Array:
    """``[1 + R, K, C, T]`` test scores with refitted heads, then on R draws of the rows; NaN if not kept.

    Args:
        net: The network, used as code only.
        tuned: K networks, each with the best epoch of the tasks that it speaks for.
        train: Clean training images.
        test: N rows.
        sets: C versions of the test images.
        seed: Of the draws.
    """
    counts = row_draws(len(test), seed=seed)
    found = np.full((len(counts), *tuned.best_epoch.shape[:1], len(sets), len(test.tasks)), np.nan)
    labels = [[redraw(test.labels(t), count) for count in counts] for t in range(len(test.tasks))]
    for (k, t), model in _speakers(tuned):
        features = _features(net, model)
        predict = _head(train, t, features(train.inputs))
        for c, inputs in enumerate(sets):
            predicted = predict(features(inputs))
            found[:, k, c, t] = [
                score(test.tasks[t], predicted[rows], target) for rows, target in labels[t]
            ]
    return found


def _speakers(tuned: Tuned) -> Iterator[tuple[tuple[int, int], Tensors]]:
    """Network and task with the model of the task's best epoch."""
    for k, epochs in enumerate(tuned.best_epoch.tolist()):
        for t, epoch in enumerate(epochs):
            if epoch:
                yield (k, t), tuned.models[k, epoch]


def _features(net: MultiTaskNet, model: Tensors) -> Callable[[Tensor], Array]:
    own = {name.removeprefix(ENCODER): tensor for name, tensor in model.items() if is_shared(name)}
    net.eval()

    def features(inputs: Tensor) -> Array:
        with torch.no_grad():
            found: Tensor = functional_call(net.encoder, own, (inputs,))
        return found.double().numpy()

    return features


def _head(train: TaskData, task: int, features: Array) -> Predict:
    """A linear head for one task on ``[N, H]`` features."""
    rows, target = train.labels(task)
    kind = train.tasks[task]
    if kind.kind is Kind.REGRESSION:
        regression = make_pipeline(StandardScaler(), Ridge(alpha=STRENGTH))
        regression.fit(features[rows], target)
        return lambda asked: np.asarray(regression.predict(asked))
    head = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=2000))
    head.fit(features[rows], target.astype(int))
    return lambda asked: _probabilities(kind, head.classes_, head.predict_proba(asked))


def _probabilities(task: Task, classes: NDArray[np.intp], found: Array) -> Array:
    """As :func:`~cotrain.tasks.score` reads them; 0 for classes that were not there to learn."""
    every = np.zeros((len(found), max(2, len(task.classes))))
    every[:, classes] = found
    return every if task.kind is Kind.MULTICLASS else every[:, 1]
