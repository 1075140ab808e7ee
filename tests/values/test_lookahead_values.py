"""Lookahead transference against a hand-worked example and a slow loop written with autograd."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny import (
    EXECUTORS,
    first_batch,
    joint,
    make_architecture,
    make_data,
    make_development,
    make_executor,
    point_of,
    probing,
    same,
    task_data,
    train,
    transference,
)
from torch import Tensor, nn
from torch.nn import functional as F

from cotrain.data.dataset import TaskData
from cotrain.engine.initial import initial_state
from cotrain.engine.models.multitask import Architecture, MultiTaskNet
from cotrain.measure.points.engine_point import EnginePoint
from cotrain.measure.transference.lookahead import Lookahead
from cotrain.measure.transference.steps import PlainStep
from cotrain.tasks import Kind, output_slices


@pytest.mark.parametrize("executor", ["sequential", "vmap"])
def test_hand_worked(executor: str) -> None:
    """Encoder f = w·x with w = (1, 2), heads 2f and −f, rows (1, 0) and (0, 1), targets by hand.

    Task 0: y = (1, 3), outputs (2, 4), residuals (1, 1), L = (1 + 1)/4 = 1/2,
            g = mean(residual · 2 · x) = (1, 1).
    Task 1: y = (1, 0), outputs (−1, −2), residuals (−2, −2), L = (4 + 4)/4 = 2,
            g = mean(residual · (−1) · x) = (1, 1).
    So one step of 1/10 along either gradient gives w = (9/10, 19/10):
    L_0 = ((8/10)² + (8/10)²)/4 = 8/25, Z_0 = 1 − 16/25 = 9/25;
    L_1 = ((19/10)² + (19/10)²)/4 = 361/200, Z_1 = 1 − 361/400 = 39/400.
    Task 2: y = (4, unlabelled), head f: residual −3, L = 9/2, g = (−3, 0), w = (13/10, 2):
    Z[0,2] = 1 − ((16/10)² + 1)/2 = −39/50;  Z[1,2] = 1 − ((23/10)² + 4)/8 = −129/800;
    Z[2,0] = Z[2,1] = 1 − (31/10)²/9 = −61/900;  Z[2,2] = 1 − (27/10)²/9 = 19/100.
    """
    data = task_data(
        torch.eye(2), [[1.0, 1.0, 4.0], [3.0, 0.0, 9.0]], [[1, 1, 1], [1, 1, 0]], "rrr"
    )
    architecture = Architecture(
        encoder=lambda: nn.Linear(2, 1, bias=False), sample=torch.eye(2)[:1], bias=torch.zeros(3)
    )
    state = initial_state(architecture, [joint(3)])
    state.set_keys(torch.tensor([0]))
    state.params["encoder.weight"].copy_(torch.tensor([[[1.0, 2.0]]]))
    state.params["head.weight"].copy_(torch.tensor([[[2.0], [-1.0], [1.0]]]))
    point = point_of(
        state,
        first_batch(data, 2),
        architecture=architecture,
        tasks=data.tasks,
        executor=executor,
    )
    z = transference(point, data.tasks)
    expected = torch.tensor(
        [
            [9 / 25, 9 / 25, -39 / 50],
            [39 / 400, 39 / 400, -129 / 800],
            [-61 / 900, -61 / 900, 19 / 100],
        ]
    )
    torch.testing.assert_close(z, expected, rtol=1e-5, atol=1e-7)


def reference(net: MultiTaskNet, data: TaskData, step_size: float) -> NDArray[np.float64]:
    """Z in float64, one task, one copy of the network and one call of autograd at a time."""
    net = copy.deepcopy(net).double().eval()
    tasks = len(data.tasks)
    before = [task_loss(net, data, t).detach() for t in range(tasks)]
    z = np.full((tasks, tasks), np.nan)
    for source in range(tasks):
        if not data.mask[:, source].any():
            continue
        moved = copy.deepcopy(net)
        encoder = list(moved.encoder.parameters())
        gradients = torch.autograd.grad(task_loss(moved, data, source), encoder)
        with torch.no_grad():
            for parameter, gradient in zip(encoder, gradients, strict=True):
                parameter -= step_size * gradient
        for recipient in range(tasks):
            if data.mask[:, recipient].any():
                after = task_loss(moved, data, recipient).detach()
                z[recipient, source] = float(1 - after / before[recipient])
    return z


def task_loss(net: nn.Module, data: TaskData, t: int) -> Tensor:
    seen = data.mask[:, t]
    part = net(data.inputs.double())[seen][:, output_slices(data.tasks)[t]]
    y = data.targets[seen, t].double()
    if data.tasks[t].kind is Kind.MULTICLASS:
        return F.cross_entropy(part, y.long())
    if data.tasks[t].kind is Kind.BINARY:
        return F.binary_cross_entropy_with_logits(part[:, 0], y)
    return 0.5 * F.mse_loss(part[:, 0], y)


def trained(data: TaskData, executor: str) -> tuple[EnginePoint, MultiTaskNet]:
    """A trained network with a drawn head, on all rows of the data."""
    development = make_development("brmb")
    architecture = make_architecture(development)
    state = train(development, [joint(4, learning_rate=1e-2)], architecture=architecture).state
    net = architecture.build(seed=0)
    head = torch.randn(
        state.params["head.weight"].shape, generator=torch.Generator().manual_seed(0)
    )
    state.params["head.weight"].copy_(head / 2)
    net.load_state_dict({name: tensor[0] for name, tensor in state.params.items()})
    point = point_of(
        state,
        first_batch(data, len(data)),
        architecture=architecture,
        tasks=data.tasks,
        executor=executor,
    )
    return point, net


@pytest.mark.parametrize("step_size", [0.01, 0.1, 1.0])
@pytest.mark.parametrize("executor", EXECUTORS)
def test_slow_reference(executor: str, step_size: float) -> None:
    data = make_data("brmb", rows=20, missing=0.4, seed=5)
    point, net = trained(data, executor)
    found = transference(point, data.tasks, step_size).numpy()
    expected = reference(net, data, step_size)
    assert np.isfinite(expected).all()
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("absent", range(4))
def test_a_task_without_labels_in_the_batch_is_unknown(executor: str, absent: int) -> None:
    data = make_data("brmb", rows=20, missing=0.3, seed=6)
    data.mask[:, absent] = False
    point, net = trained(data, executor)
    found = transference(point, data.tasks, 0.3).numpy()
    expected = reference(net, data, 0.3)
    others = [t for t in range(4) if t != absent]
    assert np.isnan(found[absent]).all()
    assert np.isnan(found[:, absent]).all()
    assert np.isfinite(found[np.ix_(others, others)]).all()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_first_order(executor: str) -> None:
    """Z ≈ η⟨g_i, g_j⟩ / L_j: the two come together as η falls."""
    data = make_data("brmb", rows=20, missing=0.2, seed=5)
    point, _ = trained(data, executor)
    apart = []
    for step_size in (0.01, 0.001):
        lookahead = Lookahead(tasks="abcd", step=PlainStep(size=step_size))
        lookahead.probe(point)
        exact, estimate = lookahead.exact[0], lookahead.first_order[0]
        assert (estimate.diagonal() > 0).all()  # a task's own step helps it
        apart.append(np.abs(exact - estimate).max() / step_size)
    assert apart[0] > 1e-3
    assert apart[1] < apart[0] / 2  # kinks of ReLU keep it from ten


@pytest.mark.parametrize("executor", EXECUTORS)
def test_probes_leave_no_trace(executor: str) -> None:
    development = make_development("brm")
    architecture = make_architecture(development)
    runner = make_executor(executor, architecture)
    lookahead = Lookahead(tasks="brm")

    plain = train(development, [joint(3)], executor=runner, architecture=architecture)
    torch.manual_seed(5)
    drawn = torch.random.get_rng_state()
    probed = train(
        development,
        [joint(3)],
        executor=runner,
        architecture=architecture,
        before_update=probing(
            lookahead.probe,
            architecture=architecture,
            tasks=development.tasks,
            executor=runner,
            every=3,
        ),
    )
    assert torch.equal(torch.random.get_rng_state(), drawn)
    assert len(lookahead.exact) == 7  # steps 3, 6, …, 21 of 24
    assert same(plain.state.to_flat(), probed.state.to_flat())
    assert torch.equal(plain.loss, probed.loss)
    assert same(plain.models[0, 4], probed.models[0, 4])


def test_a_step_of_size_zero_changes_no_loss_of_a_batch_norm_network() -> None:
    development = make_development("brm")

    def encoder() -> nn.Module:
        return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU())

    architecture = make_architecture(development, encoder=encoder)
    runner = make_executor("sequential", architecture)
    state = train(development, [joint(3)], executor=runner, architecture=architecture).state
    statistics = {k: v.clone() for k, v in state.buffers.items()}
    point = point_of(
        state,
        first_batch(development.train),
        architecture=architecture,
        tasks=development.tasks,
        executor=runner,
    )
    z = transference(point, development.tasks, step_size=0.0)
    assert same(statistics, state.buffers)  # the run itself is left alone
    torch.testing.assert_close(z, torch.zeros(3, 3), atol=1e-7, rtol=0)


def test_a_run_too_short_for_a_probe_has_an_answer() -> None:
    found = Lookahead(tasks="abc").affinity()
    assert np.isnan(found.mean).all()
    assert np.isnan(found.agreement)
