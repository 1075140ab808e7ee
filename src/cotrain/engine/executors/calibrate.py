"""Choose the executor by measuring a few real steps with each candidate.

Candidates stand in the order of preference, and a later one wins only if it is clearly faster: the same
command on the same machine then chooses the same executor, and so gives the same result.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from cotrain.data.dataset import Development, TaskData
from cotrain.engine.batches import feed
from cotrain.engine.executors.base import Executor, weighted_gradients
from cotrain.engine.executors.fused import FusedMLPExecutor
from cotrain.engine.executors.sequential import SequentialExecutor
from cotrain.engine.executors.vmapped import VmapExecutor
from cotrain.engine.initial import initial_state
from cotrain.engine.member import Member
from cotrain.engine.models.losses import TaskLosses
from cotrain.engine.models.mlp import MLP
from cotrain.engine.models.multitask import Architecture
from cotrain.engine.recipe import Recipe
from cotrain.engine.state import State, Tensors

AGREEMENT = 0.99  # least cosine between a candidate's gradients and the sequential executor's
MEMBERS = 8  # members in a trial
REPEATS = 5
CLEARLY_FASTER = 1.25


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What was measured of one candidate: seconds per member and step, and why it is out, if it is."""

    name: str
    seconds: float
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """The chosen executor's name and every trial, for the user and for the run folder."""

    chosen: str
    trials: tuple[Trial, ...]

    def __str__(self) -> str:
        """One line that says what was chosen, and by how much."""
        times = [
            f"{trial.name} {trial.problem or f'{1e3 * trial.seconds:.2f} ms'}"
            for trial in self.trials
        ]
        return f"engine: {self.chosen} (per member and step: {'; '.join(times)})"


def candidates(architecture: Architecture, *, low_precision: bool) -> tuple[Executor, ...]:
    """Executors that may run the architecture, preferred ones first; one is always sequential."""
    net = architecture.build(seed=0)
    sequential = SequentialExecutor(net)
    if type(net.encoder) is not MLP:
        return sequential, VmapExecutor(net)
    exact = FusedMLPExecutor(net)
    if not low_precision:
        return exact, sequential
    return FusedMLPExecutor(net, torch.bfloat16), exact, sequential


def executor_by_name(architecture: Architecture, name: str) -> Executor:
    """The executor that :func:`candidates` gives under a name."""
    return next(e for e in candidates(architecture, low_precision=True) if e.name == name)


def calibrate(
    executors: Sequence[Executor],
    architecture: Architecture,
    development: Development,
    recipe: Recipe,
) -> Calibration:
    """Try each executor on one batch; its gradients must agree with the sequential executor's."""
    losses, weights = TaskLosses(development.tasks), _trial_weights(development.rows)
    seeds = list(range(MEMBERS))
    batch, weights = next(feed(development, recipe, 0, weights, seeds))
    state = _trial_state(architecture)
    sequential = next(e for e in executors if isinstance(e, SequentialExecutor))
    gradients = partial(weighted_gradients, batch=batch, losses=losses, weights=weights)
    reference = gradients(sequential, state.map(torch.clone))
    trials = [_try(executor, state, gradients, reference) for executor in executors]
    enough = CLEARLY_FASTER * min(trial.seconds for trial in trials)
    chosen = next(trial.name for trial in trials if trial.seconds <= enough)
    return Calibration(chosen=chosen, trials=tuple(trials))


def _trial_weights(data: TaskData) -> Tensor:
    """``[P, T]``; where they are sampling rates they differ, so that each member has its own rows."""
    weights = torch.ones(MEMBERS, len(data.tasks))
    return weights + torch.eye(*weights.shape) if data.domains else weights


def _trial_state(architecture: Architecture) -> State:
    """Fresh members with a non-zero head, so that gradients reach the encoder."""
    members = [Member(name="trial", weights=(1.0,), seed=seed) for seed in range(MEMBERS)]
    state = initial_state(architecture, members)
    head = state.params["head.weight"]
    head.copy_(torch.randn(head.shape, generator=torch.Generator().manual_seed(0)) / 16)
    state.set_keys(torch.arange(MEMBERS))
    return state


def _try(
    executor: Executor,
    state: State,
    gradients: Callable[[Executor, State], Tensors],
    reference: Tensors,
) -> Trial:
    trial = state.map(torch.clone)
    try:
        found = gradients(executor, trial)
    except (RuntimeError, ValueError, TypeError) as error:  # what torch.func raises, by operation
        reason = str(error).strip().splitlines()[0][:80]
        return Trial(name=executor.name, seconds=float("inf"), problem=f"cannot run it: {reason}")
    agreement = _cosine(found, reference)
    if not agreement >= AGREEMENT:
        problem = f"gradients disagree (cosine {agreement:.3f})"
        return Trial(name=executor.name, seconds=float("inf"), problem=problem)
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        gradients(executor, trial)
        times.append(time.perf_counter() - began)
    return Trial(name=executor.name, seconds=min(times) / trial.size)


def _cosine(found: Tensors, expected: Tensors) -> float:
    a = torch.cat([found[name].flatten().double() for name in expected])
    b = torch.cat([expected[name].flatten().double() for name in expected])
    return float(torch.nn.functional.cosine_similarity(a, b, dim=0))
