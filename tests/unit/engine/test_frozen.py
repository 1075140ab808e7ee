"""Parameters that the user froze stay as they are, whoever computes."""

from __future__ import annotations

import pytest
import torch
from tiny import joint, make_architecture, make_development, train
from torch import nn


def half_frozen() -> nn.Module:
    encoder = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 4))
    encoder[0].requires_grad_(False)
    return encoder


@pytest.mark.parametrize("executor", ["sequential", "vmap"])
def test_frozen_layers_do_not_move_and_the_others_do(executor: str) -> None:
    development = make_development("br")
    architecture = make_architecture(development, encoder=half_frozen)
    progress = train(development, [joint(2)], executor=executor, architecture=architecture)
    fresh = architecture.build(seed=0)
    (model,) = [
        m for (_, r), m in progress.models.items() if r == max(k[1] for k in progress.models)
    ]
    assert torch.equal(model["encoder.0.weight"], fresh.encoder[0].weight)
    assert torch.equal(model["encoder.0.bias"], fresh.encoder[0].bias)
    assert (model["encoder.2.weight"] - fresh.encoder[2].weight).abs().max() > 1e-4
