"""Cross-fitted boosted trees: the model that predicts a fold has learned nothing from that fold's labels.

Boosting must be told when to stop, and the rows that a model leaves out may not tell it. So each model's
number of rounds comes from a shorter training that leaves out a second fold and stops on that one.
Letters: S folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cotrain.baselines.boosted import Model, TreeData, TreeLearner, tune

EVERY = 4  # where no second fold can stop a training, every fourth of its own rows does


def fit_folds(learner: TreeLearner, folds: Sequence[TreeData], *, candidates: int) -> list[Model]:
    """``[S]`` models of one setting, each trained on all rows but its fold's.

    Model s first trains without fold s and the next fold, on which it stops early; then without fold s
    for as many rounds as were best. Labels of fold s reach neither of them. The setting is the only
    exception: the fold 0 rows choose it, for all models and therefore also for model 0.

    Args:
        learner: The library.
        folds: ``[S]`` the rows of each model; ``valid`` are those of its fold, and the training rows are
            the other folds' together.
        candidates: Settings tried.
    """
    inner = [stopping_rows(folds, s) for s in range(len(folds))]
    last, setting = tune(learner, inner[-1], candidates=candidates, seed=len(folds) - 1)
    stopped = [*(learner.fit(data, setting, s) for s, data in enumerate(inner[:-1])), last]
    return [
        learner.fit(data, setting, s, learner.rounds(model))
        for s, (data, model) in enumerate(zip(folds, stopped, strict=True))
    ]


def stopping_rows(folds: Sequence[TreeData], left_out: int) -> TreeData:
    """Training rows of a model, less those of the next fold, which stop it.

    With fewer than two other folds that carry labels, or where it trains on other rows than theirs (on
    their past alone), every fourth of its training rows stops it.

    Args:
        folds: As of :func:`fit_folds`.
        left_out: s.
    """
    turned = [*folds[left_out + 1 :], *folds[:left_out]]
    others = [fold for fold in turned if len(fold.valid_labels)]
    own = folds[left_out]
    if len(others) < 2 or len(own.labels) != sum(len(fold.valid_labels) for fold in others):
        stops = np.arange(len(own.labels)) % EVERY == 0
        return replace(
            own,
            columns=own.columns[~stops],
            labels=own.labels[~stops],
            valid_columns=own.columns[stops],
            valid_labels=own.labels[stops],
        )
    return replace(
        own,
        columns=np.concatenate([fold.valid_columns for fold in others[1:]]),
        labels=np.concatenate([fold.valid_labels for fold in others[1:]]),
        valid_columns=others[0].valid_columns,
        valid_labels=others[0].valid_labels,
    )
