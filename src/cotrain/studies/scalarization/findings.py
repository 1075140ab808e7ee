"""Verdicts on the three findings of Royer et al. (2023) from a study's estimates."""

from __future__ import annotations

from cotrain.studies.findings import Finding, Verdict, written
from cotrain.studies.scalarization.estimates import Estimates

WEAK = 0.3  # correlations that are smaller predict less than a tenth of the variance
SHARE = 0.5  # of the agreement at one size, where only noise is in the way
SMALL = 0.02  # a test score that is next to nothing


def findings(found: Estimates) -> tuple[Finding, ...]:
    """The three findings, each confirmed, refuted or undecided."""
    agreement, regret, correlation = found.agreement, found.regret, found.correlation
    orderly = agreement.low > max(0.0, SHARE * found.yardstick.high)
    weak = correlation.low > -WEAK and correlation.high < WEAK
    growth = Finding(
        claim="the gain of training together over training alone grows with model size",
        verdict=Verdict.above_zero(found.uniform_trend),
        evidence=(
            f"for ten times the parameters the test gain changes by {written(found.uniform_trend)} "
            f"(uniform weights) and {written(found.best_trend)} (best constant weights)"
        ),
    )
    stability = Finding(
        claim="the best weights are stable across model size (search small, train large)",
        verdict=Verdict.of(orderly and regret.high < SMALL, agreement.high < 0 or regret.low > 0),
        evidence=(
            f"rank correlation of the weights between a size and a larger one {written(agreement)}, at one "
            f"and the same size {written(found.yardstick)} (over pairs); at the largest size its own best "
            f"weights are better than the smallest one's by {written(regret)}, and the smallest one's "
            f"better than uniform by {written(found.transfer)}; stable if all of the first interval is "
            f"above {SHARE:g} of the second's end, and all of the regret's below {SMALL:g}"
        ),
    )
    conflicts = Finding(
        claim="the share of conflicting gradients does not predict the gain",
        verdict=Verdict.of(weak, not weak and correlation.significant),
        evidence=(
            f"their correlation is {written(correlation)} on validation; it counts as none if all of "
            f"the interval is within ±{WEAK}"
        ),
    )
    return growth, stability, conflicts
