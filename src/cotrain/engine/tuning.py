"""Tuning: every weight vector at every setting of a grid, and the best of each on validation.

Letters: V weight vectors (or whatever else tells members apart), G settings, P = G · V candidates, T tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cotrain.arrays import Array
from cotrain.data.dataset import Development, TaskData
from cotrain.engine.member import Member
from cotrain.engine.trained import Trained, scores_held, task_scores


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One candidate of the tuning grid.

    Args:
        learning_rate: The peak.
        dropout: Share of the dropout rates.
        epochs: Share of the epochs.
    """

    learning_rate: float
    dropout: float
    epochs: float = 1.0


def setting_of(member: Member) -> Setting:
    """The one that a member has."""
    return Setting(learning_rate=member.learning_rate, dropout=member.dropout, epochs=member.epochs)


# For noisy tables, on which a seventh of the epochs is best and the rest is learned by heart; for those
# without noise; for a thousand rows and more of noise; for wide and heavy-tailed ones. Chosen out-of-fold
# (benchmarks/settings.py); every contender picks its own.
# Networks that start from an encoder have the same: smaller rates suit them, but on many rows fresh ones as
# well (benchmarks/finetuning_rates.py).
SETTINGS = (
    Setting(learning_rate=1e-3, dropout=0.3, epochs=0.15),
    Setting(learning_rate=1e-3, dropout=0.3),
    Setting(learning_rate=1e-3, dropout=1.0),
    Setting(learning_rate=3e-4, dropout=0.3),
)
# Where validation chooses the epoch, and nobody a setting.
UNTUNED = Setting(learning_rate=1e-3, dropout=0.3)


def longest(tried: int) -> float:
    """Share of the epochs that the longest of the first settings takes.

    >>> longest(1), longest(len(SETTINGS))
    (0.15, 1.0)
    """
    return max(setting.epochs for setting in SETTINGS[:tried])


def at_setting(member: Member, setting: Setting) -> Member:
    """The member at one setting of the grid."""
    return replace(
        member,
        learning_rate=setting.learning_rate,
        dropout=setting.dropout,
        epochs=setting.epochs,
    )


def candidates(
    members: Sequence[Member],
    settings: Sequence[Setting],
    at: Callable[[Member, Setting], Member] = at_setting,
) -> list[Member]:
    """``[P]`` every one of V members at every setting; those of one setting stand together."""
    return [at(member, setting) for setting in settings for member in members]


def tuned(trained: Trained, development: Development, members: int) -> tuple[Member, ...]:
    """``[V]`` the candidate of each member with the best mean validation score, weighted as its tasks are.

    Args:
        trained: The P candidates in the order of :func:`candidates`.
        development: What each of them left out.
        members: V.
    """
    scores = np.nan_to_num(mean_scores(trained, development), nan=-np.inf)
    best = np.reshape(scores, (-1, members)).argmax(axis=0)
    return tuple(trained.members[int(setting) * members + v] for v, setting in enumerate(best))


def alike(member: Member) -> tuple[str, str, float, float, float]:
    """Sorts members so that those stand together that can train in one cohort, at one setting."""
    kind = str(member.weighting), str(member.optimizer)
    return *kind, member.epochs, member.learning_rate, member.dropout


def mean_scores(trained: Trained, development: Development) -> Array:
    """``[P]`` mean score on the rows left out, tasks weighted as the member weighs them.

    -inf for a member that diverged, NaN where no score is defined.
    """
    scores = held_scores(trained, development)
    found = [_mean(member, own) for member, own in zip(trained.members, scores, strict=True)]
    return np.where(trained.diverged.numpy(), -np.inf, found)


def member_scores(trained: Trained, data: TaskData) -> Array:
    """``[P, T]`` scores on other rows; NaN for tasks of weight 0 or never measured."""
    return task_scores(trained.outputs, data, known=trained.best_epoch > 0)


def held_scores(trained: Trained, development: Development) -> Array:
    """``[P, T]`` scores on the rows that each member left out; NaN as of :func:`member_scores`."""
    seeds = [member.seed for member in trained.members]
    return scores_held(trained.outputs, development, seeds, known=trained.best_epoch > 0)


def _mean(member: Member, scores: Array) -> float:
    """Of its known scores, weighted as it weighs the tasks; NaN where none is known."""
    known = np.isfinite(scores)
    weights = np.mean([member.weights, *(change.weights for change in member.changes)], axis=0)
    return float(np.average(scores[known], weights=weights[known])) if known.any() else np.nan
