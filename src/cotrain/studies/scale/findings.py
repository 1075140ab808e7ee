"""Verdicts on the findings of Padmakumar et al. (2022) from a study's estimates."""

from __future__ import annotations

from cotrain.figures.text import percent
from cotrain.studies.findings import Finding, Verdict, level, written
from cotrain.studies.scale.estimates import ScaleEstimates

COMPETITIVE = 0.01  # a score that is lower by at most so much


def findings(found: ScaleEstimates, examples: int) -> tuple[Finding, ...]:
    """The four published findings, and the first one at a fixed number of examples."""
    return (
        _more_help(found),
        _more_help_alike(found, examples),
        _related(found),
        _mismatch(found),
        _variance(found),
    )


def _more_help(found: ScaleEstimates) -> Finding:
    return Finding(
        claim="more source tasks help on average",
        verdict=Verdict.above_zero(found.trend),
        evidence=(
            f"twice as many random sources change the mean target score by {written(found.trend)}; all "
            f"of them are better than none by {written(found.all_gain)}"
        ),
    )


def _more_help_alike(found: ScaleEstimates, examples: int) -> Finding:
    return Finding(
        claim="so they do at the same number of examples (not in the paper)",
        verdict=Verdict.above_zero(found.trend_fixed),
        evidence=(
            f"with {examples:,} labels in all, twice as many random sources change the mean target score "
            f"by {written(found.trend_fixed)}"
        ),
    )


def _related(found: ScaleEstimates) -> Finding:
    gap, cheaper = found.related_gap, found.related_cost.high < 1
    return Finding(
        claim="a small related set is competitive at lower cost",
        verdict=Verdict.of(
            gap.low > -COMPETITIVE and cheaper,
            gap.high < -COMPETITIVE or found.related_cost.low > 1,
        ),
        evidence=(
            f"the related group is better than all sources by {written(gap)}, than none by "
            f"{written(found.related_gain)}, and its stage 1 takes {percent(found.related_cost.value)} of "
            f"the examples; it counts as competitive if all of the interval is above -{COMPETITIVE}"
        ),
    )


def _mismatch(found: ScaleEstimates) -> Finding:
    return Finding(
        claim="a mismatched set hurts: it is worse than none",
        verdict=Verdict.below_zero(found.mismatch_gain),
        evidence=(
            f"another group is better than none by {written(found.mismatch_gain)}, than the related one "
            f"by {written(found.mismatch_gap)}"
        ),
    )


def _variance(found: ScaleEstimates) -> Finding:
    none, ratio = found.spread_none, found.spread_ratio
    return Finding(
        claim="more source tasks lower the variance over seeds",
        verdict=Verdict.of(
            found.spread_trend.high < 0 and ratio.high < 1,
            found.spread_trend.low > 0 or ratio.low > 1,
        ),
        evidence=(
            f"the standard deviation over seeds is {none.value:.4f} with no sources and "
            f"{found.spread_all.value:.4f} with all, {level(ratio)} times as "
            "much; twice as many random sources change its binary logarithm by "
            f"{written(found.spread_trend)}"
        ),
    )
