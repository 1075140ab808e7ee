"""Adaptive weightings against TorchJD's scalarizers on full labels, and by hand on partial ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny import batches, make_architecture, make_development, train
from torch import Tensor
from torchjd import scalarization

from cotrain.data.dataset import Development
from cotrain.engine.batches import Batch
from cotrain.engine.loss_weighting import Fixed, LossWeighting
from cotrain.engine.member import Member
from cotrain.engine.models.losses import TaskLosses
from cotrain.engine.optimizers import SGD, Optimizer, SignSGD, TaskAdam, learning_rate_share
from cotrain.engine.recipe import Recipe
from cotrain.engine.state import State, Tensors
from cotrain.engine.step import TrainingStep
from cotrain.weighting import (
    FAMO,
    IMTLL,
    DynamicAverage,
    GeometricMean,
    OptimalUncertainty,
    Random,
    Uncertainty,
)

KINDS = "brmb"
RATE = 1e-2
RECIPE = Recipe(epochs=4, batch_size=32, patience=99, warmup=0.25)
METHODS = (
    Random(),
    OptimalUncertainty(),
    GeometricMean(),
    Uncertainty(),
    IMTLL(),
    DynamicAverage(),
    FAMO(),
)


def reference(development: Development, scalarizer: Any) -> Tensors:
    """A plain PyTorch loop with TorchJD's scalarizer and AdamW; learned weights by Adam."""
    architecture = make_architecture(development, dropout=0.0, input_dropout=0.0)
    net, losses = architecture.build(seed=0), TaskLosses(development.tasks)
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=RECIPE.weight_decay)
    learned = [p for p in scalarizer.parameters() if not isinstance(scalarizer, scalarization.FAMO)]
    weights = torch.optim.Adam(learned, lr=RATE) if learned else None
    steps, step = RECIPE.epochs * 3, 0

    def measured(batch: Batch) -> Tensor:
        return losses.means(net(batch.inputs).T, batch.targets, batch.shares)

    for epoch in range(RECIPE.epochs):
        for batch in batches(development.train, RECIPE, epoch):
            optimizers = [optimizer] if weights is None else [optimizer, weights]
            for own in optimizers:
                own.param_groups[0]["lr"] = RATE * learning_rate_share(step, steps, RECIPE.warmup)
                own.zero_grad()
            scalarizer(measured(batch)).backward()
            for own in optimizers:
                own.step()
            if isinstance(scalarizer, scalarization.FAMO):
                scalarizer.update(measured(batch))
            step += 1
        if isinstance(scalarizer, scalarization.DWA):
            scalarizer.step()
    return {name: parameter.detach() for name, parameter in net.named_parameters()}


def ours(development: Development, weighting: LossWeighting, weights: tuple[float, ...]) -> State:
    member = Member(name="m", weights=weights, learning_rate=RATE, weighting=weighting)
    architecture = make_architecture(development, dropout=0.0, input_dropout=0.0)
    return train(
        development, [member], executor="fused", recipe=RECIPE, architecture=architecture
    ).state


class Log(scalarization.Scalarizer):
    """Σ log L, whose gradient has the weights 1 / L."""

    def forward(self, values: Tensor, /) -> Tensor:
        return values.log().sum()


PAIRS: list[tuple[LossWeighting, Callable[[], Any]]] = [
    (Fixed(), scalarization.Sum),
    (OptimalUncertainty(), Log),
    (GeometricMean(), scalarization.GeometricMean),
    (Uncertainty(), lambda: scalarization.UW(4)),
    (IMTLL(), lambda: scalarization.IMTLL(4)),
    (DynamicAverage(temperature=0.5), lambda: scalarization.DWA(0.5)),
    (
        FAMO(learning_rate=0.1, weight_decay=0.01),
        lambda: scalarization.FAMO(4, lr=0.1, weight_decay=0.01),
    ),
]


@pytest.mark.parametrize(("weighting", "torchjd"), PAIRS, ids=lambda p: type(p).__name__)
def test_training_is_torchjd_training(weighting: LossWeighting, torchjd: Callable[[], Any]) -> None:
    development = make_development(KINDS, missing=0.0)
    found = ours(development, weighting, (1.0,) * 4).params
    expected = reference(development, torchjd())
    plain = reference(development, scalarization.Sum())
    for name, value in expected.items():
        assert torch.allclose(found[name][0], value, atol=2e-5), name
    apart = max(float((expected[name] - plain[name]).abs().max()) for name in plain)
    assert apart > 1e-3 or isinstance(weighting, Fixed)  # the method changed something


def step_with(
    losses: list[float],
    *,
    weighting: LossWeighting,
    weights: list[float],
    present: list[bool] | None = None,
) -> TrainingStep:
    """A step whose losses are given."""
    tasks = len(losses)
    seen = torch.tensor(present or [True] * tasks)
    state = State(
        params={"w": torch.zeros(1)},
        buffers={},
        momentum={},
        variance={},
        memory=weighting.start(1, tasks),
        keys=torch.tensor([7]),
    )
    batch = Batch(
        inputs=torch.empty(0),
        targets=torch.empty(0),
        shares=torch.empty(0),
        present=seen,
        rows=torch.empty(0),
    )
    step = TrainingStep(
        state=state,
        batch=batch,
        outputs=torch.empty(0),
        learning_rates=[0.1],
        weights=torch.tensor([weights]),
        task_losses=None,  # type: ignore[arg-type]
    )
    step.__dict__["losses"] = torch.tensor([losses]) * seen
    return step


def test_optimal_uncertainty_by_hand() -> None:
    step = step_with([2.0, 4.0, 8.0], weighting=OptimalUncertainty(), weights=[1.0, 2.0, 0.0])
    assert OptimalUncertainty().weigh(step).tolist() == [[0.5, 0.5, 0.0]]


def test_the_geometric_mean_runs_over_tasks_that_count() -> None:
    """√(2·8) = 4, weights 4 / (2·2) and 4 / (2·8); the third is absent, the fourth not the member's."""
    step = step_with(
        [2.0, 8.0, 5.0, 9.0],
        weighting=GeometricMean(),
        weights=[1.0, 1.0, 1.0, 0.0],
        present=[True, True, False, True],
    )
    assert GeometricMean().weigh(step)[0].tolist() == pytest.approx([1.0, 0.25, 0.0, 0.0])


def test_uncertainty_learns_only_tasks_that_count() -> None:
    method = Uncertainty()
    step = step_with(
        [4.0, 4.0, 4.0], weighting=method, weights=[1.0, 1.0, 0.0], present=[True, False, True]
    )
    assert method.weigh(step).tolist() == [[0.5, 0.0, 0.0]]
    method.learn(step, lambda: torch.empty(0))
    # slope ½ − ½·4 < 0: Adam's first step moves s up by the learning rate
    assert step.state.memory["logits"][0].tolist() == pytest.approx([0.1, 0.0, 0.0])
    assert step.state.memory["steps"].tolist() == [[1, 0, 0]]


def test_famo_by_hand() -> None:
    """z = ½, ½: weights ∝ 1/L. The first loss halves, the second stays: the second gains weight."""
    method = FAMO(learning_rate=0.5, weight_decay=0.0)
    step = step_with([1.0, 3.0], weighting=method, weights=[1.0, 1.0])
    assert method.weigh(step)[0].tolist() == pytest.approx([0.75, 0.25])
    method.learn(step, lambda: torch.tensor([[0.5, 3.0]]))
    assert step.state.memory["logits"][0].tolist() == pytest.approx([-0.5, 0.5], abs=1e-6)
    share = 1 / (1 + math.e)
    expected = torch.tensor([share, (1 - share) / 3])
    assert torch.allclose(method.weigh(step)[0], expected / expected.sum())


def test_dynamic_average_by_hand() -> None:
    """Losses 4 → 2 and 3 → 3: ratios ½ and 1; weights 2·softmax(½/T, 1/T). Uniform before."""
    method = DynamicAverage(temperature=0.5)
    memory = None
    for losses in ([4.0, 3.0], [2.0, 3.0], [9.0, 9.0]):
        step = step_with(losses, weighting=method, weights=[1.0, 1.0])
        if memory is not None:
            step.state.memory = memory
        found = method.weigh(step)[0].tolist()
        memory = step.state.memory
        if losses[0] != 9.0:
            assert found == [1.0, 1.0]
            method.end_epoch(step.state)
    first = 2 / (1 + math.e)
    assert found == pytest.approx([first, 2 - first])


def test_random_weights_are_softmaxes_of_normal_numbers() -> None:
    method = Random()
    drawn = []
    for key in range(4000):
        step = step_with([1.0] * 3, weighting=method, weights=[1.0, 1.0, 1.0])
        step.state.keys = torch.tensor([key])
        drawn.append(method.weigh(step)[0])
    weights = torch.stack(drawn)
    assert torch.allclose(weights.sum(dim=1), torch.ones(4000))
    expected = torch.randn(200_000, 3, generator=torch.Generator().manual_seed(0)).softmax(dim=1)
    assert weights.mean(dim=0) == pytest.approx([1 / 3] * 3, abs=0.012)
    assert weights.std(dim=0) == pytest.approx(expected.std(dim=0).tolist(), abs=0.012)
    one = step_with([1.0] * 3, weighting=method, weights=[1.0, 0.0, 1.0])
    assert method.weigh(one)[0, 1] == 0
    assert method.weigh(one).sum() == pytest.approx(1.0)


@pytest.mark.parametrize("method", METHODS, ids=lambda m: type(m).__name__)
def test_a_batch_without_labels_moves_nothing(method: LossWeighting) -> None:
    step = step_with([1.0, 2.0], weighting=method, weights=[1.0, 1.0], present=[False, False])
    before = {name: tensor.clone() for name, tensor in step.state.memory.items()}
    assert method.weigh(step).tolist() == [[0.0, 0.0]]
    method.learn(step, lambda: step.losses)
    for name, tensor in step.state.memory.items():
        assert torch.equal(tensor.nan_to_num(-1), before[name].nan_to_num(-1)), name


@pytest.mark.parametrize("method", METHODS, ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("executor", ["fused", "vmap"])
def test_company_order_and_executor_change_nothing(method: LossWeighting, executor: str) -> None:
    """Laws 2 and 4, with partial labels: alone or among others, and a weight of 0 stays out."""
    development = make_development(KINDS, missing=0.4)
    weights = [(1.0,) * 4, (1.0, 0.0, 1.0, 0.5), (0.0, 1.0, 1.0, 1.0)]
    members = [
        Member(name=str(at), weights=w, seed=at, learning_rate=RATE, weighting=method)
        for at, w in enumerate(weights)
    ]
    together = train(development, members, executor=executor, recipe=RECIPE)
    for at, member in enumerate(members):
        alone = train(development, [member], executor="sequential", recipe=RECIPE)
        for name, value in alone.state.params.items():
            assert torch.allclose(together.state.params[name][at], value[0], atol=2e-4), name
    scrambled = replace(
        development,
        train=replace(
            development.train,
            targets=development.train.targets * torch.tensor([1.0, 0.0, 1.0, 1.0]),
        ),
    )
    again = train(scrambled, [members[1]], executor=executor, recipe=RECIPE)
    encoder = "encoder.linears.0.weight"
    expected = train(development, [members[1]], executor=executor, recipe=RECIPE)
    assert torch.equal(again.state.params[encoder], expected.state.params[encoder])


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        # UW: ½ − ½ e⁰ L = −½, then ½ − ½ e^−s L; momentum .9 on top of it
        (SGD(momentum=0.0), (0.05, 0.05 - 0.1 * (0.5 - math.exp(-0.05)))),
        (SGD(), (0.05, 0.05 - 0.1 * (-0.45 + 0.5 - math.exp(-0.05)))),
        (SignSGD(), (0.1, 0.2)),
        (TaskAdam(), (0.1, None)),
    ],
    ids=str,
)
def test_uncertainty_is_learned_by_the_members_optimizer(
    optimizer: Optimizer, expected: tuple[float, float | None]
) -> None:
    """Rate .1, losses 2 and (absent) 3; the absent task stands still."""
    method = Uncertainty()
    step = step_with([2.0, 3.0], weighting=method, weights=[1.0, 1.0], present=[True, False])
    step = replace(step, optimizer=optimizer)
    step.__dict__["losses"] = torch.tensor([[2.0, 3.0]])
    for value in expected:
        method.learn(step, lambda: torch.zeros(1, 2))
        found = step.state.memory["logits"][0]
        assert found[1] == 0
        if value is not None:
            assert float(found[0]) == pytest.approx(value, abs=1e-6)
