"""AdamW over stacked members against torch.optim.AdamW, and the learning-rate schedule."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cotrain.population.optimiser import adamw_step, learning_rate_share
from cotrain.population.state import State, Tensors

SHAPES = {"encoder.w": (5, 3), "head.weight": (4, 5), "head.bias": (4,)}
RATES = [1e-3, 1e-3, 3e-2, 1e-3]


def random_tensors(members: int, generator: torch.Generator) -> Tensors:
    return {k: torch.randn(members, *shape, generator=generator) for k, shape in SHAPES.items()}


def fresh_state(generator: torch.Generator) -> State:
    params = random_tensors(len(RATES), generator)
    return State(
        params=params,
        buffers={},
        momentum={k: torch.zeros_like(v) for k, v in params.items()},
        variance={k: torch.zeros_like(v) for k, v in params.items()},
    )


def reference(
    params: Tensors, gradients: list[Tensors], rates: list[float], decay: float
) -> Tensors:
    mine = {k: v.clone().requires_grad_() for k, v in params.items()}
    optimiser = torch.optim.AdamW(mine.values(), lr=rates[0], weight_decay=decay)
    for step, gradient in enumerate(gradients):
        optimiser.param_groups[0]["lr"] = rates[step]
        for name, parameter in mine.items():
            parameter.grad = gradient[name].clone()
        optimiser.step()
    return {k: v.detach() for k, v in mine.items()}


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adamw_is_torch_adamw(decay: float) -> None:
    generator = torch.Generator().manual_seed(0)
    state = fresh_state(generator)
    start = {k: v.clone() for k, v in state.params.items()}
    gradients = [random_tensors(4, generator) for _ in range(6)]
    shares = [0.2, 1.0, 0.7, 0.5, 0.1, 0.0]
    nothing = torch.zeros(4, dtype=torch.bool)
    for gradient, share in zip(gradients, shares, strict=True):
        rates = [rate * share for rate in RATES]
        adamw_step(
            state, gradient, learning_rates=rates, weight_decays=[decay] * 4, untouched=nothing
        )
    assert state.step == 6
    for member, rate in enumerate(RATES):
        expected = reference(
            {k: v[member] for k, v in start.items()},
            [{k: v[member] for k, v in gradient.items()} for gradient in gradients],
            [rate * share for share in shares],
            decay,
        )
        for name, tensor in expected.items():
            torch.testing.assert_close(state.params[name][member], tensor, atol=1e-6, rtol=1e-5)


def test_gradients_are_left_as_they_are() -> None:
    generator = torch.Generator().manual_seed(0)
    state, gradient = fresh_state(generator), random_tensors(4, generator)
    before = {k: v.clone() for k, v in gradient.items()}
    adamw_step(
        state,
        gradient,
        learning_rates=RATES,
        weight_decays=[0.1] * 4,
        untouched=torch.tensor([True, False, False, False]),
    )
    assert all(torch.equal(gradient[k], before[k]) for k in before)


def test_gradients_may_lie_in_memory_as_they_like() -> None:
    """torch's fused kernel silently mixes up the elements of a transposed gradient."""
    generator = torch.Generator().manual_seed(2)
    plain, strided = fresh_state(generator), fresh_state(torch.Generator().manual_seed(2))
    gradient = random_tensors(4, generator)
    turned = {k: v.transpose(1, -1).contiguous().transpose(1, -1) for k, v in gradient.items()}
    assert not turned["encoder.w"].is_contiguous()
    nothing = torch.zeros(4, dtype=torch.bool)
    for state, own in ((plain, gradient), (strided, turned)):
        adamw_step(state, own, learning_rates=RATES, weight_decays=[0.0] * 4, untouched=nothing)
    assert all(torch.equal(plain.params[k], strided.params[k]) for k in SHAPES)


@pytest.mark.parametrize("untouched", [[True, False, False, True], [True] * 4])
def test_untouched_outputs_keep_rows_and_moments(untouched: list[bool]) -> None:
    generator = torch.Generator().manual_seed(0)
    state = fresh_state(generator)
    options = {"learning_rates": RATES, "weight_decays": [0.1] * 4}
    adamw_step(
        state,
        random_tensors(4, generator),
        untouched=torch.zeros(4, dtype=torch.bool),
        **options,  # type: ignore[arg-type]
    )
    before = state.map(torch.clone)
    adamw_step(state, random_tensors(4, generator), untouched=torch.tensor(untouched), **options)  # type: ignore[arg-type]
    for part in ("params", "momentum", "variance"):
        for name in SHAPES:
            old, new = getattr(before, part)[name], getattr(state, part)[name]
            if name == "encoder.w":
                assert not (old == new).any()
                continue
            for output, kept in enumerate(untouched):
                changed: Tensor = old[:, output] != new[:, output]
                assert changed.any() == (not kept)
                assert changed.all() == (not kept)


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
