"""Gradient descent over stacked members: along the gradient, and along its signs."""

from __future__ import annotations

from dataclasses import dataclass

from torch.optim.sgd import sgd

from cotrain.engine.optimizers.elementwise import Elementwise, Run, zeros
from cotrain.engine.state import Tensors
from cotrain.errors import InputError


@dataclass(frozen=True, kw_only=True)
class SGD(Elementwise):
    """Gradient descent with momentum, m ← μ m + g and θ ← θ − η m; the weight decay is L2, part of g.

    Args:
        momentum: μ.
    """

    momentum: float = 0.9

    def __post_init__(self) -> None:
        """Refuse a mean that would grow without end."""
        check_momentum(self.momentum)

    def start(self, params: Tensors, tasks: int) -> tuple[Tensors, Tensors]:
        """The mean gradient of every parameter, zero; nothing without momentum."""
        return zeros(params) if self.momentum else {}, {}

    def update(self, run: Run) -> None:
        """Move along the mean gradient, through torch's fused kernel."""
        sgd(
            run.params,
            run.gradients,
            [*run.momentum] or [None] * len(run.params),
            fused=True,
            weight_decay=run.decay,
            momentum=self.momentum,
            lr=run.rate,
            dampening=0.0,
            nesterov=False,
            maximize=False,
        )


@dataclass(frozen=True, kw_only=True)
class SignSGD(Elementwise):
    """Steps of one size along the signs (signSGD, and with momentum Signum: Bernstein et al. 2018).

    θ ← θ − η (sign(m) + λ θ) with m ← β m + (1 − β) g, arXiv 1802.04434; the weight decay λ is decoupled.

    Args:
        momentum: β; 0 takes the sign of the gradient.
    """

    momentum: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a mean that would grow without end."""
        check_momentum(self.momentum)

    def start(self, params: Tensors, tasks: int) -> tuple[Tensors, Tensors]:
        """The mean gradient of every parameter, zero; nothing without momentum."""
        return zeros(params) if self.momentum else {}, {}

    def update(self, run: Run) -> None:
        """Move along the signs of the mean gradient, or of the gradient."""
        for mean, gradient in zip(run.momentum, run.gradients, strict=False):
            mean.lerp_(gradient, 1 - self.momentum)
        for param, leading in zip(run.params, run.momentum or run.gradients, strict=True):
            param.mul_(1 - run.rate * run.decay).sub_(leading.sign(), alpha=run.rate)


def check_momentum(momentum: float) -> None:
    """Refuse a momentum that is not at least 0 and below 1."""
    if not 0 <= momentum < 1:
        raise InputError(f"momentum must be at least 0 and below 1, got {momentum}")
