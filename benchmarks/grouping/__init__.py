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

    python benchmarks/grouping.py [T ...]       # writes benchmarks/results/grouping.{json,md}
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import numpy as np

from benchmarks.common.arrays import Array
from benchmarks.common.folders import RESULTS
from benchmarks.grouping.rivals import BEAM, choices_of, enumeration, greedy, spectral
from cotrain.grouping import Grouping, group_tasks
from cotrain.grouping.objective import clean

SIZES = {9: 3, 12: 3, 14: 3, 20: 4, 30: 5, 100: 10, 617: 20}  # tasks: groups
MOST_CHOICES = 3e8  # of the enumeration


def planted(tasks: int, groups: int, rng: np.random.Generator) -> Array:
    home = rng.integers(0, groups, tasks)
    same = np.equal.outer(home, home)
    return np.where(same, 1.0, -1.0) + rng.normal(size=(tasks, tasks))


def uniform(tasks: int, groups: int, rng: np.random.Generator) -> Array:
    return rng.uniform(-1, 1, size=(tasks, tasks))


def low_rank(tasks: int, groups: int, rng: np.random.Generator) -> Array:
    recipient = rng.normal(size=(tasks, 4))
    source = recipient + 0.5 * rng.normal(size=(tasks, 4))
    return recipient @ source.T / 4 + 0.1 * rng.normal(size=(tasks, tasks))


MATRICES = (planted, uniform, low_rank)


def timed(solve: Callable[[], float]) -> dict[str, float]:
    began = time.perf_counter()
    value = solve()
    return {"objective": value, "seconds": time.perf_counter() - began}


def row(name: str, z: Array, k: int) -> dict[str, object]:
    answers: list[Grouping] = []

    def ours() -> float:
        answers.append(group_tasks(z, max_groups=k))
        return answers[0].objective

    z, choices = clean(z), choices_of(len(z), k)
    found: dict[str, object] = {
        "matrix": name,
        "tasks": len(z),
        "groups": k,
        "ours": timed(ours),
        "greedy": timed(lambda: greedy(z, k)),
        "beam": timed(lambda: greedy(z, k, BEAM if len(z) <= 100 else 2)),
        "spectral": timed(lambda: spectral(z, k)),
        "choices": choices,
        "bound": answers[0].bound,
        "exact": answers[0].exact,
    }
    if choices <= MOST_CHOICES:
        found["enumeration"] = timed(lambda: enumeration(z, k))
    return found


def curve() -> list[dict[str, float]]:
    """Seconds of the enumeration and of ours for two groups, task by task."""
    found = []
    for tasks in range(5, 16):
        z = clean(uniform(tasks, 2, np.random.default_rng(0)))
        choices = choices_of(tasks, 2)
        point = {"tasks": tasks, "choices": choices}
        point["ours"] = timed(lambda z=z: group_tasks(z, max_groups=2).objective)["seconds"]
        if choices <= MOST_CHOICES:
            point["enumeration"] = timed(lambda z=z: enumeration(z, 2))["seconds"]
        found.append(point)
    return found


def cell(value: object) -> str:
    if not isinstance(value, dict):
        return "–"
    return f"{value['objective']:.4f} ({value['seconds']:.2f})"


def table(rows: list[dict[str, object]]) -> list[str]:
    lines = [
        "| matrix | T | k | ours (s) | bound | gap | greedy (s) | beam (s) | spectral (s) | all (s) |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        ours = r["ours"]["objective"]  # type: ignore[index]
        gap = (r["bound"] - ours) / abs(ours)  # type: ignore[operator]
        parts = [r["matrix"], r["tasks"], r["groups"], cell(r["ours"]), f"{r['bound']:.4f}"]
        parts += ["0 (proven)" if r["exact"] else f"{gap:.2%}"]
        parts += [cell(r.get(name)) for name in ("greedy", "beam", "spectral", "enumeration")]
        lines.append("| " + " | ".join(map(str, parts)) + " |")
    return lines


def curve_table(points: list[dict[str, float]]) -> list[str]:
    lines = ["| T | choices of 2 groups | enumeration, s | ours, s |", "|---|---|---|---|"]
    for p in points:
        seconds = f"{p['enumeration']:.3f}" if "enumeration" in p else "not run"
        lines.append(f"| {p['tasks']} | {p['choices']:.3g} | {seconds} | {p['ours']:.4f} |")
    return lines


def main() -> None:
    sizes = [int(word) for word in sys.argv[1:]] or list(SIZES)
    group_tasks(np.zeros((3, 3)), max_groups=2)  # imports are not timed
    points, rows = curve(), []
    for tasks in sizes:
        for make in MATRICES:
            z = make(tasks, SIZES[tasks], np.random.default_rng(tasks))
            rows.append(row(make.__name__, z, SIZES[tasks]))
            print(table(rows)[-1], flush=True)
    path = RESULTS / "grouping.json"
    if path.exists():  # sizes that were not asked for stay
        rows += [r for r in json.loads(path.read_text())["rows"] if r["tasks"] not in sizes]
        rows.sort(key=lambda r: int(str(r["tasks"])))
    content = {"rows": rows, "curve": points}
    path.write_text(json.dumps(content, indent=1) + "\n")
    about = [
        "Objective: mean over tasks of the best group's score, higher is better; seconds in brackets. "
        "One thread; at 9 to 14 and 100 and more tasks the machine had other work.",
        "",
    ]
    text = [*about, *table(rows), "", "Where enumeration ends, for two groups:", ""]
    (RESULTS / "grouping.md").write_text("\n".join([*text, *curve_table(points)]) + "\n")
