"""Grouping solvers on the same random matrices: objective, bound, gap and seconds, for 9 to 617 tasks.

Matrices: planted (clusters of tasks that help each other by 1 and hurt others by 1, plus standard normal
noise), uniform in [-1, 1] (nothing to find but luck), low rank (4 factors with noise, asymmetric).

- ours: `group_tasks`, at most 60 seconds for closing the gap.
- greedy: k times, grow a group from the best task by the task that adds most to the mean of best scores,
  and keep the best group met.
- beam: the same with the 10 best partial groups kept at every size (2 at 617 tasks).
- spectral: scikit-learn's SpectralClustering into k clusters of the symmetrised, shifted matrix, best of 5
  seeds.
- enumeration: every choice of at most k of the 2^T - 1 groups, as the reference implementations do, but
  vectorised over the last group. It is not run where it would take minutes.

    python -m benchmarks grouping       # writes benchmarks/results/grouping.{json,md}
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.common.arrays import Array
from benchmarks.common.files import write_json, write_page
from benchmarks.common.options import Options
from benchmarks.grouping.page import page
from benchmarks.grouping.rivals import BEAM, choices_of, enumeration, greedy, spectral
from cotrain.grouping import group_tasks
from cotrain.grouping.objective import clean

SIZES = {9: 3, 12: 3, 14: 3, 20: 4, 30: 5, 100: 10, 617: 20}  # tasks: groups
CURVE = range(5, 16)  # tasks
MOST_CHOICES = 3e8  # of the enumeration
QUICK_SIZES, QUICK_CURVE, QUICK_CHOICES = (9, 12), range(5, 9), 1e6


def planted(tasks: int, groups: int, rng: np.random.Generator) -> Array:
    """Clusters of tasks that help each other and hurt others, and noise."""
    home = rng.integers(0, groups, tasks)
    same = np.equal.outer(home, home)
    return np.where(same, 1.0, -1.0) + rng.normal(size=(tasks, tasks))


def uniform(tasks: int, groups: int, rng: np.random.Generator) -> Array:
    """Nothing to find but luck."""
    return rng.uniform(-1, 1, size=(tasks, tasks))


def low_rank(tasks: int, groups: int, rng: np.random.Generator) -> Array:
    """Four factors with noise, asymmetric."""
    recipient = rng.normal(size=(tasks, 4))
    source = recipient + 0.5 * rng.normal(size=(tasks, 4))
    return np.asarray(recipient @ source.T / 4 + 0.1 * rng.normal(size=(tasks, tasks)))


MATRICES = (planted, uniform, low_rank)


def run(options: Options) -> None:
    """All solvers on all matrices, and where enumeration ends."""
    sizes, curve, most = tuple(SIZES), CURVE, MOST_CHOICES
    if options.quick:
        sizes, curve, most = QUICK_SIZES, QUICK_CURVE, QUICK_CHOICES
    group_tasks(np.zeros((3, 3)), max_groups=2)  # imports are not timed
    points, rows = [point(tasks, most) for tasks in curve], []
    for tasks in sizes:
        for make in MATRICES:
            z = make(tasks, SIZES[tasks], np.random.default_rng(tasks))
            rows.append(solved(make.__name__, z, SIZES[tasks], most))
            print(f"{make.__name__}, {tasks} tasks", flush=True)
    write_json(options.out / "grouping.json", {"rows": rows, "curve": points})
    write_page(options.out / "grouping.md", page(rows, points))


def solved(name: str, z: Array, k: int, most_choices: float) -> dict[str, Any]:
    """What every solver reaches on one matrix, and in how many seconds."""
    z, choices = clean(z), choices_of(len(z), k)
    began = time.perf_counter()
    answer = group_tasks(z, max_groups=k)
    found: dict[str, Any] = {
        "matrix": name,
        "tasks": len(z),
        "groups": k,
        "ours": {"objective": answer.objective, "seconds": time.perf_counter() - began},
        "greedy": timed(partial(greedy, z, k)),
        "beam": timed(partial(greedy, z, k, BEAM if len(z) <= 100 else 2)),
        "spectral": timed(partial(spectral, z, k)),
        "choices": choices,
        "bound": answer.bound,
        "exact": answer.exact,
    }
    if choices <= most_choices:
        found["enumeration"] = timed(partial(enumeration, z, k))
    return found


def timed(solve: Callable[[], float]) -> dict[str, float]:
    """The objective that a solver reaches, and its seconds."""
    began = time.perf_counter()
    value = solve()
    return {"objective": value, "seconds": time.perf_counter() - began}


def point(tasks: int, most_choices: float) -> dict[str, float]:
    """Seconds of the enumeration and of ours for two groups of so many tasks."""
    z = clean(uniform(tasks, 2, np.random.default_rng(0)))
    choices = choices_of(tasks, 2)
    began = time.perf_counter()
    group_tasks(z, max_groups=2)
    found = {"tasks": tasks, "choices": choices, "ours": time.perf_counter() - began}
    if choices <= most_choices:
        found["enumeration"] = timed(partial(enumeration, z, 2))["seconds"]
    return found
