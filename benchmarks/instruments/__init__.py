"""Judges every instrument on real data by the exhaustive truth: who predicts which tasks help each other?

Truth: every set of tasks trained (2^T − 1 sets, 5 seeds); the true gain of a task in a set is its mean
test score there minus its mean test score alone. Instruments see training and validation rows only. For
each one: rank correlation between what it predicts for a task in a set and the true gain, over all sets of
two or more; the true mean gain of the plan it leads to (at most k groups, each task served by the group the
instrument scores best); its share of the oracle's; its cost in trainings of one network from one seed.

    python -m benchmarks instruments       # writes benchmarks/results/instruments.{json,md}

A truth (`exhaustive_*.json`) and joint runs (`joint_runs.json`) that are in the folder of results are read;
they are trained where they are missing. The quick version judges the committed ones of Tox21.

Tox21: six assays (NR-AhR, NR-Aromatase, NR-ER, SR-ARE, SR-MMP, SR-p53), 1024-bit fingerprints. ETTh1: the
seven channels a day ahead from the last two days, a window every three hours, rows in order of time
(70 / 10 / 20 %).
"""

from __future__ import annotations

from benchmarks.common.files import write_json, write_page
from benchmarks.common.folders import RESULTS
from benchmarks.common.options import Options
from benchmarks.instruments.joint_runs import joint_runs
from benchmarks.instruments.judging import judge_case
from benchmarks.instruments.page import page
from benchmarks.instruments.problems import CASES
from benchmarks.instruments.truth import Truth, train_all_sets

QUICK_CASES, QUICK_SEEDS = ("tox21",), 1


def run(options: Options) -> None:
    """Truths and joint runs where they are missing, and everybody judged by them."""
    folder = RESULTS if options.quick else options.out
    names = QUICK_CASES if options.quick else tuple(CASES)
    for name in () if options.quick else names:
        if not (folder / f"exhaustive_{name}.json").exists():
            train_all_sets(name, folder)
    runs = joint_runs(folder)
    if options.quick:
        runs = {name: own[:QUICK_SEEDS] for name, own in runs.items()}
    cases = {name: judge_case(Truth.read(name, folder), runs[name]) for name in names}
    write_json(options.out / "instruments.json", cases)
    write_page(options.out / "instruments.md", page(cases))
