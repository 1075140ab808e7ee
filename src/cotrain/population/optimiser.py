"""AdamW over stacked parameters, with a learning rate for each member."""

import math
from collections.abc import Iterable, Sequence
from itertools import groupby

import torch
from torch import Tensor
from torch.optim.adamw import adamw

from cotrain.population.state import State, Tensors, is_shared

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


def learning_rate_share(step: int, steps: int, warmup: float) -> float:
    """Linear warm-up, then a cosine to zero, as a share of the peak rate.

    >>> [round(learning_rate_share(s, 100, 0.1), 2) for s in (0, 9, 55, 99)]
    [0.1, 1.0, 0.5, 0.0]
    """
    rising = max(1, round(warmup * steps))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


def adamw_step(
    state: State,
    gradients: Tensors,
    *,
    learning_rates: Sequence[float],
    weight_decays: Sequence[float],
    untouched: Tensor,
) -> None:
    """One in-place AdamW step for all members, through torch's fused kernel.

    Args:
        state: Changed in place.
        gradients: Like ``state.params``.
        learning_rates: ``[P]`` this step's rate of each member; members of equal rate and decay that
            stand next to each other are updated together.
        weight_decays: ``[P]`` decoupled weight decay of each member.
        untouched: ``[R]`` or ``[P, R]`` bool, rows of the head whose tasks have no label in the batch:
            they and their moments stay as they are.
    """
    kept = _head_tensors(state) if bool(untouched.any()) else []
    rows_kept = untouched.expand(state.size, -1)
    copies = [tensor[rows_kept] for tensor in kept]
    for rows, rate, decay in _runs(zip(learning_rates, weight_decays, strict=True)):
        params, momentum, variance = (
            [tensors[name][rows] for name in state.params]
            for tensors in (state.params, state.momentum, state.variance)
        )
        # The fused kernel reads memory in order, whatever the strides say.
        slopes = [gradients[name][rows].contiguous() for name in state.params]
        adamw(
            params,
            slopes,
            momentum,
            variance,
            max_exp_avg_sqs=[],
            state_steps=[torch.tensor(float(state.step), device=p.device) for p in params],
            fused=True,
            amsgrad=False,
            beta1=BETA_1,
            beta2=BETA_2,
            lr=rate,
            weight_decay=decay,
            eps=EPSILON,
            maximize=False,
        )
    for tensor, copy in zip(kept, copies, strict=True):
        tensor[rows_kept] = copy
    state.step += 1


def _head_tensors(state: State) -> list[Tensor]:
    return [
        tensor
        for tensors in (state.params, state.momentum, state.variance)
        for name, tensor in tensors.items()
        if not is_shared(name)
    ]


def _runs(settings: Iterable[tuple[float, float]]) -> list[tuple[slice, float, float]]:
    """Stretches of members with the same rate and decay."""
    runs, start = [], 0
    for (rate, decay), group in groupby(settings):
        size = len(list(group))
        runs.append((slice(start, start + size), rate, decay))
        start += size
    return runs
