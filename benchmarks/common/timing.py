"""Seconds of several jobs that take turns, so that a slow minute of the machine slows all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

Times = dict[str, list[float]]


def seconds(job: Callable[[], object]) -> float:
    """How long a job takes."""
    began = time.perf_counter()
    job()
    return time.perf_counter() - began


def interleaved(
    jobs: Mapping[str, Callable[[], object]], *, rounds: int, warm_up: int = 1
) -> Times:
    """Seconds of each job in each round; in a round every job has its turn.

    Args:
        jobs: Name → what is timed.
        rounds: How many are kept.
        warm_up: How many go before, and are not kept.
    """
    found: Times = {name: [] for name in jobs}
    for _ in range(warm_up + rounds):
        for name, job in jobs.items():
            found[name].append(seconds(job))
    return {name: own[warm_up:] for name, own in found.items()}


def medians(times: Times) -> dict[str, float]:
    """Median seconds of each job."""
    return {name: statistics.median(own) for name, own in times.items()}


def ratio(times: Times, slow: str, fast: str) -> float:
    """Median over the rounds of one job's seconds over another's."""
    pairs = zip(times[slow], times[fast], strict=True)
    return statistics.median(s / f for s, f in pairs)
