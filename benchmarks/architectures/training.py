"""How contestants train: the engine's batches, losses, optimizer and schedule, whatever the head.

Letters: P networks, T tasks with one output each, K implicit members, B rows, N rows, F features.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from cotrain.data.dataset import Development
from cotrain.engine.batches import Batch, batches_in_epoch, feed
from cotrain.engine.executors.vmapped import VmapExecutor
from cotrain.engine.initial import initial_state
from cotrain.engine.member import Member
from cotrain.engine.models.dropout import with_keyed_dropout
from cotrain.engine.models.losses import TaskLosses, starting_bias
from cotrain.engine.models.multitask import Architecture, MultiTaskNet
from cotrain.engine.optimizers import ADAMW, learning_rate_share
from cotrain.engine.recipe import Recipe
from cotrain.engine.training import held_outputs
from cotrain.tasks import Kind, Task


class OneHead(nn.Module):
    """All outputs read the same ``[B, F]`` features: the engine's fused head, zero at first."""

    def __init__(self, features: Tensor, bias: Tensor, tasks: Sequence[Task]) -> None:
        super().__init__()
        self.weight = nn.Parameter(self.first(features, len(bias)))
        self.bias = nn.Parameter(bias.clone())

    def first(self, features: Tensor, outputs: int) -> Tensor:
        """The weights before the first step."""
        return torch.zeros(outputs, features.shape[-1])

    def forward(self, features: Tensor) -> Tensor:
        """``[B, F]`` → ``[B, T]``."""
        return features @ self.weight.T + self.bias


class OwnHeads(OneHead):
    """Each task reads features of its own, ``[B, T, F]``."""

    def forward(self, features: Tensor) -> Tensor:
        """``[B, T, F]`` → ``[B, T]``."""
        return (features * self.weight).sum(dim=-1) + self.bias


class MemberHeads(OneHead):
    """Each implicit member has heads of its own; they learn one by one, and predict by their mean.

    The loss is the mean of the members' losses (Gorishniy et al., ICLR 2025, section 3), so in training
    the outputs are those of K times the rows.
    """

    def __init__(self, features: Tensor, bias: Tensor, tasks: Sequence[Task]) -> None:
        super().__init__(features, bias, tasks)
        self.binary = torch.tensor([task.kind is Kind.BINARY for task in tasks])

    def first(self, features: Tensor, outputs: int) -> Tensor:
        """The weights before the first step."""
        return torch.zeros(outputs, *features.shape[-2:])

    def forward(self, features: Tensor) -> Tensor:
        """``[B, K, F]`` → ``[K · B, T]`` in training, else ``[B, T]`` of the mean prediction."""
        outputs = torch.einsum("bkf,tkf->kbt", features, self.weight) + self.bias
        if self.training:
            return outputs.flatten(0, 1)
        chance = outputs.double().sigmoid().mean(dim=0).logit().float()
        return torch.where(self.binary, chance, outputs.mean(dim=0))


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """An architecture and what is particular about its training.

    Args:
        encoder: Made from the numbers of inputs and tasks.
        head: What turns its features into outputs.
        smoothing: Share of the labels of classes that is spread over both classes.
        first_seed: Of the five networks.
    """

    encoder: Callable[[int, int], nn.Module]
    head: type[OneHead] = OneHead
    smoothing: float = 0.0
    first_seed: int = 0

    def architecture(self, development: Development) -> Architecture:
        """On the inputs and tasks of a table."""
        data = development.rows
        return _OwnArchitecture(
            encoder=lambda: self.encoder(data.inputs.shape[1], len(data.tasks)),
            sample=data.inputs[:1],
            bias=starting_bias(data.tasks, data.targets, data.mask),
            head=self.head,
            tasks=data.tasks,
        )


@dataclass(frozen=True, kw_only=True)
class _OwnArchitecture(Architecture):
    """With a head of another kind; see :class:`Contestant`."""

    head: type[OneHead]
    tasks: tuple[Task, ...]

    def build(self, seed: int, start: str = "") -> MultiTaskNet:
        """The network of a seed, drawn as the engine draws its own."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            encoder = with_keyed_dropout(self.encoder())
        with torch.no_grad():
            features = encoder.eval()(self.sample)
        net = MultiTaskNet(encoder, features.shape[-1], self.bias)
        net.head = self.head(features, self.bias, self.tasks)  # type: ignore[assignment]
        return net.train()


def trained_outputs(
    contestant: Contestant, members: Sequence[Member], development: Development, recipe: Recipe
) -> tuple[Tensor, float]:
    """``[P, T, N]`` outputs for the rows that each of P networks leaves out, and the seconds of training.

    Seconds are the processor's. Every network trains all epochs, and speaks from the last one.
    """
    architecture = contestant.architecture(development)
    executor = VmapExecutor(architecture.build(0))
    state = initial_state(architecture, members, development)
    losses = TaskLosses(development.tasks)
    steps = recipe.epochs * batches_in_epoch(development, recipe)
    weights = torch.tensor([member.weights for member in members])
    seeds = [member.seed for member in members]
    began = time.process_time()
    for epoch in range(recipe.epochs):
        for plain, own in feed(development, recipe, epoch, weights, seeds):
            state.set_keys(torch.tensor(seeds))
            passed = executor.forward(state, plain)
            batch = smoothed(plain, development.tasks, contestant.smoothing)
            copies = passed.outputs.shape[-1] // batch.size
            targets = torch.cat([batch.targets] * copies, dim=-1)
            shares = torch.cat([batch.shares / copies] * copies, dim=-1)
            gradient = losses.output_gradient(passed.outputs, targets, shares, own)
            share = learning_rate_share(state.step, steps, recipe.warmup)
            ADAMW.step(
                state,
                passed.gradients(gradient),
                learning_rates=[member.learning_rate * share for member in members],
                weight_decays=[recipe.weight_decay] * len(members),
                untouched=losses.untouched(batch.present),
            )
    seconds = time.process_time() - began
    return held_outputs(executor, state, development, seeds), seconds


def smoothed(batch: Batch, tasks: Sequence[Task], share: float) -> Batch:
    """The batch with a share of each label of two classes spread evenly over both."""
    if not share:
        return batch
    binary = torch.tensor([[task.kind is Kind.BINARY] for task in tasks])
    softer = batch.targets * (1 - share) + share / 2
    return replace(batch, targets=torch.where(binary, softer, batch.targets))
