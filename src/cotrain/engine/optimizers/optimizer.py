"""What an optimizer does for a population of members, and how the learning rate changes over time.

Letters: P members, T tasks, R rows of the head.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Protocol

from torch import Tensor

from cotrain.engine.state import State, Tensors


def learning_rate_share(step: int, steps: int, warmup: float) -> float:
    """Linear warm-up, then a cosine to zero, as a share of the peak rate.

    >>> [round(learning_rate_share(s, 100, 0.1), 2) for s in (0, 9, 55, 99)]
    [0.1, 1.0, 0.5, 0.0]
    """
    rising = max(1, round(warmup * steps))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


class Optimizer(Protocol):
    """From the gradients of a step to new parameters."""

    by_task: ClassVar[bool]
    """Whether it is given each task's own gradient of the shared parameters, ``[P, T, ...]``."""

    def start(self, params: Tensors, tasks: int) -> tuple[Tensors, Tensors]:
        """First and second moments before the first step, each name → ``[P, ...]``."""
        ...

    def step(
        self,
        state: State,
        gradients: Tensors,
        *,
        learning_rates: Sequence[float],
        weight_decays: Sequence[float],
        untouched: Tensor,
    ) -> None:
        """One step of all members, in place.

        Args:
            state: Parameters, moments and the number of steps change.
            gradients: Like ``state.params``, but see ``by_task``.
            learning_rates: ``[P]`` this step's rate of each member; members of equal rate and decay
                that stand next to each other are updated together.
            weight_decays: ``[P]`` of each member.
            untouched: ``[P, R]`` bool (or ``[R]``, for all members), rows of the head whose tasks have no
                label in the batch: they and their moments stay as they are.
        """
        ...
