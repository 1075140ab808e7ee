"""What is the plan of each method worth, as a share of the oracle's, and how many trainings does it take?

The methods of `plans.py` on eight tables that hold the gain of every task in every set of tasks: six
published ones and our own exhaustive truths. A plan has at most k groups, each task is served by one of
them. It is decided on validation information only; its gain is the mean over tasks of the TEST gain over
training alone.

    python benchmarks/regret.py [TABLE ...]    # writes benchmarks/results/regret.{json,md,svg}

The published tables hold one network a set: its validation gain is revealed to whoever pays for it, its
test gain scores the plan (MTG-Net's Taskonomy has one gain for both). Methods with random choices are
repeated from 20 seeds. Our own truths hold five seeds: a plan that was decided from one seed's networks is
scored by the other seeds'. What instruments found in one joint run is kept in `results/joint_runs.json`.
"""

from __future__ import annotations

import json
import sys

import numpy as np

from benchmarks.common.folders import RESULTS
from benchmarks.regret.cases import cases, own
from benchmarks.regret.figure import figure
from benchmarks.regret.judging import replay
from benchmarks.regret.page import markdown
from benchmarks.regret.verdict import Found, Verdict

GROUPS = (2, 3)


def read() -> Found:
    path = RESULTS / "regret.json"
    content = json.loads(path.read_text()) if path.exists() else {}
    return {
        key: {
            name: Verdict(**{k: np.nan if v is None else v for k, v in one.items()})
            for name, one in own.items()
        }
        for key, own in content.items()
    }


def write(found: Found) -> None:
    content = {
        key: {
            name: {field: round(value, 6) for field, value in one._asdict().items()}
            for name, one in own.items()
        }
        for key, own in found.items()
    }
    text = json.dumps(content, indent=1).replace("NaN", "null")
    (RESULTS / "regret.json").write_text(text + "\n")
    (RESULTS / "regret.md").write_text(markdown(found))
    (RESULTS / "regret.svg").write_text(figure(found))


def main() -> None:
    found, everything = read(), cases()
    for name in sys.argv[1:] or everything:
        case = everything[name]()
        for k in GROUPS:
            found[f"{name}, k = {k}"] = replay(case, k)
            print(f"{name}, k = {k}", flush=True)
    keys = [f"{name}, k = {k}" for name in everything for k in GROUPS]
    write({key: found[key] for key in keys if key in found})
