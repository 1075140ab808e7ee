"""Who notices the scale of one task's loss (Elich et al. 2024, arXiv 2311.04698, section 3).

The loss of one task is multiplied by a constant. A power of two scales floating-point numbers without
rounding, so an update that is invariant gives the same bits; any other factor the same numbers nearly.
The heads' updates are compared where the shared part stands still: their gradients are then the same but
for the factor. ε is tiny unless it is what is tested.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch
from tiny import RECIPE, distance, make_architecture, make_development, same, train
from torch import Tensor, nn

from cotrain.engine.loss_weighting import FIXED, Fixed, LossWeighting
from cotrain.engine.member import Member
from cotrain.engine.models.losses import TaskLosses
from cotrain.engine.models.mlp import MLP
from cotrain.engine.optimizers import SGD, Adam, AdamW, Optimizer, SignSGD, TaskAdam
from cotrain.engine.state import Tensors, is_shared
from cotrain.engine.task_gradients import StepGradients
from cotrain.weighting import ITMTL, FirstOrderScore, GeometricMean, OptimalUncertainty

KINDS, SCALED = "brmb", 1  # the regression's loss
TINY = 1e-20
DEVELOPMENT = make_development(KINDS, missing=0.2)
Scaling = Callable[[float], None]


@pytest.fixture
def scale(monkeypatch: pytest.MonkeyPatch) -> Scaling:
    """Multiplies the loss of one task from now on."""

    def by(factor: float) -> None:
        class Scaled(TaskLosses):
            def per_example(self, outputs: Tensor, targets: Tensor) -> Tensor:
                found = super().per_example(outputs, targets)
                found[..., SCALED, :] *= factor
                return found

            def per_example_gradient(self, outputs: Tensor, targets: Tensor) -> Tensor:
                found = super().per_example_gradient(outputs, targets)
                found[..., self.task_of_output == SCALED, :] *= factor
                return found

        monkeypatch.setattr("cotrain.engine.training.TaskLosses", Scaled)

    return by


def frozen_mlp() -> nn.Module:
    return MLP(5, widths=(8, 6), dropout=0.0, input_dropout=0.0).requires_grad_(False)


def fit(
    optimizer: Optimizer,
    *,
    weighting: LossWeighting = FIXED,
    frozen: bool = False,
    weight_decay: float = 1.0,
) -> Tensors:
    """Parameters after 24 steps; a member's weight decay multiplies the recipe's .01."""
    member = Member(
        name="m",
        weights=(1.0,) * 4,
        learning_rate=1e-2,
        weighting=weighting,
        optimizer=optimizer,
        weight_decay=weight_decay,
    )
    free = make_architecture(DEVELOPMENT, dropout=0.0, input_dropout=0.0)
    architecture = make_architecture(DEVELOPMENT, encoder=frozen_mlp) if frozen else free
    recipe = replace(RECIPE, patience=99)
    return train(DEVELOPMENT, [member], recipe=recipe, architecture=architecture).state.params


def shared(params: Tensors) -> Tensors:
    return {name: tensor for name, tensor in params.items() if is_shared(name)}


@pytest.mark.parametrize(
    ("optimizer", "heads", "everything"),
    [
        (Adam(epsilon=TINY), True, False),
        (AdamW(epsilon=TINY), True, False),
        (TaskAdam(epsilon=TINY), True, True),
        (SignSGD(), True, False),
        (SignSGD(momentum=0.5), True, False),
        (SGD(), False, False),
        (SGD(momentum=0.0), False, False),
    ],
    ids=str,
)
def test_partial_invariance(
    optimizer: Optimizer, heads: bool, everything: bool, scale: Scaling
) -> None:
    decay = 0.0 if type(optimizer) is Adam else 1.0
    alone = fit(optimizer, frozen=True, weight_decay=decay)
    whole = fit(optimizer, weight_decay=decay)
    scale(8.0)  # SGD would diverge with more
    scaled_alone = fit(optimizer, frozen=True, weight_decay=decay)
    scaled_whole = fit(optimizer, weight_decay=decay)
    assert same(scaled_alone, alone) == heads
    assert same(scaled_whole, whole) == everything
    if not everything:
        assert distance(shared(scaled_whole), shared(whole)) > 1e-2


@pytest.mark.parametrize("factor", [10.0, 0.001])
def test_any_factor_but_for_rounding(factor: float, scale: Scaling) -> None:
    before = [fit(AdamW(epsilon=TINY), frozen=True), fit(TaskAdam(epsilon=TINY))]
    scale(factor)
    after = [fit(AdamW(epsilon=TINY), frozen=True), fit(TaskAdam(epsilon=TINY))]
    assert distance(after[0], before[0]) < 1e-6
    assert distance(after[1], before[1]) < 1e-4


def test_own_weights_are_a_scale_too() -> None:
    """A member's constant weight is the factor of its loss."""
    members = [
        Member(name="m", weights=weights, learning_rate=1e-2, optimizer=TaskAdam(epsilon=TINY))
        for weights in ((1.0, 1.0, 1.0, 1.0), (1.0, 256.0, 0.5, 1.0))
    ]
    params = train(DEVELOPMENT, members, executor="fused").state.params
    assert all(torch.equal(tensor[0], tensor[1]) for tensor in params.values())


@pytest.mark.parametrize(
    "optimizer",
    [Adam(), AdamW(), TaskAdam(), SGD(), SignSGD(), SignSGD(momentum=0.5)],
    ids=str,
)
def test_optimal_uncertainty_is_invariant_whatever_the_optimizer(
    optimizer: Optimizer, scale: Scaling
) -> None:
    before = fit(optimizer, weighting=OptimalUncertainty())
    scale(1024.0)
    assert same(fit(optimizer, weighting=OptimalUncertainty()), before)


def test_directions_keep_it(scale: Scaling) -> None:
    """IT-MTL picks the same sets, because it compares relative falls of weighted losses."""
    method = ITMTL(score=FirstOrderScore(), weighting=OptimalUncertainty())
    before = [fit(o, weighting=method) for o in (AdamW(), TaskAdam())]
    assert distance(*before) > 1e-2
    scale(1024.0)
    after = [fit(o, weighting=method) for o in (AdamW(), TaskAdam())]
    assert all(same(a, b) for a, b in zip(after, before, strict=True))


def test_the_geometric_mean_only_changes_the_learning_rate(scale: Scaling) -> None:
    """All weights grow by 1024^¼: invariant under an optimizer that ignores the size of gradients."""
    before = [fit(o, weighting=GeometricMean()) for o in (AdamW(epsilon=TINY), SGD())]
    scale(1024.0)
    after = [fit(o, weighting=GeometricMean()) for o in (AdamW(epsilon=TINY), SGD())]
    assert distance(after[0], before[0]) < 1e-4
    assert distance(after[1], before[1]) > 1e-1


@dataclass(frozen=True, kw_only=True)
class Clipped(Fixed):
    """All gradients together are no longer than ``norm``."""

    norm: float = 0.05

    def gradients(self, step_gradients: StepGradients) -> Tensors:
        found = super().gradients(step_gradients)
        total = torch.stack([tensor.square().sum() for tensor in found.values()]).sum().sqrt()
        return {name: tensor * (self.norm / total).clamp(max=1) for name, tensor in found.items()}


class TestWhatBreaksIt:
    """Each of the paper's three exceptions, where the same without it is invariant to the bit."""

    def broken(self, scale: Scaling, run: Callable[[], Tensors]) -> float:
        scale(1.0)
        before = run()
        scale(1024.0)
        return distance(run(), before)

    @pytest.mark.parametrize("kind", [Adam, AdamW])
    def test_a_large_epsilon(self, kind: type[Adam], scale: Scaling) -> None:
        def run(epsilon: float) -> Tensors:
            return fit(kind(epsilon=epsilon), frozen=True, weight_decay=0.0)

        assert self.broken(scale, lambda: run(TINY)) == 0
        assert self.broken(scale, lambda: run(0.1)) > 1e-2

    def test_a_large_epsilon_by_task(self, scale: Scaling) -> None:
        assert self.broken(scale, lambda: fit(TaskAdam(epsilon=TINY))) == 0
        assert self.broken(scale, lambda: fit(TaskAdam(epsilon=0.1))) > 1e-2

    def test_l2_in_the_gradient(self, scale: Scaling) -> None:
        def run(optimizer: Optimizer, decay: float) -> Tensors:
            return fit(optimizer, frozen=True, weight_decay=decay)

        assert self.broken(scale, lambda: run(Adam(epsilon=TINY), 0.0)) == 0
        assert self.broken(scale, lambda: run(Adam(epsilon=TINY), 10.0)) > 1e-3
        assert self.broken(scale, lambda: run(AdamW(epsilon=TINY), 10.0)) == 0

    @pytest.mark.parametrize("optimizer", [AdamW(epsilon=TINY), SignSGD(momentum=0.9)], ids=str)
    def test_clipping_by_global_norm(self, optimizer: Optimizer, scale: Scaling) -> None:
        def run(weighting: LossWeighting) -> Tensors:
            return fit(optimizer, weighting=weighting, frozen=True)

        assert self.broken(scale, lambda: run(FIXED)) == 0
        assert self.broken(scale, lambda: run(Clipped(norm=1e9))) == 0
        assert self.broken(scale, lambda: run(Clipped())) > 1e-3

    def test_clipping_by_global_norm_under_task_adam(self, scale: Scaling) -> None:
        assert self.broken(scale, lambda: fit(TaskAdam(epsilon=TINY), weighting=Clipped())) > 1e-3
