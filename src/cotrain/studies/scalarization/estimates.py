"""What scores of pairs say of the three findings of Royer et al. (2023), with intervals.

Royer, Blankevoort, Bejnordi, "Scalarization for multi-task and multi-domain learning at scale"
(NeurIPS 2023, arXiv 2310.08910): the gain over single-task training grows with model size; the best
constant weights are stable across model size; the share of conflicting gradients does not predict the gain
(r = .06).

Everything is resampled together, R times: pairs and seeds with replacement (one less than there are, which
gives means their unbiased variance; Rao & Wu 1988), and the test rows, for all sizes and weights alike; the
best weight is chosen anew each time. Only the agreement of the weights' order redraws nothing but pairs.
Pairs that share a task are not independent, so intervals are rather
too narrow than too wide. Fewer than five pairs are not redrawn: what is said then holds for these pairs
only, and of ranks and correlations there is no interval.
Letters: S sizes, P pairs, W weights, K seeds, R draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from cotrain.arrays import Array
from cotrain.results import Interval
from cotrain.stats import correlation, finite_mean, slope
from cotrain.studies.estimates import stacked
from cotrain.studies.scalarization.pairs import UNIFORM
from cotrain.studies.scalarization.scores import PairScores

Rows = NDArray[np.integer[Any]]
FEWEST_PAIRS = 5  # fewer are not a sample


@dataclass(frozen=True, kw_only=True)
class Estimates:
    """The numbers of a study. Gains are over training each task alone in a network of the same size.

    Args:
        uniform_gain: ``[S]`` mean test gain of uniform weights.
        best_gain: ``[S]`` mean test gain of each pair's best weight on validation.
        uniform_trend: Slope of ``uniform_gain`` for ten times as many parameters.
        best_trend: The same of ``best_gain``.
        agreement: Mean rank correlation of the weights by validation score at a size with those by test
            score, from another seed, at a larger one. Its interval redraws pairs only: ranks are of the
            scores of all test rows, and all pairs of seeds are averaged.
        yardstick: The same at one and the same size, pairs redrawn likewise: what noise leaves of perfect
            agreement.
        regret: Mean test score that the largest size's own best weight has over that of the smallest,
            both trained at the largest size.
        transfer: Mean test score that the smallest size's best weight has over uniform weights, both
            trained at the largest size.
        conflict: ``[S]`` mean share of conflicting gradients under uniform weights.
        correlation: Pearson's correlation, over pairs and sizes, of that share with the validation gain of
            uniform weights.
    """

    uniform_gain: tuple[Interval, ...]
    best_gain: tuple[Interval, ...]
    uniform_trend: Interval
    best_trend: Interval
    agreement: Interval
    yardstick: Interval
    regret: Interval
    transfer: Interval
    conflict: tuple[Interval, ...]
    correlation: Interval


def numbers_and_draws(scores: PairScores, *, seed: int) -> dict[str, Array]:
    """Name of a number → ``[1 + R]``, by size ``[1 + R, S]``: the number, then its values in R draws.

    Args:
        scores: Of all pairs, weights and sizes.
        seed: Of the draws.
    """
    rng = np.random.default_rng(seed)
    pairs, seeds = len(scores.pairs), scores.valid.shape[3]
    orders = _orders(scores)
    all_pairs = np.arange(pairs)
    found = [_numbers(scores, scores.test, all_pairs, np.arange(seeds), orders)]
    for rows in scores.redrawn:
        drawn = all_pairs if pairs < FEWEST_PAIRS else np.array(rng.integers(0, pairs, pairs - 1))
        again = np.array(rng.integers(0, seeds, seeds - 1))
        found.append(_numbers(scores, rows, drawn, again, orders))
    numbers = stacked(found)
    if pairs < FEWEST_PAIRS:
        for name in ("agreement", "yardstick", "correlation"):
            numbers[name][1:] = np.nan
    return numbers


def best_weights(valid: Array, weights: tuple[float, ...]) -> NDArray[np.intp]:
    """``[S, P]`` the weight with the best mean validation score; of equal ones that nearest to uniform.

    Args:
        valid: ``[S, P, W, K, 2]``.
        weights: ``[W]``; 0 and 1 train one task only and are not among them.
    """
    inner = np.arange(1, len(weights) - 1)
    inner = inner[np.argsort(np.abs(np.array(weights)[inner] - UNIFORM), kind="stable")]
    mean = finite_mean(valid[:, :, inner], axis=(3, 4))
    return np.asarray(inner[np.where(np.isfinite(mean), mean, -np.inf).argmax(axis=2)])


def gains(scores: Array) -> Array:
    """``[..., P, W, K, 2]`` scores less those of each task alone, of the same size and seed.

    The first task stands alone at the last weight, the second at the first.
    """
    alone = np.stack([scores[..., -1, :, 0], scores[..., 0, :, 1]], axis=-1)
    return np.asarray(scores - alone[..., None, :, :])


def _numbers(
    scores: PairScores, test: Array, pairs: Rows, seeds: Rows, orders: Array
) -> dict[str, Array]:
    """Every number on some pairs and seeds (possibly several times) and on some draw of the test rows."""
    valid = scores.valid[:, pairs][:, :, :, seeds]
    test = test[:, pairs][:, :, :, seeds]
    uniform = scores.weights.index(UNIFORM)
    best = best_weights(valid, scores.weights)
    sizes, each = np.arange(len(scores.sizes)), np.arange(len(pairs))
    test_gain = gains(test)
    uniform_gain = finite_mean(test_gain[:, :, uniform], axis=(1, 2, 3))
    best_gain = finite_mean(test_gain[sizes[:, None], each, best], axis=(1, 2, 3))
    largest, size = test[-1], np.log10(scores.parameters)
    own, from_small = largest[each, best[-1]], largest[each, best[0]]
    conflict = finite_mean(scores.conflict[:, pairs][:, :, seeds], axis=2)  # [S, P]
    valid_gain = finite_mean(gains(valid)[:, :, uniform], axis=(2, 3))
    return {
        "uniform_gain": uniform_gain,
        "best_gain": best_gain,
        "uniform_trend": np.array(slope(size, uniform_gain)),
        "best_trend": np.array(slope(size, best_gain)),
        "agreement": finite_mean(orders[0][pairs], axis=0),
        "yardstick": finite_mean(orders[1][pairs], axis=0),
        "regret": finite_mean(own - from_small, axis=(0, 1, 2)),
        "transfer": finite_mean(from_small - largest[each, uniform], axis=(0, 1, 2)),
        "conflict": finite_mean(conflict, axis=1),
        "correlation": np.array(correlation(conflict, valid_gain, fewest=3)),
    }


def _orders(scores: PairScores) -> Array:
    """``[2, P]`` agreement with a larger size, and with the same: means over sizes and pairs of seeds."""
    valid, test = (
        _standard_ranks(own[:, :, 1:-1].mean(axis=4)) for own in (scores.valid, scores.test)
    )
    found = np.einsum("spwa,lpwb->slabp", valid, test)  # Spearman's; from size s to l, seed a to b
    sizes, seeds = len(valid), valid.shape[3]
    other = ~np.eye(seeds, dtype=bool)
    larger, same = np.triu(np.ones((sizes, sizes), dtype=bool), 1), np.eye(sizes, dtype=bool)
    return np.stack([finite_mean(found[part][:, other], axis=(0, 1)) for part in (larger, same)])


def _standard_ranks(values: Array) -> Array:
    """Centred ranks of length 1 along the third axis of ``[S, P, W, K]``; NaN for ties only, or a NaN."""
    ranks = rankdata(values, axis=2)
    ranks = ranks - ranks.mean(axis=2, keepdims=True)
    length = np.sqrt((ranks**2).sum(axis=2, keepdims=True))
    unknown = np.full_like(ranks, np.nan)
    return np.asarray(np.divide(ranks, length, out=unknown, where=length > 0))
