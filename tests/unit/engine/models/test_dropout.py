"""Dropout masks: the right rate, unrelated to one another, and a pure function of their key."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from cotrain.engine.models.dropout import (
    Dropout,
    counters,
    gain,
    mix,
    mix_in_place,
    step_keys,
    threshold,
    with_keyed_dropout,
)

SHAPE = (400, 500)
NOISE = 5 / np.sqrt(SHAPE[0] * SHAPE[1])  # five standard errors of a correlation


def mask(*, rate: float = 0.5, layer: int = 0, seed: int = 0, step: int = 0) -> Tensor:
    module = Dropout(rate, layer=layer)
    module.dropout_key.copy_(step_keys(torch.tensor([seed]), step)[0])
    return module(torch.ones(SHAPE)) > 0


def correlation(a: Tensor, b: Tensor) -> float:
    return float(np.corrcoef(a.flatten().numpy(), b.flatten().numpy())[0, 1])


@pytest.mark.parametrize("rate", [0.004, 0.1, 0.25, 0.4, 0.5, 0.9])
def test_rate_and_expectation(rate: float) -> None:
    module = Dropout(rate, layer=0)
    out = module(torch.ones(SHAPE))
    exact = round(256 * rate) / 256
    spread = np.sqrt(exact * (1 - exact) / out.numel())
    assert float((out == 0).float().mean()) == pytest.approx(exact, abs=5 * spread)
    assert float(out.max()) == pytest.approx(1 / (1 - exact), rel=1e-6)
    assert float(out.mean()) == pytest.approx(1, abs=5 * spread / (1 - exact))
    assert abs(exact - rate) <= 1 / 512


@pytest.mark.parametrize(
    "other", [{"layer": 1}, {"layer": 2}, {"seed": 1}, {"seed": 2}, {"step": 1}, {"step": 1000}]
)
def test_masks_are_unrelated(other: dict[str, int]) -> None:
    assert abs(correlation(mask(), mask(**other))) < NOISE
    assert abs(correlation(mask(rate=0.25), mask(rate=0.25, **other))) < NOISE


@pytest.mark.parametrize("shift", [(0, 1), (1, 0), (0, 8), (8, 0), (7, 3)])
def test_elements_of_one_mask_are_unrelated(shift: tuple[int, int]) -> None:
    kept = mask()
    assert abs(correlation(kept, kept.roll(shift, dims=(0, 1)))) < NOISE


def test_every_row_and_column_is_dropped_alike() -> None:
    kept = mask(rate=0.25).float()
    for axis in (0, 1):
        n = SHAPE[1 - axis] if axis == 1 else SHAPE[0]
        spread = np.sqrt(0.25 * 0.75 / n)
        assert (kept.mean(dim=axis) - 0.75).abs().max() < 5 * spread


def test_masks_of_many_seeds_and_steps_are_all_different() -> None:
    keys = {int(k) for step in range(200) for k in step_keys(torch.arange(50), step)}
    assert len(keys) == 200 * 50
    near = {
        int(k) + layer
        for step in range(200)
        for k in step_keys(torch.arange(50), step)
        for layer in range(3)
    }
    assert len(near) == 3 * 200 * 50


def test_masks_are_determined_by_seed_step_and_layer() -> None:
    assert torch.equal(mask(seed=3, step=7, layer=1), mask(seed=3, step=7, layer=1))
    torch.manual_seed(1)
    first = mask(seed=3)
    torch.manual_seed(2)
    before = torch.random.get_rng_state()
    assert torch.equal(first, mask(seed=3))
    assert torch.equal(before, torch.random.get_rng_state())


MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15


def signed(value: int) -> int:
    value &= MASK
    return value - (1 << 64) if value >> 63 else value


def splitmix(value: int) -> int:
    """The finaliser of SplitMix64 in Python's integers."""
    value &= MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return signed(value ^ (value >> 31))


def test_the_hash_is_the_published_one() -> None:
    """The first outputs of SplitMix64 with seed 0."""
    published = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert mix(counters(24)).tolist() == [signed(value) for value in published]


@given(st.integers(0, 2**40), st.integers(0, 10**6))
def test_keys_are_hashes_of_seed_and_step(seed: int, step: int) -> None:
    expected = splitmix(splitmix(seed + GOLDEN) + step * GOLDEN)
    assert step_keys(torch.tensor([seed]), step).tolist() == [expected]


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20))
def test_mix_in_place_is_mix_is_the_hash(values: list[int]) -> None:
    bits = torch.tensor(values)
    expected = [splitmix(value) for value in values]
    assert mix(bits).tolist() == expected
    assert bits.tolist() == values
    assert mix_in_place(bits).tolist() == expected


@settings(deadline=None)
@given(st.integers(1, 100))
def test_counters_are_enough_for_all_elements(elements: int) -> None:
    found = counters(elements)
    assert 8 * len(found) >= elements > 8 * (len(found) - 1)
    assert len(set(found.tolist())) == len(found)


def test_gain_makes_up_for_the_rounded_rate() -> None:
    rates = torch.tensor([0.0, 0.4, 0.5, 1.0])
    assert threshold(rates).tolist() == [0, 102, 128, 255]
    np.testing.assert_allclose(gain(rates), [1, 256 / 154, 2, 256], rtol=1e-6)


def test_nothing_is_dropped_in_evaluation_or_at_rate_zero() -> None:
    x = torch.randn(20, 30)
    assert torch.equal(Dropout(0.5, layer=0).eval()(x), x)
    assert torch.equal(Dropout(0.0, layer=0)(x), x)
    quiet = Dropout(0.5, layer=0)
    quiet.dropout_rate.zero_()
    assert torch.equal(quiet(x), x)


@pytest.mark.parametrize("shape", [(5, 3), (7, 2, 3, 3), (1, 1), (9,)])
def test_any_shape(shape: tuple[int, ...]) -> None:
    out = Dropout(0.5, layer=0)(torch.ones(shape))
    assert out.shape == shape
    assert set(out.flatten().tolist()) <= {0.0, 2.0}


def test_torch_dropout_is_replaced_everywhere_and_numbered() -> None:
    inner = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.2))
    net = with_keyed_dropout(nn.Sequential(nn.Dropout(0.1), inner, nn.Dropout2d(0.3)))
    found = [module for module in net.modules() if isinstance(module, Dropout)]
    assert sorted((module.rate, module.layer) for module in found) == [(0.1, 0), (0.2, 1)]
    assert not any(type(module) is nn.Dropout for module in net.modules())
    assert any(type(module) is nn.Dropout2d for module in net.modules())
