"""What target scores say of the findings of Padmakumar et al. (2022), with intervals.

Padmakumar et al., "Exploring the role of task transferability in large-scale multi-task learning" (NAACL
2022, arXiv 2204.11117): more source tasks help on average; a small set of related ones is competitive at
lower cost; a mismatched set hurts; more tasks lower the variance over seeds. There a set with more tasks
also has more examples; here the number of examples is held fixed, too.

Targets, random draws of sources, and seeds are resampled together, R times, with replacement. Where a
target's related group is chosen on validation, it is chosen anew each time. Fewer than five targets are not
redrawn: what is said then holds for these only, and of two seeds there is no interval then, because drawing
from two again says next to nothing. Every encoder is trained once, so the luck of a single
encoder is in the values and not in the intervals, but for random sets, of which there are several.
Letters: X sets of sources, T targets, K seeds, D draws, Z sizes, G groups, R replicates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cotrain.arrays import Array
from cotrain.results import Interval
from cotrain.stats import slope
from cotrain.studies.estimates import stacked
from cotrain.studies.scale.scores import BY_VALIDATION, ScaleScores

Places = NDArray[np.intp]
REPLICATES = 1000
FEWEST_TARGETS = 5  # fewer are not a sample
FEWEST_SEEDS = 3  # with too few targets
NONE, ALL = 0, 1  # places of these sets


@dataclass(frozen=True, kw_only=True)
class ScaleEstimates:
    """The numbers of a study. Scores are means over targets and seeds on the test split.

    Args:
        score: ``[X]`` of every set.
        by_size: ``[Z]`` of random sets with all their labels, by number of sources.
        by_size_fixed: ``[Z]`` the same with a fixed number of labels.
        trend: What twice as many sources change, with all their labels: least squares over the sizes.
        trend_fixed: The same with a fixed number of labels.
        all_gain: All sources over none.
        related_gain: The related group over none.
        related_gap: The related group over all sources.
        related_cost: Examples of the related group's stage 1 as a share of those of all, on average.
        mismatch_gain: A mean other group over none.
        mismatch_gap: A mean other group over the related one.
        spread: ``[Z]`` standard deviation over seeds, of random sets with all their labels.
        spread_none: The same of no sources.
        spread_all: The same of all.
        spread_ratio: That of all as a multiple of that of none.
        spread_trend: What twice as many sources change of the binary logarithm of ``spread``: −1 halves it.
    """

    score: tuple[Interval, ...]
    by_size: tuple[Interval, ...]
    by_size_fixed: tuple[Interval, ...]
    trend: Interval
    trend_fixed: Interval
    all_gain: Interval
    related_gain: Interval
    related_gap: Interval
    related_cost: Interval
    mismatch_gain: Interval
    mismatch_gap: Interval
    spread: tuple[Interval, ...]
    spread_none: Interval
    spread_all: Interval
    spread_ratio: Interval
    spread_trend: Interval


def numbers_and_draws(scores: ScaleScores, *, seed: int) -> dict[str, Array]:
    """Name of a number → ``[1 + R, ...]``: the number, then its values in R replicates."""
    rng = np.random.default_rng(seed)
    targets, seeds, draws = scores.test.shape[1], scores.test.shape[2], len(scores.drawn)
    found = [_numbers(scores, *(np.arange(size) for size in (targets, seeds, draws)))]
    few = targets < FEWEST_TARGETS
    if few and seeds < FEWEST_SEEDS:
        unknown = {name: np.full_like(own, np.nan) for name, own in found[0].items()}
        return stacked([found[0], unknown])
    for _ in range(REPLICATES):
        some = np.arange(targets) if few else _redrawn(rng, targets)
        found.append(_numbers(scores, some, _redrawn(rng, seeds), _redrawn(rng, draws)))
    return stacked(found)


def _redrawn(rng: np.random.Generator, size: int) -> Places:
    return np.asarray(rng.integers(0, size, size), dtype=np.intp)


def related_groups(scores: ScaleScores, valid: Array, family: Places) -> Places:
    """``[T]`` place among the groups of each target's own, or of the one with the best validation score.

    Args:
        scores: Of the study.
        valid: ``[X, T, K]``, possibly of other targets and seeds than the study's, see below.
        family: ``[T]`` of these targets.
    """
    best = valid[list(scores.groups)].mean(axis=2).argmax(axis=0)
    return np.where(family == BY_VALIDATION, best, family)


def _numbers(
    scores: ScaleScores, targets: Places, seeds: Places, draws: Places
) -> dict[str, Array]:
    """Every number on some targets, seeds and draws, possibly several times."""
    test = scores.test[:, targets][:, :, seeds]  # [X, T, K]
    valid = scores.valid[:, targets][:, :, seeds]
    mean, variance = test.mean(axis=(1, 2)), test.var(axis=2, ddof=1).mean(axis=1)  # [X]
    if len(set(seeds.tolist())) == 1:  # the same one again and again has no spread
        variance = np.full_like(variance, np.nan)
    groups, each = np.array(scores.groups), np.arange(len(targets))
    related = related_groups(scores, valid, np.array(scores.family)[targets])
    by_group = test[groups].mean(axis=2)  # [G, T]
    own = by_group[related, each]
    other = (by_group.sum(axis=0) - own) / (len(groups) - 1)
    none, everything = (test[at].mean(axis=1) for at in (NONE, ALL))  # [T]
    drawn, fixed = scores.drawn[draws], scores.fixed[draws]  # [D, Z]
    by_size, by_size_fixed = mean[drawn].mean(axis=0), mean[fixed].mean(axis=0)
    spread = np.sqrt(variance[drawn].mean(axis=0))
    spread_none, spread_all = np.sqrt(variance[[NONE, ALL]])
    doublings = np.log2(scores.sizes)
    cost = scores.examples[groups] / scores.examples[ALL]
    found = {
        "score": mean,
        "by_size": by_size,
        "by_size_fixed": by_size_fixed,
        "trend": slope(doublings, by_size),
        "trend_fixed": slope(doublings, by_size_fixed),
        "all_gain": (everything - none).mean(),
        "related_gain": (own - none).mean(),
        "related_gap": (own - everything).mean(),
        "related_cost": cost[related].mean(),
        "mismatch_gain": (other - none).mean(),
        "mismatch_gap": (other - own).mean(),
        "spread": spread,
        "spread_none": spread_none,
        "spread_all": spread_all,
        "spread_ratio": _divided(spread_all, spread_none),
        "spread_trend": slope(doublings, _logarithm(spread)),
    }
    return {name: np.asarray(value, dtype=np.float64) for name, value in found.items()}


def _logarithm(values: Array) -> Array:
    """Binary; NaN of 0, where all seeds score alike."""
    return np.log2(np.where(values > 0, values, np.nan))


def _divided(a: float, b: float) -> float:
    return float(a / b) if b > 0 else float("nan")
