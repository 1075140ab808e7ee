"""How far does one driver reach? Ray with one and two workers, the driver's loop with up to a thousand.

    python -m benchmarks ray_scaling    # writes benchmarks/results/ray_scaling.{json,md}

First real: a population in this process and on local Ray workers, and what Ray's own calls take of the
driver's processor time. Then the real driver's loop (`Engine.train`, `optimize_weights`) drives simulated
workers, which compute nothing and keep a clock. The driver is charged its processor time, and Ray's calls
as measured before; writing what is finished is measured apart.
"""

from __future__ import annotations

import logging
import os

import torch

from benchmarks.common.files import write_json, write_page
from benchmarks.common.options import Options
from benchmarks.ray_scaling.page import page
from benchmarks.ray_scaling.problem import a_cohort
from benchmarks.ray_scaling.real import real
from benchmarks.ray_scaling.simulated import plain, searched, simulate, writing

WORKERS, TRAININGS = (1, 10, 100, 1000), 4
QUICK_WORKERS = (1, 4)


def run(options: Options) -> None:
    """Real workers, Ray's calls, and simulated workers."""
    logging.disable()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    torch.set_num_threads(1)
    workers, trainings = (QUICK_WORKERS, 2) if options.quick else (WORKERS, TRAININGS)
    load = os.getloadavg()
    measured = {"this process": real(None, trainings)}
    if not options.quick:
        measured["Ray, 1 worker"] = real(1, trainings)
    costs: dict[str, float] = {}
    measured["Ray, 2 workers"] = real(2, trainings, costs)
    cohort = a_cohort()
    result = {
        "load": load,
        "cores": os.cpu_count(),
        "real": measured,
        "ray_calls_s": costs,
        "write_cohort_s": writing(cohort),
        "population": [simulate(count, costs, cohort, plain) for count in workers],
        "search": [simulate(count, costs, cohort, searched) for count in workers],
    }
    write_json(options.out / "ray_scaling.json", result)
    write_page(options.out / "ray_scaling.md", page(result))
