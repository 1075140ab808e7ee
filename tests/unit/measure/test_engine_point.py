"""What a point of the engine says of its batch, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from tiny import (
    EXECUTORS,
    OPTIMIZERS,
    first_batch,
    joint,
    make_architecture,
    make_data,
    make_development,
    make_executor,
    point_of,
    train,
)
from torch import Tensor, nn

from cotrain.engine.initial import initial_state
from cotrain.engine.models.losses import TaskLosses
from cotrain.engine.models.mlp import MLP
from cotrain.engine.state import State
from cotrain.engine.step import TrainingStep
from cotrain.errors import InputError
from cotrain.measure.gradients.comparison import Gradients
from cotrain.measure.points.engine_point import EnginePoint
from cotrain.measure.transference.lookahead import FirstOrder, Lookahead
from cotrain.measure.transference.steps import OwnStep, PlainStep

INSTRUMENTS: dict[str, Callable[..., Any]] = {
    "lookahead": Lookahead,
    "first order": FirstOrder,
    "gradients": Gradients,
}


def ready(
    kinds: str = "brm",
    *,
    encoder: Callable[[], nn.Module] | None = None,
    executor: str = "sequential",
    missing: float = 0.3,
    rate: float = 0.0,
) -> tuple[EnginePoint, State]:
    """A point after training, with a head that is not zero."""
    development = make_development(kinds, missing=missing)
    architecture = make_architecture(development, encoder=encoder)
    state = train(development, [joint(len(kinds))], architecture=architecture).state
    point = point_of(
        state,
        first_batch(development.train, 12),
        architecture=architecture,
        tasks=development.tasks,
        executor=executor,
        learning_rate=rate or 1e-3,
    )
    return point, state


def test_the_batch_as_it_is() -> None:
    point, state = ready()
    data = make_data("brm")
    assert point.step == state.step == 24
    assert torch.equal(point.labelled, data.mask[:12].T)
    assert torch.equal(point.present, data.mask[:12].any(dim=0))
    assert point.losses.shape == (3,)
    assert point.losses.isfinite().all()


def test_an_encoder_that_is_frozen_is_refused() -> None:
    def frozen() -> nn.Module:
        return nn.Sequential(nn.Linear(5, 6), nn.ReLU()).requires_grad_(False)

    with pytest.raises(InputError) as caught:
        ready(encoder=frozen)
    assert str(caught.value) == (
        "the encoder has no parameter that can be trained, so the tasks share nothing to measure: "
        "unfreeze some of its layers"
    )


def partly_frozen() -> nn.Module:
    encoder = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 4))
    encoder[0].requires_grad_(False)
    return encoder


def test_a_frozen_layer_takes_no_part() -> None:
    point, _ = ready(encoder=partly_frozen)
    gradients = point.task_gradients().dense()
    assert list(gradients.tensors) == ["encoder.2.weight", "encoder.2.bias"]
    lookahead = Lookahead(tasks="brm", step=OwnStep())
    lookahead.probe(point)
    assert np.isfinite(lookahead.exact[0]).all()


def frozen_first_layer_of_mlp() -> nn.Module:
    encoder = MLP(5, widths=(8, 6), dropout=0.0, input_dropout=0.0)
    encoder.linears[0].requires_grad_(False)
    return encoder


def test_a_frozen_layer_of_the_built_in_mlp_takes_no_part() -> None:
    point, state = ready(encoder=frozen_first_layer_of_mlp)
    before = {k: v.clone() for k, v in state.buffers.items()}
    gradients = point.task_gradients().dense()
    assert set(gradients.tensors) == {"encoder.linears.1.weight", "encoder.linears.1.bias"}
    moves = point.task_gradients().scaled(-0.3)
    torch.testing.assert_close(point.losses_after(moves), point.losses_after(moves.dense()))
    assert all(torch.equal(before[k], state.buffers[k]) for k in before)


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_infinite_inputs_name_the_task_and_the_step(instrument: str) -> None:
    point, _ = ready()
    point._seen.batch.inputs[0, 0] = float("nan")
    point = EnginePoint(point._net, point._executor, point._seen)
    with pytest.raises(InputError) as caught:
        INSTRUMENTS[instrument](tasks=["p", "q", "r"]).probe(point)
    assert str(caught.value) == (
        "the loss of task 'p' is nan at step 24: if labels are missing, fill them "
        "and pass the mask; else look for infinite inputs or targets, or lower the learning rate"
    )


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_the_number_of_names_must_fit(instrument: str) -> None:
    point, _ = ready()
    with pytest.raises(InputError, match="the losses are 3, the instrument was made for 2 tasks"):
        INSTRUMENTS[instrument](tasks="ab").probe(point)


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_the_very_first_step_has_a_zero_head_and_zero_gradients(instrument: str) -> None:
    """Features do not matter yet: nothing moves, nothing has a direction, nothing fails."""
    development = make_development("brm")
    architecture = make_architecture(development)
    state = initial_state(architecture, [joint(3)])
    point = point_of(
        state,
        first_batch(development.train),
        architecture=architecture,
        tasks=development.tasks,
    )
    made = INSTRUMENTS[instrument](tasks="brm")
    made.probe(point)
    if instrument == "gradients":
        assert np.isnan(made.similarity().cosine).all()
        assert (made.similarity().norms == 0).all()
    else:
        off = ~np.eye(3, dtype=bool)
        np.testing.assert_allclose(made.affinity().mean[off], 0, atol=1e-6)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_every_executor_sees_the_same(executor: str) -> None:
    found = []
    for name in ("sequential", executor):
        point, _ = ready("bmr", executor=name)
        lookahead = Lookahead(tasks="bmr", groups=[(0, 1)], step=PlainStep(size=0.5))
        own = Lookahead(tasks="bmr", step=OwnStep())
        lookahead.probe(point)
        own.probe(point)
        found.append((lookahead.exact[0], own.exact[0]))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
        assert np.isfinite(a).all()


def test_the_learning_rate_of_the_step_is_the_own_steps() -> None:
    moves = []
    for rate in (1e-3, 2e-3):
        point, _ = ready(rate=rate)
        moves.append(point.own_step(point.task_gradients()).tensors)
    for name in moves[0]:
        torch.testing.assert_close(moves[1][name], 2 * moves[0][name], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("order", [[3, 0, 5], [5, 5, 0, 3]])
def test_single_losses_come_in_the_order_asked_for(order: list[int]) -> None:
    point, _ = ready(missing=0.0)
    tasks = [row % 3 for row in order]
    together = point.example_gradients(tasks, order).dense().tensors
    for at, (task, row) in enumerate(zip(tasks, order, strict=True)):
        alone = point.example_gradients([task], [row]).dense().tensors
        for name, tensor in alone.items():
            torch.testing.assert_close(together[name][at], tensor[0], rtol=1e-5, atol=1e-7)


def test_the_mean_of_single_gradients_is_the_tasks_gradient() -> None:
    point, _ = ready(missing=0.4)
    gradients = point.task_gradients().dense().tensors
    for task in range(3):
        rows = point.labelled[task].nonzero()[:, 0].tolist()
        single = point.example_gradients([task] * len(rows), rows).dense().tensors
        for name, tensor in single.items():
            mean: Tensor = tensor.mean(dim=0)
            torch.testing.assert_close(gradients[name][task], mean, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_own_step_is_of_the_runs_optimizer(name: str) -> None:
    """SGD: −η (μ m + g + λ θ); an optimizer with moments for each task has no step for any gradient."""
    development = make_development("brm", missing=0.0)
    architecture, optimizer = make_architecture(development), OPTIMIZERS[name]
    batch = first_batch(development.train, 12)
    member = joint(3, optimizer=optimizer, learning_rate=1e-2)
    state = train(development, [member], architecture=architecture).state
    step = TrainingStep(
        state=state,
        batch=batch,
        outputs=torch.empty(0),
        learning_rates=[0.1],
        weights=torch.ones(1, 3),
        task_losses=TaskLosses(development.tasks),
        optimizer=optimizer,
    )
    executor = make_executor("sequential", architecture)
    point = EnginePoint(architecture.build(seed=0), executor, step, weight_decay=0.5)
    gradients = point.task_gradients().dense()
    if optimizer.by_task:
        with pytest.raises(InputError, match=r"TaskAdam.* has no step for any gradient"):
            point.own_step(gradients)
        return
    found = point.own_step(gradients)
    for key, gradient in gradients.tensors.items():
        assert (found.tensors[key] != 0).any()
        if name == "SGD":
            pull = gradient + 0.9 * state.momentum[key] + 0.5 * state.params[key]
            torch.testing.assert_close(found.tensors[key], -0.1 * pull, atol=1e-6, rtol=1e-4)
