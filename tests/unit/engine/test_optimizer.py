"""Optimizers over stacked members against torch.optim's and by hand, and the learning-rate schedule."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import OPTIMIZERS

from cotrain.engine.optimizers import (
    ADAMW,
    SGD,
    Adam,
    AdamW,
    Optimizer,
    SignSGD,
    TaskAdam,
    learning_rate_share,
)
from cotrain.engine.state import State, Tensors

SHAPES = {"encoder.w": (5, 3), "head.weight": (4, 5), "head.bias": (4,)}
RATES = [1e-3, 1e-3, 3e-2, 1e-3]
TASKS = 3
NOTHING = torch.zeros(4, 4, dtype=torch.bool)  # untouched


def random_tensors(members: int, generator: torch.Generator) -> Tensors:
    return {k: torch.randn(members, *shape, generator=generator) for k, shape in SHAPES.items()}


def fresh_state(generator: torch.Generator, optimizer: Optimizer = ADAMW) -> State:
    params = random_tensors(len(RATES), generator)
    momentum, variance = optimizer.start(params, TASKS)
    return State(params=params, buffers={}, momentum=momentum, variance=variance)


def random_gradients(optimizer: Optimizer, generator: torch.Generator) -> Tensors:
    """As the optimizer is given them."""
    found = random_tensors(len(RATES), generator)
    if optimizer.by_task:
        shape = SHAPES["encoder.w"]
        found["encoder.w"] = torch.randn(len(RATES), TASKS, *shape, generator=generator)
    return found


TORCH: dict[str, tuple[Optimizer, Callable[..., torch.optim.Optimizer]]] = {
    "AdamW": (AdamW(), torch.optim.AdamW),
    "Adam": (
        Adam(beta1=0.8, epsilon=1e-3),
        partial(torch.optim.Adam, betas=(0.8, 0.999), eps=1e-3),
    ),
    "SGD": (SGD(), partial(torch.optim.SGD, momentum=0.9)),
    "SGD without momentum": (SGD(momentum=0.0), torch.optim.SGD),
}


def reference(
    make: Callable[..., torch.optim.Optimizer],
    params: Tensors,
    gradients: list[Tensors],
    rates: list[float],
    decay: float,
) -> Tensors:
    mine = {k: v.clone().requires_grad_() for k, v in params.items()}
    optimizer = make(mine.values(), lr=rates[0], weight_decay=decay)
    for step, gradient in enumerate(gradients):
        optimizer.param_groups[0]["lr"] = rates[step]
        for name, parameter in mine.items():
            parameter.grad = gradient[name].clone()
        optimizer.step()
    return {k: v.detach() for k, v in mine.items()}


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("name", TORCH)
def test_it_is_torchs(name: str, decay: float) -> None:
    optimizer, make = TORCH[name]
    generator = torch.Generator().manual_seed(0)
    state = fresh_state(generator, optimizer)
    start = {k: v.clone() for k, v in state.params.items()}
    gradients = [random_tensors(4, generator) for _ in range(6)]
    shares = [0.2, 1.0, 0.7, 0.5, 0.1, 0.0]
    for gradient, share in zip(gradients, shares, strict=True):
        rates = [rate * share for rate in RATES]
        optimizer.step(
            state, gradient, learning_rates=rates, weight_decays=[decay] * 4, untouched=NOTHING
        )
    assert state.step == 6
    for member, rate in enumerate(RATES):
        expected = reference(
            make,
            {k: v[member] for k, v in start.items()},
            [{k: v[member] for k, v in gradient.items()} for gradient in gradients],
            [rate * share for share in shares],
            decay,
        )
        for key, tensor in expected.items():
            torch.testing.assert_close(state.params[key][member], tensor, atol=1e-6, rtol=1e-5)


def one_number(
    optimizer: Optimizer, slopes: list[float], *, rate: float, decay: float
) -> list[float]:
    """A parameter that starts at 1, after each step."""
    params = {"head.weight": torch.ones(1, 1, 1)}
    momentum, variance = optimizer.start(params, 1)
    state = State(params=params, buffers={}, momentum=momentum, variance=variance)
    found = []
    for slope in slopes:
        gradient = {"head.weight": torch.full((1, 1, 1), slope)}
        optimizer.step(
            state,
            gradient,
            learning_rates=[rate],
            weight_decays=[decay],
            untouched=torch.zeros(1, 1, dtype=torch.bool),
        )
        found.append(float(state.params["head.weight"]))
    return found


def test_signs_by_hand() -> None:
    """1 − .1·(1 + .5·1) = .85; then .85 − .1·(−1 + .5·.85) = .9075; nothing but decay at 0."""
    found = one_number(SignSGD(), [7.0, -1e-5, 0.0], rate=0.1, decay=0.5)
    assert found == pytest.approx([0.85, 0.9075, 0.9075 * 0.95], abs=1e-6)


def test_signs_of_the_mean_by_hand() -> None:
    """m = .5·4 = 2, 2·.5 − .5·1 = .5, .25 − 1 = −.75: signs + + −."""
    found = one_number(SignSGD(momentum=0.5), [4.0, -1.0, -2.0], rate=0.1, decay=0.0)
    assert found == pytest.approx([0.9, 0.8, 0.9], abs=1e-6)


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_task_adam_is_an_adam_for_each_task(decay: float) -> None:
    """The shared part against T of torch's Adam, moves added up; the heads against AdamW."""
    optimizer, generator = TaskAdam(), torch.Generator().manual_seed(0)
    state = fresh_state(generator, optimizer)
    start = {k: v.clone() for k, v in state.params.items()}
    gradients = [random_gradients(optimizer, generator) for _ in range(5)]
    copies = torch.zeros(len(RATES), TASKS, *SHAPES["encoder.w"])
    kernels = [
        torch.optim.Adam([copies[row].requires_grad_()], lr=rate) for row, rate in enumerate(RATES)
    ]
    shared = start["encoder.w"].clone()
    for gradient in gradients:
        optimizer.step(
            state, gradient, learning_rates=RATES, weight_decays=[decay] * 4, untouched=NOTHING
        )
        for row, kernel in enumerate(kernels):
            (own,) = kernel.param_groups[0]["params"]
            before = own.detach().clone()
            own.grad = gradient["encoder.w"][row].clone()
            kernel.step()
            move = (own.detach() - before).sum(dim=0)
            shared[row] = shared[row] * (1 - RATES[row] * decay) + move
    torch.testing.assert_close(state.params["encoder.w"], shared, atol=1e-6, rtol=1e-5)
    heads = {k: v[0] for k, v in start.items() if k != "encoder.w"}
    of_heads = [{k: gradient[k][0] for k in heads} for gradient in gradients]
    expected = reference(torch.optim.AdamW, heads, of_heads, [RATES[0]] * 5, decay)
    for key, tensor in expected.items():
        torch.testing.assert_close(state.params[key][0], tensor, atol=1e-6, rtol=1e-5)


def test_a_task_that_says_nothing_does_not_move_task_adam() -> None:
    """Neither its moments nor its momentum: as if the other tasks were alone in that step."""
    optimizer, generator = TaskAdam(), torch.Generator().manual_seed(0)
    state = fresh_state(generator, optimizer)
    options = {"learning_rates": RATES, "weight_decays": [0.0] * 4, "untouched": NOTHING}
    optimizer.step(state, random_gradients(optimizer, generator), **options)  # type: ignore[arg-type]
    before = state.map(torch.clone)
    gradient = random_gradients(optimizer, generator)
    gradient["encoder.w"][1, 2] = 0.0  # member 1, task 2
    optimizer.step(state, gradient, **options)  # type: ignore[arg-type]
    for part in ("momentum", "variance"):
        old, new = getattr(before, part)["encoder.w"], getattr(state, part)["encoder.w"]
        same = (old == new).flatten(2).all(dim=2)
        assert same.nonzero().tolist() == [[1, 2]]
    lone = TaskAdam()
    twin = before.map(torch.clone)
    for part in (twin.momentum, twin.variance):
        part["encoder.w"] = part["encoder.w"][:, [0, 1]].contiguous()
    fewer = gradient | {"encoder.w": gradient["encoder.w"][:, [0, 1]]}
    lone.step(twin, fewer, **options)  # type: ignore[arg-type]
    torch.testing.assert_close(twin.params["encoder.w"][1], state.params["encoder.w"][1])
    assert not torch.allclose(twin.params["encoder.w"][0], state.params["encoder.w"][0])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_gradients_are_left_as_they_are(name: str) -> None:
    optimizer, generator = OPTIMIZERS[name], torch.Generator().manual_seed(0)
    state, gradient = fresh_state(generator, optimizer), random_gradients(optimizer, generator)
    before = {k: v.clone() for k, v in gradient.items()}
    optimizer.step(
        state,
        gradient,
        learning_rates=RATES,
        weight_decays=[0.1] * 4,
        untouched=torch.tensor([True, False, False, False]),
    )
    assert all(torch.equal(gradient[k], before[k]) for k in before)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_gradients_may_lie_in_memory_as_they_like(name: str) -> None:
    """torch's fused kernel silently mixes up the elements of a transposed gradient."""
    generator = torch.Generator().manual_seed(2)
    optimizer = OPTIMIZERS[name]
    plain = fresh_state(generator, optimizer)
    strided = fresh_state(torch.Generator().manual_seed(2), optimizer)
    gradient = random_gradients(optimizer, generator)
    turned = {k: v.transpose(1, -1).contiguous().transpose(1, -1) for k, v in gradient.items()}
    assert not turned["encoder.w"].is_contiguous()
    for state, own in ((plain, gradient), (strided, turned)):
        optimizer.step(state, own, learning_rates=RATES, weight_decays=[0.0] * 4, untouched=NOTHING)
    assert all(torch.equal(plain.params[k], strided.params[k]) for k in SHAPES)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("of", ["one member", "some outputs", "all"])
def test_untouched_outputs_keep_rows_and_moments(name: str, of: str) -> None:
    optimizer, generator = OPTIMIZERS[name], torch.Generator().manual_seed(0)
    state = fresh_state(generator, optimizer)
    untouched = torch.zeros(4, 4, dtype=torch.bool)
    at = {"one member": [1], "some outputs": [0, 1, 2, 3], "all": [0, 1, 2, 3]}[of]
    untouched[at] = torch.tensor([True, of == "all", of == "all", True])
    options = {"learning_rates": RATES, "weight_decays": [0.1] * 4}
    optimizer.step(state, random_gradients(optimizer, generator), untouched=NOTHING, **options)  # type: ignore[arg-type]
    before = state.map(torch.clone)
    optimizer.step(state, random_gradients(optimizer, generator), untouched=untouched, **options)  # type: ignore[arg-type]
    for part in ("params", "momentum", "variance"):
        for key, old in getattr(before, part).items():
            changed = old != getattr(state, part)[key]
            if key == "encoder.w":
                assert changed.all()
            else:
                expected = ~untouched.reshape(4, 4, *[1] * (changed.dim() - 2))
                assert torch.equal(changed, expected.expand_as(changed))


@pytest.mark.parametrize(
    ("steps", "warmup"), [(100, 0.1), (24, 0.05), (1, 0.05), (7, 0.0), (10, 1.0)]
)
def test_schedule_rises_then_falls(steps: int, warmup: float) -> None:
    shares = [learning_rate_share(s, steps, warmup) for s in range(steps)]
    top = max(1, round(warmup * steps)) - 1
    assert shares[top] == 1.0
    assert all(a < b for a, b in pairwise(shares[: top + 1]))
    assert all(a >= b for a, b in pairwise(shares[top:]))
    assert all(0 < share <= 1 for share in shares)


def test_schedule_by_hand() -> None:
    expected = [0.25, 0.5, 0.75, 1.0]
    expected += [(1 + math.cos(math.pi * k / 36)) / 2 for k in range(36)]
    found = [learning_rate_share(s, 40, 0.1) for s in range(40)]
    assert found == pytest.approx(expected, abs=1e-12)


@given(st.integers(1, 500), st.floats(0, 1))
def test_schedule_is_a_share(steps: int, warmup: float) -> None:
    shares = [learning_rate_share(s, steps, warmup) for s in range(steps)]
    assert min(shares) > 0
    assert max(shares) == 1.0
