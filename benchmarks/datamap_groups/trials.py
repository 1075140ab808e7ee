"""Balanced accuracy and F1 of contenders on test rows, with paired bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.common.arrays import Array, Flags
from cotrain.stats import interval

REPLICATES = 1000
SINGLE, JOINT = "each alone", "all together"
BASES = (SINGLE, JOINT)
METRICS = ("balanced accuracy", "F1")


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What contenders predicted on one test split.

    Args:
        truth: ``[T, N]`` labels.
        predicted: Contender → ``[S, T, N]``, one for each seed.
    """

    truth: Flags
    predicted: dict[str, Flags]

    def scores(self, contender: str, rows: Array, seeds: Array) -> Array:
        """``[R, 2, T]`` balanced accuracy and F1, averaged over seeds.

        Args:
            contender: Whose.
            rows: ``[R, N]`` how often each row was drawn.
            seeds: ``[R, S]`` share of each seed.
        """
        said = self.predicted[contender].astype(np.float32)
        weights = rows.astype(np.float32)
        hits = np.einsum("rn,stn->rst", weights, said * self.truth, optimize=True)
        calls = np.einsum("rn,stn->rst", weights, said, optimize=True)
        real = (weights @ self.truth.T.astype(np.float32))[:, None]
        false = calls - hits
        absent = weights.sum(axis=1)[:, None, None] - real
        with np.errstate(divide="ignore", invalid="ignore"):
            balanced = (hits / real + 1 - false / absent) / 2
            both = np.stack([balanced, 2 * hits / (real + calls)], axis=1)  # [R, 2, S, T]
        return np.asarray(np.einsum("rs,rmst->rmt", seeds, both.astype(np.float64)))


def verdicts(trials: Sequence[Trial]) -> dict[str, Any]:
    """Scores of every contender, and differences to the baselines, averaged over the trials."""
    value, drawn = {}, {}
    for contender in trials[0].predicted:
        value[contender] = np.mean([_exact(trial, contender) for trial in trials], axis=0)
        drawn[contender] = np.mean(
            [_redrawn(trial, contender, at) for at, trial in enumerate(trials)], axis=0
        )
    return {
        contender: {
            metric: {
                "tasks": np.round(value[contender][m], 4).tolist(),
                "mean": float(value[contender][m].mean()),
                **{
                    f"less {base}": {
                        "mean": _gain(
                            np.nanmean(value[contender][m] - value[base][m]),
                            np.nanmean(drawn[contender][:, m] - drawn[base][:, m], axis=1),
                        ),
                        "tasks": [
                            _gain(a - b, c - d)
                            for a, b, c, d in zip(
                                value[contender][m],
                                value[base][m],
                                drawn[contender][:, m].T,
                                drawn[base][:, m].T,
                                strict=True,
                            )
                        ],
                    }
                    for base in BASES
                    if base != contender
                },
            }
            for m, metric in enumerate(METRICS)
        }
        for contender in value
    }


def _exact(trial: Trial, contender: str) -> Array:
    seeds, _, rows = trial.predicted[contender].shape
    found: Array = trial.scores(contender, np.ones((1, rows)), np.full((1, seeds), 1 / seeds))[0]
    return found


def _redrawn(trial: Trial, contender: str, at: int) -> Array:
    """``[R, 2, T]``; the draws depend on the trial alone, so contenders are paired."""
    seeds, _, rows = trial.predicted[contender].shape
    draw = np.random.default_rng((7, at))
    counts = draw.multinomial(rows, np.full(rows, 1 / rows), REPLICATES).astype(np.float64)
    picks = draw.multinomial(seeds, np.full(seeds, 1 / seeds), REPLICATES) / seeds
    return trial.scores(contender, counts, picks)


def _gain(value: float, replicates: Array) -> list[float]:
    found = interval(float(value), replicates)
    return [round(found.value, 5), round(found.low, 5), round(found.high, 5)]
