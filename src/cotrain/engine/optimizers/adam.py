"""Adam over stacked members: with L2, with decoupled weight decay, and of each task's own gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.adamw import adamw

from cotrain.engine.optimizers.elementwise import Elementwise, Run, zeros
from cotrain.engine.state import Tensors, is_shared

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


@dataclass(frozen=True, kw_only=True)
class Adam(Elementwise):
    """Adam (Kingma and Ba 2015, arXiv 1412.6980); the weight decay is L2, added to the gradient.

    Args:
        beta1: Decay of the first moments.
        beta2: Decay of the second.
        epsilon: Added to the root of the second.
    """

    beta1: float = BETA_1
    beta2: float = BETA_2
    epsilon: float = EPSILON

    def start(self, params: Tensors, tasks: int) -> tuple[Tensors, Tensors]:
        """First and second moments of every parameter, zero."""
        return zeros(params), zeros(params)

    def update(self, run: Run) -> None:
        """Move by the moments, through torch's fused kernel."""
        self._call(adam, run.params, run, run.decay)

    def _call(
        self, kernel: Callable[..., None], params: list[Tensor], run: Run, decay: float
    ) -> None:
        kernel(
            params,
            run.gradients,
            run.momentum,
            run.variance,
            max_exp_avg_sqs=[],
            state_steps=[torch.tensor(float(run.step), device=p.device) for p in params],
            fused=True,
            amsgrad=False,
            beta1=self.beta1,
            beta2=self.beta2,
            lr=run.rate,
            weight_decay=decay,
            eps=self.epsilon,
            maximize=False,
        )


@dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv 1711.05101)."""

    def update(self, run: Run) -> None:
        """Move by the moments and decay the parameters, through torch's fused kernel."""
        self._call(adamw, run.params, run, run.decay)


ADAMW = AdamW()


@dataclass(frozen=True, kw_only=True)
class TaskAdam(Adam):
    """Adam with moments of each task's own gradient (AdaTask: Yang et al. 2023, arXiv 2211.15055).

    The shared parameters move by Σ_t m_t / (√v_t + ε), with the moments of each task's weighted gradient;
    the heads follow Adam. Constant factors of the losses then change nothing but through ε. Ours are the
    decoupled weight decay, because L2 in the gradients would break that; and that a task whose gradient
    is zero in a step (not the member's, without a label in the batch, left out by IT-MTL) takes no part
    in it: its moments stand still, and the shared parameters do not follow them. The bias of the moments is
    corrected by the run's steps, so a task whose first gradient comes late moves up to three times as far
    at first.

    Memory and time of the shared part grow with the number of tasks.
    """

    by_task: ClassVar[bool] = True

    def start(self, params: Tensors, tasks: int) -> tuple[Tensors, Tensors]:
        """Moments of every parameter, those of the shared ones for each task: ``[P, T, ...]``."""
        like = {
            name: tensor.unsqueeze(1).expand(-1, tasks, *tensor.shape[1:])
            if is_shared(name)
            else tensor
            for name, tensor in params.items()
        }
        return zeros(like), zeros(like)

    def update(self, run: Run) -> None:
        """Add up the moves that Adam makes from each task's gradient."""
        moves = [torch.zeros_like(gradient) for gradient in run.gradients]
        idle = _idle(run)
        changing = [
            tensor
            for tensors in (moves, run.momentum, run.variance)
            for tensor, shared in zip(tensors, run.shared, strict=True)
            if shared and bool(idle.any())
        ]
        copies = [tensor[idle] for tensor in changing]
        self._call(adam, moves, run, 0.0)
        for tensor, copy in zip(changing, copies, strict=True):
            tensor[idle] = copy
        for param, move, shared in zip(run.params, moves, run.shared, strict=True):
            param.mul_(1 - run.rate * run.decay).add_(move.sum(dim=1) if shared else move)


def _idle(run: Run) -> Tensor:
    """``[P, T]`` bool: tasks whose gradient of all shared parameters is zero."""
    moving = [
        (gradient != 0).reshape(*gradient.shape[:2], -1).any(dim=2)
        for gradient, shared in zip(run.gradients, run.shared, strict=True)
        if shared
    ]
    return ~torch.stack(moving).any(dim=0) if moving else torch.zeros(0, dtype=torch.bool)
