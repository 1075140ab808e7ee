"""Cross-fitted boosted trees: the model that predicts a fold has learned nothing from that fold's labels.

Boosting must be told when to stop, and the rows that a model leaves out may not tell it. So each model's
number of rounds comes from trainings that leave out a second fold and stop on that one.
Letters: S folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cotrain.baselines.boosted import Model, TreeData, TreeLearner, tune

STOPS = (
    2  # second folds a model, one after the other: the mean of their rounds is less noisy than one
)
EVERY = 4  # where no second fold can stop a training, every fourth of its own rows does


def fit_folds(learner: TreeLearner, folds: Sequence[TreeData], *, candidates: int) -> list[Model]:
    """``[S]`` models of one setting, each trained on all rows but its fold's.

    For model s, trainings without fold s and one of the next folds stop early on the latter; then it is
    trained without fold s for the mean of the rounds that were best. Labels of fold s reach none of these.
    The setting is the only exception: the rows of fold 0 choose it, for all models and therefore also
    for model 0. (The mean of the other models' own early stopping would be cheaper by a few trainings,
    but these have seen the labels of fold s.)

    Args:
        learner: The library.
        folds: ``[S]`` the rows of each model; ``valid`` are those of its fold, and the training rows are
            the other folds' together.
        candidates: Settings tried.
    """
    last = len(folds) - 1
    first, setting = tune(
        learner, stopping_rows(folds, last)[0], candidates=candidates, seed=last
    )  # without the last fold, judged and stopped on fold 0
    models = []
    for s, fold in enumerate(folds):
        inner = stopping_rows(folds, s)
        known = [first] if s == last else []
        stopped = [*known, *(learner.fit(data, setting, s) for data in inner[len(known) :])]
        rounds = round(float(np.mean([learner.rounds(model) for model in stopped])))
        models.append(learner.fit(fold, setting, s, rounds))
    return models


def stopping_rows(folds: Sequence[TreeData], left_out: int) -> list[TreeData]:
    """Training rows of a model, less those of a next fold, which stop it; for up to ``STOPS`` next folds.

    With fewer than two other folds that carry labels, every fourth of its training rows stops it.

    Args:
        folds: As of :func:`fit_folds`.
        left_out: s.
    """
    turned = [*folds[left_out + 1 :], *folds[:left_out]]
    others = [fold for fold in turned if len(fold.valid_labels)]
    if len(others) < 2:
        return [_every_fourth(folds[left_out])]
    return [
        replace(
            folds[left_out],
            columns=np.concatenate([fold.valid_columns for fold in others if fold is not stop]),
            labels=np.concatenate([fold.valid_labels for fold in others if fold is not stop]),
            valid_columns=stop.valid_columns,
            valid_labels=stop.valid_labels,
        )
        for stop in others[:STOPS]
    ]


def _every_fourth(own: TreeData) -> TreeData:
    stops = np.arange(len(own.labels)) % EVERY == EVERY - 1
    return replace(
        own,
        columns=own.columns[~stops],
        labels=own.labels[~stops],
        valid_columns=own.columns[stops],
        valid_labels=own.labels[stops],
    )
