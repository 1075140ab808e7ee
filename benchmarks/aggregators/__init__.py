"""A step of gradient aggregation: ours, TorchJD used by hand, and a LibMTL-style loop, in one process.

One member, an MLP 256-256 on 200 inputs, batch 256, T binary tasks, AdamW. All start from the same
parameters and take the same steps; time is the median over interleaved rounds of one step each, a ratio the
median over rounds of (their seconds) / (ours).

- *TorchJD by hand*: an encoder and a linear head a task, ``mtl_backward``, ``jac_to_grad`` with the
  Gramian taken parameter by parameter where the aggregator allows it (less memory, and not slower here).
- *LibMTL-style*: our own re-implementation of what LibMTL publishes for shared parameters: a backward pass
  a task through the shared encoder, each copied into one ``[T, D]`` matrix, then the method's formula on
  it. Where plain numbers are quicker than LibMTL's one-element tensors (MGDA's start), it uses them.

    python -m benchmarks aggregators            # writes benchmarks/results/aggregators.{json,md}
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from benchmarks.aggregators.contenders import METHODS, Contender, Ours, Problem, contenders
from benchmarks.aggregators.page import RATIOS, page
from benchmarks.common.files import write_json, write_page
from benchmarks.common.memory import in_fresh_process, peak_bytes
from benchmarks.common.options import Options
from benchmarks.common.timing import Times, interleaved, medians, ratio
from cotrain.engine.loss_weighting import FIXED
from cotrain.weighting import ITMTL, ExactScore, FirstOrderScore

BUSY = 1.0  # load from which on the page says that the machine had other work


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is measured.

    Args:
        counts: Numbers of tasks.
        rounds: Of one step each.
        methods: Of aggregation.
        remembered: Methods whose memory is measured.
    """

    counts: tuple[int, ...] = (2, 8, 32, 64)
    rounds: int = 9
    methods: tuple[str, ...] = tuple(METHODS)
    remembered: tuple[str, ...] = ("MGDA", "PCGrad")


QUICK = Plan(counts=(2,), rounds=2, methods=("PCGrad", "MGDA"), remembered=("MGDA",))


def run(options: Options) -> None:
    """Steps of all contenders, those of IT-MTL, and memory."""
    plan = QUICK if options.quick else Plan()
    load = os.getloadavg()
    result = {
        "busy": load[0] > BUSY,
        "threads": torch.get_num_threads(),
        "load": load,
        "rounds": plan.rounds,
        "rows": [
            measure(tasks, method, plan.rounds) for tasks in plan.counts for method in plan.methods
        ],
        "itmtl": [measure_choices(tasks, plan.rounds) for tasks in plan.counts],
        "memory_mb": [
            {"tasks": tasks, "method": method, "mb": memory(tasks, method)}
            for method in plan.remembered
            for tasks in plan.counts
        ],
    }
    write_json(options.out / "aggregators.json", result)
    write_page(options.out / "aggregators.md", page(result))


def measure(tasks: int, method: str, rounds: int) -> dict[str, Any]:
    """Milliseconds and ratios of all contenders with one method."""
    running = {name: make() for name, make in contenders(tasks, method).items()}
    exact, low = (one.direction() for one in running.values() if isinstance(one, Ours))
    found = times(running, rounds)
    apart = running["ours"].first_layer() - running["TorchJD"].first_layer()
    return {
        "tasks": tasks,
        "method": method,
        "ms": milliseconds(found),
        "ratio": {f"{slow} / {fast}": ratio(found, slow, fast) for slow, fast in RATIOS},
        "cosine_of_bf16": float(nn.functional.cosine_similarity(exact, low, dim=0)),
        "largest_difference_from_torchjd": float(apart.abs().max()),
    }


def measure_choices(tasks: int, rounds: int) -> dict[str, Any]:
    """IT-MTL beside a step with fixed weights."""
    problem = Problem(tasks)
    running = {
        "fixed": Ours(problem, FIXED, torch.float32),
        "IT-MTL, first order": Ours(problem, ITMTL(score=FirstOrderScore()), torch.float32),
        "IT-MTL, exact": Ours(problem, ITMTL(score=ExactScore()), torch.float32),
    }
    return {"tasks": tasks, "ms": milliseconds(times(dict(running), rounds))}


def times(running: dict[str, Contender], rounds: int) -> Times:
    """Interleaved rounds of one step each, after one that warms up."""
    return interleaved({name: one.step for name, one in running.items()}, rounds=rounds)


def milliseconds(found: Times) -> dict[str, float]:
    """Medians."""
    return {name: 1e3 * own for name, own in medians(found).items()}


def memory(tasks: int, method: str) -> dict[str, float]:
    """Peak megabytes of every contender in a process of its own, above an idle one's."""
    return {
        name: in_fresh_process("benchmarks.aggregators", "peak_megabytes", name, tasks, method)
        for name in contenders(tasks, method)
    }


def peak_megabytes(name: str, tasks: int, method: str) -> float:
    """What three steps of a contender take in this process."""
    contenders(2, method)[name]().step()  # imports and solvers are no part of it
    make = contenders(tasks, method)[name]
    before = peak_bytes()
    one = make()
    for _ in range(3):
        one.step()
    return (peak_bytes() - before) / 2**20
