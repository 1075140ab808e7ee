"""Loss weights that change while training, from the losses alone.

Each is what its paper says on full labels and own weights of 1, and equals TorchJD's scalarizer of the same
name there (tested). Three things are ours, because a population trains groups of tasks on partial labels:
a member's own weights multiply the method's; a task that is not the member's, or has no label in the batch,
takes no part in the step, neither in normalisations nor in what is learned; random numbers come from the
member's key of the step, so a member draws the same in any company.

Losses may be of any size but must be positive where a logarithm is taken, as the papers assume.
Letters: P members, T tasks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from cotrain.engine.loss_weighting import Fixed
from cotrain.engine.models.dropout import mix
from cotrain.engine.models.multitask import HEAD
from cotrain.engine.optimizers import BETA_1, BETA_2, EPSILON, Adam
from cotrain.engine.state import State, Tensors
from cotrain.engine.step import TrainingStep

_LEAST = 1e-8  # keeps logarithms and divisions of losses finite, as FAMO's reference code does


@dataclass(frozen=True, kw_only=True)
class Random(Fixed):
    """Softmax of standard normal draws, new in every step (RLW: Lin et al. 2022, arXiv 2111.10603).

    The draws belong to the tasks' places, so permuted tasks agree in distribution only.
    """

    def weigh(self, step: TrainingStep) -> Tensor:
        """Softmax of normal draws by the members' keys of the step."""
        return step.weights * _softmax(_normal(step), step.counted)


@dataclass(frozen=True, kw_only=True)
class OptimalUncertainty(Fixed):
    """Σ L_t / stopgrad(L_t): uncertainty weighting with the best variance in every step.

    Invariant to the scale of every loss (Elich et al., arXiv 2311.04698, and Kirchdorfer et al. 2024,
    arXiv 2408.07985).
    """

    def weigh(self, step: TrainingStep) -> Tensor:
        """The weights 1 / L."""
        return step.weights * _where(step.counted, 1 / step.losses.clamp_min(_LEAST))


@dataclass(frozen=True, kw_only=True)
class GeometricMean(Fixed):
    """The geometric mean GM of n losses (GLS: Chennupati et al. 2019): weights GM / (n·L)."""

    def weigh(self, step: TrainingStep) -> Tensor:
        """The weights GM / (n·L), over the n tasks that count."""
        counted = step.counted
        count = counted.sum(dim=1, keepdim=True).clamp_min(1)
        logs = _where(counted, step.losses.clamp_min(_LEAST).log())
        mean = (logs.sum(dim=1, keepdim=True) / count).exp()
        return step.weights * _where(counted, mean / (count * step.losses.clamp_min(_LEAST)))


@dataclass(frozen=True, kw_only=True)
class Uncertainty(Fixed):
    """Learned uncertainty: Σ ½ exp(−s_t) L_t + ½ s_t (UW: Kendall et al. 2018, arXiv 1705.07115).

    s starts at 0 and is learned by the member's optimizer with its learning rate, without weight decay.
    """

    def start(self, members: int, tasks: int) -> Tensors:
        """The logits s, and Adam's moments."""
        return _adam_memory(members, tasks)

    def weigh(self, step: TrainingStep) -> Tensor:
        """The weights ½ exp(−s)."""
        return step.weights * _where(step.counted, 0.5 * (-step.state.memory["logits"]).exp())

    def learn(self, step: TrainingStep, losses_after: Callable[[], Tensor]) -> None:
        """Make one step on s along ½ − ½ exp(−s) L."""
        _own_step(step, 0.5 - 0.5 * (-step.state.memory["logits"]).exp() * step.losses)


@dataclass(frozen=True, kw_only=True)
class IMTLL(Uncertainty):
    """Impartial loss balance: Σ exp(s_t) L_t − s_t (IMTL-L: Liu et al. 2021, ICLR), learned likewise."""

    def weigh(self, step: TrainingStep) -> Tensor:
        """The weights exp(s)."""
        return step.weights * _where(step.counted, step.state.memory["logits"].exp())

    def learn(self, step: TrainingStep, losses_after: Callable[[], Tensor]) -> None:
        """Make one step on s along exp(s) L − 1."""
        _own_step(step, step.state.memory["logits"].exp() * step.losses - 1)


@dataclass(frozen=True, kw_only=True)
class DynamicAverage(Fixed):
    """Weights by how slowly a loss falls from epoch to epoch (DWA: Liu et al. 2019, arXiv 1803.10704).

    n · softmax(r / temperature), r the ratio of a task's mean losses in the last two epochs; 1 in the
    first two.

    Args:
        temperature: The larger, the more alike the weights.
    """

    temperature: float = 2.0

    def start(self, members: int, tasks: int) -> Tensors:
        """Sums and counts of this epoch, and means of the last two, NaN where there are none."""
        zero, none = torch.zeros(members, tasks), torch.full((members, tasks), math.nan)
        return {"sum": zero, "count": zero.clone(), "last": none, "before": none.clone()}

    def weigh(self, step: TrainingStep) -> Tensor:
        """Tasks without two epochs behind them count as falling at the pace r = 1."""
        memory, counted = step.state.memory, step.counted
        memory["sum"] += _where(counted, step.losses.detach())
        memory["count"] += counted
        ratio = (memory["last"] / memory["before"]).nan_to_num(1.0, 1.0, 1.0)
        count = counted.sum(dim=1, keepdim=True)
        return step.weights * count * _softmax(ratio / self.temperature, counted)

    def end_epoch(self, state: State) -> None:
        """Roll the means on; a task without labels in the epoch keeps its own."""
        memory = state.memory
        seen = memory["count"] > 0
        mean = memory["sum"] / memory["count"]
        memory["before"].copy_(torch.where(seen, memory["last"], memory["before"]))
        memory["last"].copy_(torch.where(seen, mean, memory["last"]))
        memory["sum"].zero_()
        memory["count"].zero_()


@dataclass(frozen=True, kw_only=True)
class FAMO(Fixed):
    """All losses shall fall at the same relative pace (FAMO: Liu et al. 2023, arXiv 2306.03792).

    Takes one more forward pass a step, to see what the update did.

    Args:
        learning_rate: Of the logits, learned by Adam.
        weight_decay: Of the logits (L2, as in the paper).
    """

    learning_rate: float = 0.025
    weight_decay: float = 1e-3

    def start(self, members: int, tasks: int) -> Tensors:
        """The logits w, and Adam's moments."""
        return _adam_memory(members, tasks)

    def weigh(self, step: TrainingStep) -> Tensor:
        """The weights Z / L, made to sum to 1, with z = softmax(w)."""
        counted = step.counted
        share = _softmax(step.state.memory["logits"], counted)
        weights = _where(counted, share / (step.losses + _LEAST))
        return step.weights * weights / weights.sum(dim=1, keepdim=True).clamp_min(_LEAST)

    def learn(self, step: TrainingStep, losses_after: Callable[[], Tensor]) -> None:
        """Make one step on w along the gradient of z · δ, δ how much the logarithm of each loss fell."""
        counted = step.counted
        fall = (step.losses + _LEAST).log() - (losses_after() + _LEAST).log()
        fall = _where(counted, fall)
        logits = step.state.memory["logits"]
        share = _softmax(logits, counted)
        gradient = share * (fall - (share * fall).sum(dim=1, keepdim=True))
        rate = torch.full((len(gradient), 1), self.learning_rate)
        _adam_step(step, gradient + self.weight_decay * logits, rate)


def _where(counted: Tensor, values: Tensor) -> Tensor:
    """0 where a task does not count, whatever stood there."""
    return torch.where(counted, values, 0.0)


def _softmax(values: Tensor, counted: Tensor) -> Tensor:
    """``[P, T]`` over the tasks that count; all 0 where none does."""
    return values.masked_fill(~counted, -math.inf).softmax(dim=1).nan_to_num(0.0)


def _normal(step: TrainingStep) -> Tensor:
    """``[P, T]`` standard normal numbers from the members' keys (Box and Muller 1958)."""
    members, tasks = step.weights.shape
    places = torch.arange(2 * tasks).view(1, 2, tasks)
    bits = mix(mix(step.state.keys.view(members, 1, 1) + 1) + places)
    uniform = ((bits >> 11) & ((1 << 53) - 1)).double() / (1 << 53)
    radius = (-2 * (1 - uniform[:, 0]).log()).sqrt()
    return (radius * (2 * math.pi * uniform[:, 1]).cos()).float()


def _adam_memory(members: int, tasks: int) -> Tensors:
    zeros = {name: torch.zeros(members, tasks) for name in ("logits", "momentum", "variance")}
    return zeros | {"steps": torch.zeros(members, tasks, dtype=torch.float64)}


def _own_step(step: TrainingStep, gradient: Tensor) -> None:
    """By the member's optimizer; Adam and its kin correct their bias by a task's own steps."""
    if isinstance(step.optimizer, Adam):
        _adam_step(step, gradient, torch.tensor(step.learning_rates).unsqueeze(1))
        return
    memory, name = step.state.memory, f"{HEAD}logits"  # a number each task, like a head
    step.optimizer.step(
        State(
            params={name: memory["logits"]},
            buffers={},
            momentum={name: memory["momentum"]},
            variance={name: memory["variance"]},
        ),
        {name: gradient},
        learning_rates=step.learning_rates,
        weight_decays=[0.0] * len(gradient),
        untouched=~step.counted,
    )


def _adam_step(step: TrainingStep, gradient: Tensor, rate: Tensor) -> None:
    """Adam on the logits of the tasks that count (Kingma and Ba 2015); others stand still."""
    memory, counted = step.state.memory, step.counted
    memory["steps"] += counted
    for name, beta, value in (("momentum", BETA_1, gradient), ("variance", BETA_2, gradient**2)):
        memory[name].copy_(
            torch.where(counted, beta * memory[name] + (1 - beta) * value, memory[name])
        )
    first = memory["momentum"] / (1 - BETA_1 ** memory["steps"])
    second = memory["variance"] / (1 - BETA_2 ** memory["steps"])
    memory["logits"] -= _where(counted, rate * first / (second.sqrt() + EPSILON)).float()
