"""Vectors over shared parameters, written out and in factors."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cotrain.engine.directions import Dense, Directions, join
from cotrain.measure.points.factored import Factored, row_products


def draws(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator)


def dense(count: int = 3, seed: int = 0) -> Dense:
    """A matrix and a scalar, for instance a learned temperature."""
    return Dense(tensors={"w": draws(count, 4, 2, seed=seed), "scale": draws(count, seed=seed + 1)})


def factored(count: int = 3, seed: int = 0, below: list[Tensor] | None = None) -> Factored:
    return Factored(
        names=["one.", "two."],
        output_gradients=[draws(count, 4, 5, seed=seed), draws(count, 2, 5, seed=seed + 1)],
        activations=below or [draws(3, 5, seed=7), draws(4, 5, seed=8)],
    )


def flat(directions: Directions) -> Tensor:
    """``[C, everything]``."""
    tensors = directions.dense().tensors.values()
    return torch.cat([t.reshape(len(t), -1) for t in tensors], dim=1)


def test_dense_inner_products_and_mixtures() -> None:
    a, b, weights = dense(3), dense(2, seed=5), draws(4, 3)
    torch.testing.assert_close(a.inner(b), flat(a) @ flat(b).T)
    mixed = a.mix(weights)
    assert (mixed.count, mixed.tensors["w"].shape, mixed.tensors["scale"].shape) == (
        4,
        (4, 4, 2),
        (4,),
    )
    torch.testing.assert_close(flat(mixed), weights @ flat(a))
    torch.testing.assert_close(flat(a.scaled(-0.3)), -0.3 * flat(a))
    assert a.dense() is a


def test_factored_gradients_are_sums_of_outer_products() -> None:
    found = factored()
    written = found.dense().tensors
    assert list(written) == ["one.weight", "one.bias", "two.weight", "two.bias"]
    for name, slope, below in zip(
        ("one", "two"), found.output_gradients, found.activations, strict=True
    ):
        weight = sum(torch.einsum("ch,d->chd", slope[:, :, b], below[:, b]) for b in range(5))
        torch.testing.assert_close(written[f"{name}.weight"], weight)
        torch.testing.assert_close(written[f"{name}.bias"], slope.sum(dim=2))


def test_factored_inner_products_and_mixtures() -> None:
    a, weights = factored(3), draws(4, 3)
    b = factored(2, seed=5, below=list(a.activations))
    torch.testing.assert_close(a.inner(b), flat(a) @ flat(b).T, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(a.inner(b), b.inner(a).T, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(flat(a.mix(weights)), weights @ flat(a), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(flat(a.scaled(-0.3)), -0.3 * flat(a))
    assert a.mix(weights).count == 4


def test_factored_vectors_of_another_batch_or_form_meet_written_out() -> None:
    a = factored(3)
    elsewhere = factored(2, seed=5, below=[draws(3, 5, seed=17), draws(4, 5, seed=18)])
    torch.testing.assert_close(a.inner(elsewhere), flat(a) @ flat(elsewhere).T)
    torch.testing.assert_close(a.inner(elsewhere.dense()), flat(a) @ flat(elsewhere).T)
    torch.testing.assert_close(elsewhere.dense().inner(a), flat(elsewhere) @ flat(a).T)


def test_weights_come_in_any_precision() -> None:
    for directions in (dense(), factored()):
        found = directions.mix(torch.eye(3, dtype=torch.float64))
        torch.testing.assert_close(flat(found), flat(directions))


def test_double_stays_double() -> None:
    a = Factored(
        names=["l."],
        output_gradients=[draws(2, 3, 4).double()],
        activations=[draws(5, 4).double()],
    )
    assert a.inner(a).dtype == a.dense().inner(a).dtype == torch.float64
    torch.testing.assert_close(a.inner(a), flat(a) @ flat(a).T)


def test_row_products_count_the_bias() -> None:
    below = torch.tensor([[1.0, 2.0], [0.0, 3.0]])
    assert row_products(below).tolist() == [[2.0, 3.0], [3.0, 14.0]]


@pytest.mark.parametrize("counts", [[1], [2, 1, 3]])
def test_join_puts_sets_one_after_the_other(counts: list[int]) -> None:
    parts = [dense(count, seed=count) for count in counts]
    joined = join(parts)
    assert joined.count == sum(counts)
    assert torch.equal(flat(joined), torch.cat([flat(part) for part in parts]))
