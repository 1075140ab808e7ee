"""Which form an encoder takes, and that both forms are the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tiny import joint, make_architecture, make_development, make_executor, train
from torch import Tensor, nn

from cotrain.engine.directions import Dense
from cotrain.engine.models.mlp import MLP
from cotrain.engine.state import State
from cotrain.measure.points.encoders import AutogradEncoder, MLPEncoder, shared_part
from cotrain.measure.points.factored import Factored


class OtherMLP(MLP):
    """A subclass may do anything in its forward pass."""

    def forward(self, x: Tensor) -> Tensor:
        """Twice the features."""
        return 2 * super().forward(x)


def parts(
    widths: tuple[int, ...] = (8, 6), kind: type[MLP] = MLP
) -> tuple[object, AutogradEncoder, State, Tensor]:
    development = make_development("brm")

    def encoder() -> nn.Module:
        return kind(5, widths=widths, dropout=0.5, input_dropout=0.5)

    architecture = make_architecture(development, encoder=encoder)
    state = train(development, [joint(3)], architecture=architecture).state
    net = architecture.build(seed=0)
    runner = make_executor("sequential", architecture)
    inputs = development.train.inputs[:7]
    return (
        shared_part(net, runner, state, inputs),
        AutogradEncoder(net, runner, state, inputs),
        state,
        inputs,
    )


@pytest.mark.parametrize("widths", [(4,), (8, 6), (5, 7, 3)])
def test_the_mlp_in_factors_equals_autograd(widths: tuple[int, ...]) -> None:
    mine, autograd, _state, _inputs = parts(widths)
    assert isinstance(mine, MLPEncoder)
    torch.testing.assert_close(mine.features, autograd.features)
    assert not mine.features.requires_grad
    draw = torch.Generator().manual_seed(0)
    slopes = torch.randn(4, 7, widths[-1], generator=draw)
    factored, dense = mine.directions(slopes), autograd.directions(slopes)
    assert isinstance(factored, Factored)
    assert isinstance(dense, Dense)
    torch.testing.assert_close(factored.dense().tensors, dense.tensors, rtol=1e-4, atol=1e-5)
    moves = factored.scaled(-0.1)
    expected = autograd.outputs_after(dense.scaled(-0.1))
    assert expected.shape == (4, 5, 7)
    torch.testing.assert_close(mine.outputs_after(moves), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        mine.outputs_after(dense.scaled(-0.1)), expected, rtol=1e-4, atol=1e-5
    )
    # asking twice gives the same: nothing is worked on in place
    torch.testing.assert_close(mine.outputs_after(moves), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        mine.directions(slopes).dense().tensors, factored.dense().tensors, rtol=0, atol=0
    )


def test_a_subclass_of_the_mlp_goes_through_autograd() -> None:
    mine, autograd, state, inputs = parts(kind=OtherMLP)
    assert isinstance(mine, AutogradEncoder)
    first = torch.relu(inputs @ state.params["encoder.linears.0.weight"][0].T)
    assert first.shape == (7, 8)
    plain, *_ = parts()
    assert isinstance(plain, MLPEncoder)
    x = inputs
    for at in range(2):
        weight, bias = (state.params[f"encoder.linears.{at}.{n}"][0] for n in ("weight", "bias"))
        x = (x @ weight.T + bias).relu()
    torch.testing.assert_close(autograd.features, 2 * x)


@pytest.mark.parametrize("make", [lambda: parts()[0], lambda: parts()[1]])
def test_a_move_of_zero_leaves_the_outputs(make: Callable[[], MLPEncoder]) -> None:
    encoder = make()
    slopes = torch.zeros(2, 7, 6)
    moves = encoder.directions(slopes)
    outputs = encoder.outputs_after(moves)
    assert torch.equal(outputs[0], outputs[1])
    assert (moves.inner(moves) == 0).all()
    draw = torch.Generator().manual_seed(0)
    other = encoder.outputs_after(encoder.directions(torch.randn(2, 7, 6, generator=draw)))
    assert (other - outputs).abs().max() > 0.1
