"""The built-in encoder and the network around any encoder."""

from __future__ import annotations

import pytest
import torch
from tiny import make_architecture, make_development
from torch import nn
from torch.nn import functional as F

from cotrain.engine.models.dropout import Dropout
from cotrain.engine.models.mlp import MLP
from cotrain.engine.models.multitask import Architecture


def test_mlp_by_hand() -> None:
    net = MLP(2, widths=(3, 2)).eval()
    x = torch.randn(4, 2)
    first, second = net.linears
    expected = F.relu(second(F.relu(first(x))))  # type: ignore[operator]
    torch.testing.assert_close(net(x), expected)


def test_mlp_rates_belong_to_their_layers() -> None:
    net = MLP(4, widths=(3, 2, 2), dropout=0.5, input_dropout=0.25)
    rates = [(drop.rate, drop.layer) for drop in net.drops if isinstance(drop, Dropout)]
    assert rates == [(0.25, 0), (0.5, 1), (0.5, 2), (0.5, 3)]


def test_mlp_starts_with_he_weights_and_no_bias() -> None:
    torch.manual_seed(0)
    net = MLP(300, widths=(400,))
    weight = net.linears[0].weight
    assert isinstance(weight, torch.Tensor)
    assert float(weight.detach().std()) == pytest.approx((2 / 300) ** 0.5, rel=0.02)
    assert (net.linears[0].bias == 0).all()  # type: ignore[operator]


def test_every_task_starts_at_its_bias() -> None:
    development = make_development("brm")
    architecture = make_architecture(development)
    outputs = architecture.build(seed=3)(development.train.inputs)
    assert torch.equal(outputs, architecture.bias.expand(96, -1))


def test_a_seed_decides_the_network_and_nothing_outside_changes() -> None:
    architecture = make_architecture(make_development("b"))
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    first = architecture.build(seed=5)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(2)
    again, other = architecture.build(seed=5), architecture.build(seed=6)
    pairs = zip(first.parameters(), again.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not torch.equal(next(first.parameters()), next(other.parameters()))


def test_the_number_of_features_is_found_without_touching_batch_norm() -> None:
    def encoder() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(1, 4, 3),
            nn.BatchNorm2d(4),
            nn.Dropout(0.5),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )

    architecture = Architecture(
        encoder=encoder, sample=torch.randn(1, 1, 8, 8), bias=torch.tensor([0.5, -1.0])
    )
    net = architecture.build(seed=0)
    assert net.head.in_features == 4
    assert net.training
    assert all(module.training for module in net.modules())
    buffers = dict(net.named_buffers())
    assert buffers["encoder.1.num_batches_tracked"] == 0
    assert (buffers["encoder.1.running_mean"] == 0).all()
    assert isinstance(net.encoder[2], Dropout)  # type: ignore[index]
