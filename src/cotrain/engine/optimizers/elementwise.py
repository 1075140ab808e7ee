"""Optimizers that treat every number alike, run over stacked members by torch's kernels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar

import torch
from torch import Tensor

from cotrain.engine.state import State, Tensors, is_shared


@dataclass(frozen=True, kw_only=True)
class Run:
    """Members of the same rate and decay, as views: one tensor a parameter, in their order."""

    shared: list[bool]
    params: list[Tensor]
    gradients: list[Tensor]
    momentum: list[Tensor]  # empty where the optimizer keeps none
    variance: list[Tensor]  # likewise
    rate: float
    decay: float
    step: int


class Elementwise(ABC):
    """The same update for every number: run by run, without the untouched rows of the heads."""

    by_task: ClassVar[bool] = False

    @abstractmethod
    def update(self, run: Run) -> None:
        """Change parameters and moments in place, and nothing else."""

    def step(
        self,
        state: State,
        gradients: Tensors,
        *,
        learning_rates: Sequence[float],
        weight_decays: Sequence[float],
        untouched: Tensor,
    ) -> None:
        """Update all members in place, those of the same rate and decay together."""
        rows = untouched.expand(state.size, -1)
        kept = _head_tensors(state) if bool(rows.any()) else []
        copies = [tensor[rows] for tensor in kept]
        for run in _runs(state, gradients, zip(learning_rates, weight_decays, strict=True)):
            self.update(run)
        for tensor, copy in zip(kept, copies, strict=True):
            tensor[rows] = copy
        state.step += 1


def zeros(like: Tensors) -> Tensors:
    """New memory in order, whatever the strides say."""
    return {name: torch.zeros(t.shape, dtype=t.dtype, device=t.device) for name, t in like.items()}


def _head_tensors(state: State) -> list[Tensor]:
    return [
        tensor
        for tensors in (state.params, state.momentum, state.variance)
        for name, tensor in tensors.items()
        if not is_shared(name)
    ]


def _runs(
    state: State, gradients: Tensors, settings: Iterable[tuple[float, float]]
) -> Iterator[Run]:
    """Stretches of neighbouring members with the same rate and decay."""
    start = 0
    for (rate, decay), group in groupby(settings):
        rows = slice(start, start := start + len(list(group)))
        params, momentum, variance = (
            [tensors[name][rows] for name in state.params if name in tensors]
            for tensors in (state.params, state.momentum, state.variance)
        )
        yield Run(
            shared=[is_shared(name) for name in state.params],
            params=params,
            # The fused kernels read memory in order, whatever the strides say.
            gradients=[gradients[name][rows].contiguous() for name in state.params],
            momentum=momentum,
            variance=variance,
            rate=rate,
            decay=decay,
            step=state.step,
        )
