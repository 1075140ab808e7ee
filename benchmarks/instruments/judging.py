"""Opinions judged by the networks of other seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.common.arrays import Array
from benchmarks.instruments.joint_runs import JointRun
from benchmarks.instruments.opinions import Opinion, joint_run_opinions, trained_opinions
from benchmarks.instruments.truth import SEEDS, Truth
from cotrain.grouping import best_cover
from cotrain.measure.gains.sets import every_set
from cotrain.stats import rank_correlation


def judged(opinion: Opinion, truth: Truth, seed: int | None = None) -> dict[str, Any]:
    """Rank correlation with the true gains, and the true gain of the plans by every seed's networks.

    An instrument that worked with a seed is not judged by the networks of that seed.
    """
    others = [each for each in range(SEEDS) if each != seed]
    sets, gains = every_set(len(truth.tasks)), truth.test[others].mean(axis=0)
    company = sets & (sets.sum(axis=1) > 1)[:, None]
    scores = np.where(sets, np.nan_to_num(opinion.scores, nan=0.0), -np.inf)
    found: dict[str, Any] = {
        "trainings": float(opinion.trainings),
        "reliability": opinion.reliability,
        "rank": rank_correlation(scores[company], gains[company]),
    }
    for k in (2, 3):
        by_judge = [plan_gain(scores, own, k) for own in truth.test]
        found[f"plan {k}"] = np.where(np.isin(range(SEEDS), others), by_judge, np.nan)
    return found


def mean_and_error(values: Array) -> tuple[float, float]:
    """Of ``[R, J]`` gains of R plans before J judges, NaN where a judge's seed took part in deciding.

    One judge a plan: the standard error over plans. More: the jackknife over seeds, which leave as judges
    and as deciders, so that both the luck of deciding and that of judging are in it.
    """
    mean, (plans, judges) = float(np.nanmean(values)), values.shape
    if (np.isfinite(values).sum(axis=1) == 1).all():
        spread = np.nanstd(values, ddof=1) if plans > 1 else np.nan
        return mean, float(spread / np.sqrt(plans))
    without = [
        np.nanmean(np.delete(values[np.isfinite(values[:, j])], j, axis=1)) for j in range(judges)
    ]
    return mean, float(np.sqrt((judges - 1) * np.var(without)))


def plan_gain(scores: Array, gains: Array, k: int) -> float:
    """True mean gain of the best plan by the scores."""
    grouping = best_cover(every_set(scores.shape[1]), scores, k)
    assert grouping.rows is not None  # it was chosen among these sets
    rows = [grouping.rows[g] for g in grouping.server]
    return float(gains[rows, range(len(rows))].mean())


def judge_case(truth: Truth, runs: Sequence[JointRun]) -> dict[str, Any]:
    """All instruments, each repeated from the seed of every joint run."""
    sets, gains = every_set(len(truth.tasks)), truth.test.mean(axis=0)
    company = sets & (sets.sum(axis=1) > 1)[:, None]
    verdicts: dict[str, list[dict[str, Any]]] = {}
    for seed, run in enumerate(runs):
        opinions = joint_run_opinions(run) | trained_opinions(truth, seed)
        for instrument, opinion in opinions.items():
            verdicts.setdefault(instrument, []).append(judged(opinion, truth, seed))
    everything = Opinion(scores=truth.valid.mean(axis=0), trainings=SEEDS * len(sets))
    verdicts[f"all sets trained, {SEEDS} seeds"] = [judged(everything, truth)]
    rng = np.random.default_rng(0)
    verdicts["chance"] = [
        judged(Opinion(scores=rng.normal(size=sets.shape), trainings=0), truth) for _ in range(200)
    ]
    oracle = np.where(sets, gains, -np.inf)
    return {
        "tasks": truth.tasks,
        "all together": float(gains[-1].mean()),
        "oracle": {k: plan_gain(oracle, gains, k) for k in (2, 3)},
        "truth repeats itself": rank_correlation(
            truth.test[:2].mean(axis=0)[company], truth.test[2:].mean(axis=0)[company]
        ),
        "instruments": {
            instrument: {key: _pooled([each[key] for each in found]) for key in found[0]}
            for instrument, found in verdicts.items()
        },
    }


def _pooled(values: list[Any]) -> tuple[float, float]:
    """Mean and standard error: of plans see :func:`mean_and_error`, of the rest over opinions."""
    found = np.array(values, dtype=np.float64)
    return mean_and_error(found if found.ndim == 2 else found[:, None])
