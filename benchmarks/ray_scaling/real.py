"""Real Ray workers on this machine, and what Ray's calls take of the driver."""

from __future__ import annotations

import tempfile
import time
from typing import Any

import numpy as np

from benchmarks.ray_scaling.problem import COHORT, RECIPE, ROUNDS, make_engine, members
from benchmarks.ray_scaling.simulated import REPORT
from cotrain import RayCluster
from cotrain.engine.cohorts.local import LOCAL
from cotrain.engine.cohorts.workers import Cluster, Partition, WorkItem


def real(
    count: int | None, trainings: int, costs: dict[str, float] | None = None
) -> dict[str, float]:
    """Seconds of a population of 32 in cohorts of 8: in this process (None), or on local workers.

    Args:
        count: Workers.
        trainings: How often the population is trained; the first wakes the workers.
        costs: Filled with what Ray's calls take, while the workers are there.
    """
    import ray

    if count is not None:
        ray.init(address="local", num_cpus=count, include_dashboard=False, log_to_driver=False)
    cluster: Cluster = LOCAL if count is None else RayCluster()
    partition = Partition(parts=4)
    seconds = []
    for _ in range(trainings):
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            make_engine(folder, cluster, partition).train("x", members(32))
            seconds.append(time.perf_counter() - began)
    found = {"first": seconds[0], "median_after": float(np.median(seconds[1:]))}
    if costs is not None:
        costs |= calls()
    if count is not None:
        ray.shutdown()
    return found


def calls() -> dict[str, float]:
    """Driver's processor seconds of Ray's calls: a turn, and what each piece in and out adds.

    All threads of the driver's process count. The work is empty; 400 turns are in flight.
    """
    import ray

    nothing = ray.remote(_nothing)
    turn, held = WorkItem(members=tuple(members(COHORT)), recipe=RECIPE, until=ROUNDS), ray.put(0)

    def spent(pieces: int, turns: int = 400) -> float:
        began = time.process_time()
        flying = {
            nothing.options(num_returns=1 + pieces, memory=1000).remote(turn, *[held] * pieces)[
                0
            ]: 0
            for _ in range(turns)
        }
        while flying:
            ray.wait(list(flying), num_returns=1, fetch_local=False)
            ready, _ = ray.wait(list(flying), num_returns=len(flying), timeout=0, fetch_local=False)
            ray.get(ready)
            for reference in ready:
                flying.pop(reference)
        return (time.process_time() - began) / turns

    spent(1)
    one, many = min(spent(1) for _ in range(3)), min(spent(COHORT) for _ in range(3))
    return {"turn": one, "piece": max(0.0, (many - one) / (COHORT - 1))}


def _nothing(turn: WorkItem, *pieces: Any) -> tuple[Any, ...]:
    """The answer of a worker to which every turn is empty."""
    return (REPORT, *([None] * max(1, len(pieces))))
