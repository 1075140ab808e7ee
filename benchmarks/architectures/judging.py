"""Out-of-fold scores, and the difference to the joint network under a paired bootstrap over rows.

Letters: S settings, K folds, T tasks, N rows, R replicates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from benchmarks.common.out_of_fold import mean_score, out_of_fold
from cotrain.arrays import Array
from cotrain.data.dataset import Development
from cotrain.engine.models.losses import predictions
from cotrain.results import Interval
from cotrain.stats import draw_rows, interval, redraw

REPLICATES = 400


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a contestant comes to on a table.

    Args:
        scores: ``[S]`` mean score over tasks of the out-of-fold predictions, at every setting.
        best: The setting with the best of them.
        predicted: ``[T]`` arrays ``[N]`` of the predictions at that setting.
        seconds: Of the processor, to train at all settings.
    """

    scores: tuple[float, ...]
    best: int
    predicted: Sequence[Array]
    seconds: float


def outcome(
    outputs: Tensor, seconds: float, development: Development, seeds: Sequence[int]
) -> Outcome:
    """The best setting of a contestant.

    Args:
        outputs: ``[S · K, T, M]`` for the rows that each network left out, setting by setting.
        seconds: Of training them.
        development: The folds.
        seeds: ``[K]``.
    """
    labels = development.rows.all_labels()
    found = predicted_by(outputs, development, seeds)
    scores = [mean_score(development, own, labels) for own in found]
    best = int(np.argmax(scores))
    return Outcome(scores=tuple(scores), best=best, predicted=found[best], seconds=seconds)


def averaged(
    outputs: Tensor, seconds: float, development: Development, seeds: Sequence[int]
) -> Outcome:
    """The mean prediction of several networks a fold, at one setting.

    Args:
        outputs: ``[networks · K, T, M]``, K for each fold's first network, then the second ones, ….
        seconds: Of training them.
        development: The folds.
        seeds: ``[K]``.
    """
    found = predicted_by(outputs, development, seeds)
    mean = [np.mean(own, axis=0) for own in zip(*found, strict=True)]
    score = mean_score(development, mean, development.rows.all_labels())
    return Outcome(scores=(score,), best=0, predicted=mean, seconds=seconds)


def predicted_by(
    outputs: Tensor, development: Development, seeds: Sequence[int]
) -> list[list[Array]]:
    """For every K networks the out-of-fold predictions of the T tasks."""
    return [
        predictions(development.tasks, out_of_fold(part, development, seeds))
        for part in torch.split(outputs, len(seeds))
    ]


def differences(
    development: Development, outcomes: Mapping[str, Outcome], against: str
) -> dict[str, Interval]:
    """Mean score minus that of the one to beat, with an interval over rows drawn anew.

    A replicate draws the N rows with replacement, the same for all; networks and settings stay.
    """
    labels, draw = development.rows.all_labels(), np.random.default_rng(0)
    drawn = []
    for _ in range(REPLICATES):
        count = draw_rows(draw, len(development.rows))
        own = [redraw(each, count) for each in labels]
        drawn.append([mean_score(development, each.predicted, own) for each in outcomes.values()])
    replicates = dict(zip(outcomes, np.transpose(drawn), strict=True))
    base = outcomes[against]
    return {
        name: interval(
            own.scores[own.best] - base.scores[base.best], replicates[name] - replicates[against]
        )
        for name, own in outcomes.items()
    }
