"""Out-of-fold scores, and the difference to the joint network under a paired bootstrap over rows.

Letters: S settings, K folds, T tasks, N rows, R replicates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
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
        seconds: Of training at all settings.
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
        outputs: ``[S · K, T, M]``, setting by setting.
        seconds: Of training them.
        development: The folds.
        seeds: ``[K]``.
    """
    labels = development.rows.all_labels()
    found = [
        predictions(development.tasks, out_of_fold(part, development, seeds))
        for part in outputs.split(len(seeds))
    ]
    scores = [mean_score(development, own, labels) for own in found]
    best = int(np.argmax(scores))
    return Outcome(scores=tuple(scores), best=best, predicted=found[best], seconds=seconds)


def differences(
    development: Development, outcomes: Mapping[str, Outcome], against: str
) -> dict[str, Interval]:
    """Mean score minus that of the one to beat, of every other, with an interval over rows drawn anew.

    A replicate draws the N rows with replacement, the same for all; networks and settings stay.
    """
    labels, draw = development.rows.all_labels(), np.random.default_rng(0)
    names = list(outcomes)
    drawn = []
    for _ in range(REPLICATES):
        count = draw_rows(draw, len(development.rows))
        own = [redraw(each, count) for each in labels]
        drawn.append([mean_score(development, outcomes[n].predicted, own) for n in names])
    base, replicates = names.index(against), np.array(drawn)
    return {
        name: interval(
            max(outcomes[name].scores) - max(outcomes[against].scores),
            replicates[:, at] - replicates[:, base],
        )
        for at, name in enumerate(names)
        if name != against
    }
