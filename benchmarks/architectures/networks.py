"""Networks that compete with the built-in MLP, each an encoder and a head that the engine can stack.

All read the same inputs with the same dropout, have two hidden layers and at most as many parameters as the
MLP of 256 and 256, up to the small extras that make them what they are. Every task has one output.
Letters: B rows, D inputs, T tasks, E experts, K implicit members, F features, W width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cotrain.engine.build import WIDTHS
from cotrain.engine.models.dropout import Dropout
from cotrain.engine.models.mlp import MLP

INPUT_DROPOUT, DROPOUT = 0.4, 0.5  # as the built-in MLP has them
EXPERTS = 4  # of MMoE; of PLE those that all tasks share are half as many
MEMBERS = 8  # implicit ones of TabM
SCALE_RATE = 6.0  # how much faster the scaling layer learns


def kaiming(*shape: int) -> nn.Parameter:
    """Weights ``[..., in, out]`` before a ReLU, drawn as the built-in MLP draws its own."""
    bound = (6 / shape[-2]) ** 0.5
    return nn.Parameter(torch.empty(*shape).uniform_(-bound, bound))


class GatedExperts(nn.Module):
    """``[B, D]`` → ``[B, T, W]``: gates mix the experts that a task sees, its tower reads the mixture.

    f_k(x) = Σ_i softmax(G_k x)_i E_i(x), and h_k(f_k(x)) is what the head of task k reads. If all tasks see
    all experts it is MMoE (Ma et al., KDD 2018, equations 6 to 8); if each sees the shared experts and one
    of its own, it is one layer of PLE (Tang et al., RecSys 2020, equations 1 to 4). Experts and towers
    have one layer each, as in the first paper.

    Args:
        sees: ``[T, E]`` bool, which experts a task sees.
        inputs: D.
        width: W.
    """

    def __init__(self, sees: Tensor, inputs: int, width: int) -> None:
        super().__init__()
        tasks, experts = sees.shape
        self.hidden = torch.where(sees, 0.0, -torch.inf)
        self.experts = kaiming(inputs, experts * width)
        self.expert_bias = nn.Parameter(torch.zeros(experts * width))
        self.gates = nn.Parameter(torch.zeros(inputs, tasks * experts))
        self.towers = kaiming(tasks, width, width)
        self.tower_bias = nn.Parameter(torch.zeros(tasks, width))
        rates = (INPUT_DROPOUT, DROPOUT, DROPOUT)
        self.drops = nn.ModuleList(Dropout(rate, layer=at) for at, rate in enumerate(rates))

    def forward(self, x: Tensor) -> Tensor:
        """``[B, D]`` → ``[B, T, W]``."""
        tasks, experts = self.hidden.shape
        x = self.drops[0](x)
        expert = self.drops[1]((x @ self.experts + self.expert_bias).relu())
        gate = ((x @ self.gates).view(-1, tasks, experts) + self.hidden).softmax(-1)
        mixed = gate @ expert.view(-1, experts, expert.shape[1] // experts)
        tower = (torch.einsum("btw,twv->btv", mixed, self.towers) + self.tower_bias).relu()
        found: Tensor = self.drops[2](tower.flatten(1)).view_as(tower)
        return found


def gated_experts(sees: Tensor, inputs: int) -> GatedExperts:
    """As wide as fits within the parameters of the MLP."""
    tasks, experts = sees.shape
    most = inputs * WIDTHS[0] + WIDTHS[0] * WIDTHS[1]
    width = max(w for w in range(1, 512) if experts * w * inputs + tasks * w * w <= most)
    return GatedExperts(sees, inputs, width)


def mmoe(inputs: int, tasks: int) -> nn.Module:
    """Four experts, and all tasks see them."""
    return gated_experts(torch.ones(tasks, EXPERTS, dtype=torch.bool), inputs)


def ple(inputs: int, tasks: int) -> nn.Module:
    """Two experts for all tasks, and one for each."""
    shared = torch.ones(tasks, EXPERTS // 2, dtype=torch.bool)
    return gated_experts(torch.cat([shared, torch.eye(tasks, dtype=torch.bool)], 1), inputs)


class TabM(nn.Module):
    """``[B, D]`` → ``[B, K, F]``: K networks that differ in adapters only (BatchEnsemble).

    A layer is ((x ⊙ r) W) ⊙ s + b with r, s and b for each implicit member (Gorishniy et al., ICLR 2025,
    section 3). The first r is ±1 by chance and all other r and s are 1, which is what tells TabM from
    its naive version.
    """

    def __init__(self, inputs: int, tasks: int) -> None:
        super().__init__()
        sizes = tuple(pairwise((inputs, *WIDTHS)))
        self.weights = nn.ParameterList(kaiming(a, b) for a, b in sizes)
        signs = torch.randint(0, 2, (MEMBERS, inputs)) * 2.0 - 1.0
        reads = (signs, *(torch.ones(MEMBERS, a) for a, _ in sizes[1:]))
        self.reads = nn.ParameterList(nn.Parameter(read) for read in reads)
        self.writes = nn.ParameterList(nn.Parameter(torch.ones(MEMBERS, b)) for _, b in sizes)
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(MEMBERS, b)) for _, b in sizes)
        rates = (INPUT_DROPOUT, *(DROPOUT for _ in sizes))
        self.drops = nn.ModuleList(Dropout(rate, layer=at) for at, rate in enumerate(rates))

    def forward(self, x: Tensor) -> Tensor:
        """``[B, D]`` → ``[B, K, F]``; each implicit member draws dropout of its own."""
        x = self._dropped(0, x.unsqueeze(1).expand(-1, MEMBERS, -1))
        layers = zip(self.weights, self.reads, self.writes, self.biases, strict=True)
        for at, (weight, read, write, bias) in enumerate(layers, 1):
            x = self._dropped(at, ((x * read) @ weight * write + bias).relu())
        return x

    def _dropped(self, at: int, x: Tensor) -> Tensor:
        found: Tensor = self.drops[at](x.flatten(1)).view(x.shape)
        return found


class WithSkip(nn.Module):
    """The features of an encoder and, beside them, its inputs: the head has a linear path."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, x: Tensor) -> Tensor:
        """``[B, D]`` → ``[B, F + D]``."""
        return torch.cat([self.encoder(x), x], dim=1)


@dataclass(frozen=True, kw_only=True)
class Tricks:
    """What RealMLP does that costs nothing (Holzmüller et al., NeurIPS 2024, section 3).

    Args:
        scaled: Inputs times a factor each, that learns six times as fast, before the first layer.
        rate: A layer of d inputs learns ``rate · √(256 / d)`` times as fast: the NTK parametrisation,
            whose weights are √d times as large and are divided by it, at a rate that leaves a hidden
            layer as it is if ``rate`` is 1. 0: all layers learn alike.
        activation: After every hidden layer.
    """

    scaled: bool = False
    rate: float = 0.0
    activation: Callable[[Tensor], Tensor] = F.relu


class TrickyMLP(nn.Module):
    """The built-in MLP with some of RealMLP's tricks; with none of them, it is the built-in MLP."""

    def __init__(self, inputs: int, tricks: Tricks) -> None:
        super().__init__()
        plain = MLP(inputs, widths=WIDTHS)
        self.tricks, self.drops = tricks, plain.drops
        self.speeds = [self._speed(linear.in_features) for linear in linears(plain)]
        self.weights = nn.ParameterList(
            nn.Parameter(linear.weight.detach() / speed)
            for linear, speed in zip(linears(plain), self.speeds, strict=True)
        )
        self.biases = nn.ParameterList(linear.bias for linear in linears(plain))
        self.scale = nn.Parameter(torch.ones(inputs if tricks.scaled else 0) / SCALE_RATE)

    def _speed(self, inputs: int) -> float:
        return self.tricks.rate * (WIDTHS[0] / inputs) ** 0.5 or 1.0

    def forward(self, x: Tensor) -> Tensor:
        """``[B, D]`` → ``[B, F]``."""
        if self.tricks.scaled:
            x = x * (SCALE_RATE * self.scale)
        x = self.drops[0](x)
        layers = zip(self.weights, self.speeds, self.biases, strict=True)
        for at, (weight, speed, bias) in enumerate(layers, 1):
            x = self.drops[at](self.tricks.activation(F.linear(x, speed * weight, bias)))
        return x


def linears(encoder: nn.Module) -> Sequence[nn.Linear]:
    """The linear layers of a module, in order."""
    return [module for module in encoder.modules() if isinstance(module, nn.Linear)]
