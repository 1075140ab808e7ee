"""The page of instruments beside the oracle."""

from __future__ import annotations

from typing import Any

from benchmarks.common.markdown import table, with_error
from benchmarks.instruments.problems import TITLES


def page(cases: dict[str, dict[str, Any]]) -> str:
    """A table a data set."""
    lines = [
        "# Instruments judged by the exhaustive truth",
        "",
        "`python -m benchmarks instruments`; gains are differences in mean test score (AUC, R²) to",
        "training alone. A seed's instrument is judged by the test scores of the other seeds' networks;",
        "± are standard errors: of plans by the jackknife over the 5 seeds, which leave as instruments and",
        "as judges; of rank correlations over the instrument's seeds. Order of rows and split are the same",
        "for all seeds. Cost in trainings of one network; the first four looked on at the same joint run.",
        "The oracle chooses by the true test gains of all seeds.",
    ]
    for name, case in cases.items():
        lines += [
            "",
            f"## {TITLES[name]}",
            "",
            f"All together {case['all together']:+.4f}; oracle {case['oracle'][2]:+.4f} with 2 groups, "
            f"{case['oracle'][3]:+.4f} with 3; the truth of two seeds and of three others agree at rank "
            f"correlation {case['truth repeats itself']:.2f}. Two halves of the lookahead's probes agree "
            f"at {case['instruments']['lookahead']['reliability'][0]:.2f} on average over the seeds.",
            "",
            *_verdicts(case),
        ]
    return "\n".join(lines) + "\n"


def _verdicts(case: dict[str, Any]) -> list[str]:
    """A row an instrument."""
    head = ("instrument", "trainings", "rank correlation")
    rows = []
    for instrument, found in case["instruments"].items():
        cells = [instrument, f"{found['trainings'][0]:.1f}", with_error(*found["rank"], digits=2)]
        for k in (2, 3):
            plan = found[f"plan {k}"]
            cells += [with_error(*plan), f"{case['oracle'][k] - plan[0]:.4f}"]
        rows.append(cells)
    return table((*head, "plan, 2 groups", "regret", "plan, 3 groups", "regret"), rows)
