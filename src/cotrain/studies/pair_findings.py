"""Verdicts on the three findings of Royer et al. (2023) from a study's estimates."""

from __future__ import annotations

from cotrain.studies.finding import Finding, verdict, written
from cotrain.studies.pair_estimates import Estimates

WEAK = 0.3  # correlations that are smaller predict less than a tenth of the variance


def findings(found: Estimates) -> tuple[Finding, ...]:
    """The three findings, each confirmed, refuted or undecided."""
    return (_growth(found), _stability(found), _conflicts(found))


def _growth(found: Estimates) -> Finding:
    trend = found.uniform_trend
    return Finding(
        claim="the gain of training together over training alone grows with model size",
        verdict=verdict(trend.low > 0, trend.high < 0),
        evidence=(
            f"for ten times the parameters the test gain changes by {written(found.uniform_trend)} "
            f"(uniform weights) and {written(found.best_trend)} (best constant weights)"
        ),
    )


def _stability(found: Estimates) -> Finding:
    agreement, regret = found.agreement, found.regret
    return Finding(
        claim="the best weights are stable across model size (search small, train large)",
        verdict=verdict(
            agreement.low > 0 and not regret.low > 0, agreement.high < 0 or regret.low > 0
        ),
        evidence=(
            f"rank correlation of the weights between a size and a larger one "
            f"{written(found.agreement)}, at one and the same size {written(found.yardstick)}; at the "
            f"largest size its own best weights are better than the smallest one's by "
            f"{written(found.regret)}, and the smallest one's better than uniform by "
            f"{written(found.transfer)}"
        ),
    )


def _conflicts(found: Estimates) -> Finding:
    correlation = found.correlation
    weak = correlation.low > -WEAK and correlation.high < WEAK
    return Finding(
        claim="the share of conflicting gradients does not predict the gain",
        verdict=verdict(weak, not weak and correlation.significant),
        evidence=(
            f"their correlation is {written(found.correlation)} on validation; it counts as none if all of "
            f"the interval is within ±{WEAK}"
        ),
    )
