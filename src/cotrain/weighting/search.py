"""Search weights while training: a population whose bad members become variations of good ones.

A searcher proposes (:mod:`cotrain.weighting.searchers`), a trainer trains and scores. Between them stands
the history, from which a searcher's next proposal follows, so an interrupted search goes on as if it had
never stopped. Letters: K intervals, N members, T tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cotrain.arrays import Array
from cotrain.engine.member import Change, WeightSetting
from cotrain.errors import InputError
from cotrain.figures.style import Figure
from cotrain.figures.text import shorten
from cotrain.figures.timeline import steps_figure
from cotrain.measure.measurement import Measurement
from cotrain.stats import finite_mean
from cotrain.weighting.schedule import WeightSchedule

GONE = -1  # parent of a member that is no longer there
_MOST_DRAWN, _MOST_PRINTED = 12, 6


@dataclass(frozen=True, kw_only=True)
class Move:
    """How a member of the next interval begins.

    Args:
        parent: Row whose parameters and optimizer state it has: its own, or a better member's.
        setting: What it trains with, weights on the simplex times T: uniform is all ones.
    """

    parent: int
    setting: WeightSetting


class Searcher(Protocol):
    """Proposes settings. Pure: the same history gives the same proposal."""

    def begin(self, tasks: int) -> list[WeightSetting]:
        """The settings of the N members in the first interval."""
        ...

    def go_on(self, history: WeightSearch) -> list[Move]:
        """The members of the next interval; at most as many as now."""
        ...


Trainer = Callable[[Sequence[Move], int], Array]
"""Trains the members of an interval, from their parents, until so many epochs are done in all; returns
``[N, T]`` validation scores, higher is better, all NaN for a member that diverged."""


@dataclass(frozen=True, kw_only=True)
class WeightSearch(Measurement):
    """The lineage of a search: every member's setting, parent and scores in every interval.

    Args:
        tasks: T names.
        ends: K epochs done at the end of each interval.
        weights: ``[K, N, T]``; NaN for members that are gone; likewise below.
        learning_rate: ``[K, N]``.
        weight_decay: ``[K, N]``, multiplies the recipe's.
        parents: ``[K, N]`` row in the interval before; the own row in the first; −1 if gone.
        scores: ``[K, N, T]`` validation scores at the end of the interval; NaN after divergence.
    """

    title = "Searched weights"
    about = (
        "Task weights over the epochs of the best member, traced back through the members that it was "
        "copied from. Weights sum to the number of tasks: 1 is the uniform weight."
    )

    ends: tuple[int, ...]
    weights: Array
    learning_rate: Array
    weight_decay: Array
    parents: NDArray[np.int64]
    scores: Array

    @classmethod
    def empty(cls, tasks: Sequence[str], members: int) -> WeightSearch:
        """The history before the first interval."""
        return cls(
            tasks=tuple(tasks),
            ends=(),
            weights=np.zeros((0, members, len(tasks))),
            learning_rate=np.zeros((0, members)),
            weight_decay=np.zeros((0, members)),
            parents=np.zeros((0, members), dtype=np.int64),
            scores=np.zeros((0, members, len(tasks))),
        )

    def extended(self, moves: Sequence[Move], end: int, scores: Array) -> WeightSearch:
        """With one interval more, trained to epoch ``end``."""
        gone = self.parents.shape[1] - len(moves)

        def row(values: object, nothing: float) -> Array:
            known = np.asarray(values, dtype=np.float64)
            return np.concatenate([known, np.full((gone, *known.shape[1:]), nothing)])[None]

        nan = float("nan")
        found = {
            "weights": row([move.setting.weights for move in moves], nan),
            "learning_rate": row([move.setting.learning_rate for move in moves], nan),
            "weight_decay": row([move.setting.weight_decay for move in moves], nan),
            "parents": row([move.parent for move in moves], GONE).astype(np.int64),
            "scores": row(scores, nan),
        }
        joined = {name: np.concatenate([getattr(self, name), new]) for name, new in found.items()}
        return WeightSearch(tasks=self.tasks, ends=(*self.ends, end), **joined)

    @property
    def mean_scores(self) -> Array:
        """``[K, N]`` mean over the tasks whose score is defined; −inf for diverged and gone members."""
        return np.nan_to_num(finite_mean(self.scores, axis=2), nan=-np.inf)

    @property
    def best(self) -> int:
        """The member with the best mean score at the end."""
        return int(self.mean_scores[-1].argmax())

    @property
    def settings_tried(self) -> int:
        """Settings that were trained: the first, and every one that differs from the parent's."""
        later = [
            self._setting(k, n) != self._setting(k - 1, int(parent))
            for k in range(1, len(self.ends))
            for n, parent in enumerate(self.parents[k])
            if parent != GONE
        ]
        return int((self.parents[0] != GONE).sum()) + sum(later)

    def now(self) -> list[WeightSetting]:
        """The settings of the last interval."""
        return [
            self._setting(-1, n)
            for n in range(self.parents.shape[1])
            if self.parents[-1, n] != GONE
        ]

    def _setting(self, interval: int, member: int) -> WeightSetting:
        return WeightSetting(
            weights=tuple(self.weights[interval, member].tolist()),
            learning_rate=float(self.learning_rate[interval, member]),
            weight_decay=float(self.weight_decay[interval, member]),
        )

    def schedule(self, member: int | None = None) -> WeightSchedule:
        """What a member, by default the best, and its ancestors were trained with."""
        row, changes = self.best if member is None else member, []
        for interval in reversed(range(len(self.ends))):
            setting = self._setting(interval, row)
            begin = self.ends[interval - 1] if interval else 0
            changes.append(
                Change(
                    epoch=begin,
                    weights=setting.weights,
                    learning_rate=setting.learning_rate,
                    weight_decay=setting.weight_decay,
                )
            )
            row = int(self.parents[interval, row])
        changes.reverse()
        kept = [c for at, c in enumerate(changes) if at == 0 or _differs(changes[at - 1], c)]
        return WeightSchedule(tasks=self.tasks, changes=tuple(kept))

    def __str__(self) -> str:
        """How much was searched, and where it ended."""
        members = self.parents.shape[1]
        line, first = self.schedule().changes, self.mean_scores[0].max()
        last = line[-1]
        order = np.argsort(-np.array(last.weights), kind="stable")
        shown = [
            f"{shorten(self.tasks[t], 40)} {last.weights[t]:.2f}" for t in order[:_MOST_PRINTED]
        ]
        more = len(self.tasks) - len(shown)
        return "\n".join(
            [
                f"{members} members, {len(self.ends)} intervals, {self.settings_tried} settings tried",
                f"best mean validation score {self.mean_scores[-1].max():.4f} "
                f"(after the first interval {first:.4f}), {len(line)} weights in its line",
                "its last weights: " + ", ".join(shown) + (f" and {more} more" if more else ""),
            ]
        )

    def figure(self) -> Figure:
        """The best member's weights over the epochs; of many tasks those that moved farthest from 1."""
        changes = self.schedule().changes
        weights = np.array([change.weights for change in changes])
        moved = np.argsort(-np.abs(weights - 1).max(axis=0), kind="stable")[:_MOST_DRAWN]
        return steps_figure(
            [self.tasks[t] for t in sorted(moved.tolist())],
            [change.epoch for change in changes] + [self.ends[-1]],
            weights[:, sorted(moved.tolist())],
            title="weight",
            x_title="epoch",
        )


def _differs(a: Change, b: Change) -> bool:
    return (a.weights, a.learning_rate, a.weight_decay) != (
        b.weights,
        b.learning_rate,
        b.weight_decay,
    )


def search_weights(
    train: Trainer,
    searcher: Searcher,
    tasks: Sequence[str],
    *,
    epochs: int,
    every: int,
    history: WeightSearch | None = None,
    watch: Callable[[WeightSearch], None] = lambda _: None,
) -> WeightSearch:
    """Train and search until all epochs are done.

    Args:
        train: Trains an interval.
        searcher: Proposes.
        tasks: T names.
        epochs: E_total.
        every: E, epochs of an interval.
        history: Of an interrupted search.
        watch: Called after every interval.

    Raises:
        InputError: If all members diverged, or there is nothing to train.

    >>> from cotrain.weighting.searchers import PBT
    >>> def fake(moves, until):  # the more weight the first task has, the better
    ...     return np.array([[move.setting.weights[0]] * 2 for move in moves])
    >>> found = search_weights(fake, PBT(members=8, seed=1), ["a", "b"], epochs=40, every=2)
    >>> found.settings_tried, found.schedule().changes[-1].weights[0] > 1.5
    (46, True)
    """
    if epochs < 1 or every < 1:
        raise InputError(
            f"a search needs epochs and intervals of one or more, found {epochs}, {every}"
        )
    if history is not None and history.tasks != tuple(tasks):
        raise InputError(f"the history is of other tasks: {', '.join(history.tasks)}")
    first = searcher.begin(len(tasks))
    history = history or WeightSearch.empty(tasks, len(first))
    while (done := history.ends[-1] if history.ends else 0) < epochs:
        moves = searcher.go_on(history) if done else _first(first)
        done = min(done + every, epochs)
        history = history.extended(moves, done, train(moves, done))
        watch(history)
        if not np.isfinite(history.mean_scores[-1]).any():
            raise InputError(f"every member diverged before epoch {done}: lower the learning rate")
    return history


def _first(settings: Sequence[WeightSetting]) -> list[Move]:
    return [Move(parent=row, setting=setting) for row, setting in enumerate(settings)]
