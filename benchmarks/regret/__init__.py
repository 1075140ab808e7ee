"""What is the plan of each method worth, as a share of the oracle's, and how many trainings does it take?

The methods of `methods.py` on eight tables that hold the gain of every task in every set of tasks: six
published ones and our own exhaustive truths. A plan has at most k groups, each task is served by one of
them. It is decided on validation information only; its gain is the mean over tasks of the TEST gain over
training alone.

    python -m benchmarks regret    # writes benchmarks/results/regret.{json,md,svg}

The published tables hold one network a set: its validation gain is revealed to whoever pays for it, its
test gain scores the plan (MTG-Net's Taskonomy has one gain for both). Methods with random choices are
repeated from 20 seeds. Our own truths hold five seeds: a plan that was decided from one seed's networks is
scored by the other seeds'. What instruments found in one joint run is kept in `results/joint_runs.json`.
The quick version decides from one seed of ETTh1 for two groups, without the methods that search.
"""

from __future__ import annotations

from benchmarks.common.files import write_json, write_page
from benchmarks.common.options import Options
from benchmarks.regret.cases import cases
from benchmarks.regret.figure import write_figure
from benchmarks.regret.judging import replay
from benchmarks.regret.methods import RANDOM, by_chance
from benchmarks.regret.page import page
from benchmarks.regret.verdict import Found

GROUPS: tuple[int, ...] = (2, 3)
QUICK_CASE = "ETTh1"


def run(options: Options) -> None:
    """Every method on every table."""
    everything, groups, random = cases(), GROUPS, RANDOM
    if options.quick:
        everything, groups = {QUICK_CASE: everything[QUICK_CASE]}, GROUPS[:1]
        random = (by_chance,)
    found: Found = {}
    for name, load in everything.items():
        case = load()
        if options.quick:
            case = case._replace(views=case.views[:1])
        for k in groups:
            found[f"{name}, k = {k}"] = replay(case, k, random=random)
            print(f"{name}, k = {k}", flush=True)
    write_json(options.out / "regret.json", _rounded(found))
    write_page(options.out / "regret.md", page(found), show=options.quick)
    write_figure(options.out / "regret.svg", found)


def _rounded(found: Found) -> dict[str, dict[str, dict[str, float]]]:
    return {
        key: {
            name: {field: round(value, 6) for field, value in one._asdict().items()}
            for name, one in own.items()
        }
        for key, own in found.items()
    }
