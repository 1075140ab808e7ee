"""A step of gradient aggregation: ours, TorchJD used by hand, and a LibMTL-style loop, in one process.

One member, an MLP 256-256 on 200 inputs, batch 256, T binary tasks, AdamW. All start from the same
parameters and take the same steps; time is the median over interleaved epochs of one step each, a ratio the
median over epochs of (their seconds) / (ours).

- *TorchJD by hand*: an encoder and a linear head a task, ``mtl_backward``, ``jac_to_grad`` with the
  Gramian taken parameter by parameter where the aggregator allows it (less memory, and not slower here).
- *LibMTL-style*: our own re-implementation of what LibMTL publishes for shared parameters: a backward pass
  a task through the shared encoder, each copied into one ``[T, D]`` matrix, then the method's formula on
  it. Where plain numbers are quicker than LibMTL's one-element tensors (MGDA's start), it uses them.

    python benchmarks/aggregators.py            # writes benchmarks/results/aggregators.{json,md}
    python benchmarks/aggregators.py --busy     # the same, marked as measured beside other work
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.aggregators.contenders import METHODS, Contender, Ours, Problem, contenders
from benchmarks.aggregators.page import RATIOS, table
from benchmarks.common.folders import RESULTS
from cotrain.engine.loss_weighting import FIXED
from cotrain.weighting import ITMTL, Exact, FirstOrder

COUNTS = (2, 8, 32, 64)
ROUNDS = 9
REMEMBERED = ("MGDA", "PCGrad")  # methods whose memory is measured


def seconds(run: Callable[[], None]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def times(running: dict[str, Contender]) -> dict[str, list[float]]:
    """Interleaved epochs of one step each, after one that warms up."""
    found: dict[str, list[float]] = {name: [] for name in running}
    for one in running.values():
        one.step()
    for _ in range(ROUNDS):
        for name, one in running.items():
            found[name].append(seconds(one.step))
    return found


def measure(tasks: int, method: str) -> dict[str, Any]:
    running = {name: make() for name, make in contenders(tasks, method).items()}
    exact, low = (running[name].direction() for name in ("ours", "ours, bf16"))  # type: ignore[attr-defined]
    found = times(running)
    apart = running["ours"].first_layer() - running["TorchJD"].first_layer()
    return {
        "tasks": tasks,
        "method": method,
        "ms": {name: 1e3 * statistics.median(own) for name, own in found.items()},
        "ratio": {
            f"{slow} / {fast}": statistics.median(
                s / f for s, f in zip(found[slow], found[fast], strict=True)
            )
            for slow, fast in RATIOS
        },
        "cosine_of_bf16": float(nn.functional.cosine_similarity(exact, low, dim=0)),
        "largest_difference_from_torchjd": float(apart.abs().max()),
    }


def measure_choices(tasks: int) -> dict[str, Any]:
    """IT-MTL beside a step with fixed weights."""
    problem = Problem(tasks)
    methods = {
        "fixed": FIXED,
        "IT-MTL, first order": ITMTL(score=FirstOrder()),
        "IT-MTL, exact": ITMTL(score=Exact()),
    }
    running: dict[str, Contender] = {
        name: Ours(problem, method, torch.float32) for name, method in methods.items()
    }
    return {
        "tasks": tasks,
        "ms": {name: 1e3 * statistics.median(own) for name, own in times(running).items()},
    }


def peak_megabytes(name: str, tasks: int, method: str) -> float:
    """Peak resident memory of a fresh process that runs only this contender, less an idle one's."""
    arguments = [sys.executable, __file__, "--memory", name, str(tasks), method]
    return float(subprocess.run(arguments, check=True, capture_output=True, text=True).stdout)


def peak_kilobytes() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def memory_child(name: str, tasks: int, method: str) -> None:
    contenders(2, method)[name]().step()  # imports and solvers are no part of it
    make = contenders(tasks, method)[name]
    before = peak_kilobytes()
    one = make()
    for _ in range(3):
        one.step()
    print((peak_kilobytes() - before) / 1024)


def main(*, busy: bool) -> None:
    result = {
        "busy": busy,
        "threads": torch.get_num_threads(),
        "load": os.getloadavg(),
        "rows": [measure(tasks, method) for tasks in COUNTS for method in METHODS],
        "itmtl": [measure_choices(tasks) for tasks in COUNTS],
        "memory_mb": [
            {
                "tasks": tasks,
                "method": method,
                "mb": {
                    name: peak_megabytes(name, tasks, method) for name in contenders(tasks, method)
                },
            }
            for method in REMEMBERED
            for tasks in COUNTS
        ],
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "aggregators.json").write_text(json.dumps(result, indent=1))
    (RESULTS / "aggregators.md").write_text(table(result))
    print(table(result))
