"""How far does one driver reach? Ray with one and two workers, the driver's loop with up to a thousand.

    python benchmarks/ray_scaling.py    # writes benchmarks/results/ray_scaling.{json,md}

First real: a population in this process and on local Ray workers, and what Ray's own calls take of the
driver's processor time. Then the real driver's loop (`Engine.train`, `optimize_weights`) drives simulated
workers, which compute nothing and keep a clock. The driver is charged its processor time, and Ray's calls
as measured before; writing what is finished is measured apart.
"""

from __future__ import annotations

import json
import logging
import os

import torch

from benchmarks.common.folders import RESULTS
from benchmarks.ray_scaling.page import page
from benchmarks.ray_scaling.problem import a_cohort
from benchmarks.ray_scaling.real import real
from benchmarks.ray_scaling.simulated import plain, searched, simulate, writing

WORKERS = (1, 10, 100, 1000)


def main() -> None:
    logging.disable()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    torch.set_num_threads(1)
    here, one, two = real(None), real(1), real(2)
    cohort = a_cohort()
    costs = {name: two.pop(name) for name in ("turn", "piece")}
    result = {
        "load": os.getloadavg(),
        "cores": os.cpu_count(),
        "real": {"this process": here, "Ray, 1 worker": one, "Ray, 2 workers": two},
        "ray_calls_s": costs,
        "write_cohort_s": writing(cohort),
        "population": [simulate(w, costs, cohort, plain) for w in WORKERS],
        "search": [simulate(w, costs, cohort, searched) for w in WORKERS],
    }
    print(page(result))
    (RESULTS / "ray_scaling.md").write_text(page(result))
    (RESULTS / "ray_scaling.json").write_text(json.dumps(result, indent=1) + "\n")
