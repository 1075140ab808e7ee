"""The state of members before their first step: fresh networks, stacked."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cotrain.data.dataset import Development
from cotrain.engine.member import Member
from cotrain.engine.models.losses import starting_bias
from cotrain.engine.models.multitask import HEAD, Architecture
from cotrain.engine.state import State, stack_tensors


def initial_state(
    architecture: Architecture, members: Sequence[Member], development: Development | None = None
) -> State:
    """Members before their first step; those of equal seeds and starts have equal parameters.

    Frozen parameters count as buffers.

    Args:
        architecture: Builds the networks.
        members: P members with the same optimizer and weighting.
        development: Its folds' labels say where the heads begin; unless given, the architecture does.
    """
    origins = [(member.seed, member.start) for member in members]
    nets = {origin: architecture.build(*origin) for origin in dict.fromkeys(origins)}
    rows = [nets[origin] for origin in origins]
    params = stack_tensors(
        [{k: v for k, v in net.named_parameters() if v.requires_grad} for net in rows]
    )
    if development is not None and development.folds:
        biases = [_starting_bias(development, member.seed) for member in members]
        params[f"{HEAD}bias"].copy_(torch.stack(biases))
    frozen = [{k: v for k, v in net.named_parameters() if not v.requires_grad} for net in rows]
    buffers = stack_tensors(
        [{**dict(net.named_buffers()), **f} for net, f in zip(rows, frozen, strict=True)]
    )
    for name, buffer in buffers.items():
        if name.endswith("dropout_rate"):
            buffer.mul_(torch.tensor([member.dropout for member in members]))
    tasks = len(members[0].weights)
    momentum, variance = members[0].optimizer.start(params, tasks)
    return State(
        params=params,
        buffers=buffers,
        momentum=momentum,
        variance=variance,
        memory=members[0].weighting.start(len(members), tasks),
    )


def _starting_bias(development: Development, seed: int) -> Tensor:
    """``[R]`` the best constant outputs on what the model of a seed trains on, in its units."""
    data, units = development.rows, development.units_of(seed)
    assert units is not None
    rows = torch.from_numpy(development.fold(seed).train)
    targets = (data.targets[rows] - units.mean) / units.scale
    return starting_bias(data.tasks, targets, data.mask[rows])
