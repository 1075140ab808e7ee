"""Judges every instrument on real data by the exhaustive truth: who predicts which tasks help each other?

Truth: every set of tasks trained (2^T − 1 sets, 5 seeds); the true gain of a task in a set is its mean
test score there minus its mean test score alone. Instruments see training and validation rows only. For
each one: rank correlation between what it predicts for a task in a set and the true gain, over all sets of
two or more; the true mean gain of the plan it leads to (at most k groups, each task served by the group the
instrument scores best); its share of the oracle's; its cost in trainings of one network from one seed.

    python benchmarks/instruments.py       # writes benchmarks/results/instruments.{json,md}

Tox21: six assays (NR-AhR, NR-Aromatase, NR-ER, SR-ARE, SR-MMP, SR-p53), 1024-bit fingerprints. ETTh1: the
seven channels a day ahead from the last two days, a window every three hours, rows in order of time
(70 / 10 / 20 %).
"""

from __future__ import annotations

import json

from benchmarks.common.folders import RESULTS
from benchmarks.instruments.judging import judge_case
from benchmarks.instruments.page import page
from benchmarks.instruments.problems import CASES
from benchmarks.instruments.truth import train_all_sets


def main() -> None:
    for name in CASES:
        if not (RESULTS / f"exhaustive_{name}.json").exists():
            train_all_sets(name)
    cases = {name: judge_case(name) for name in CASES}
    (RESULTS / "instruments.json").write_text(json.dumps(cases, indent=1) + "\n")
    (RESULTS / "instruments.md").write_text(page(cases))
    print(page(cases))
