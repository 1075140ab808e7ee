"""The step an optimizer would make from one gradient alone, made by a copy of it."""

from __future__ import annotations

import copy

from torch import nn
from torch.optim import Optimizer

from cotrain.engine.directions import Dense, join
from cotrain.errors import InputError


def lone_steps(optimizer: Optimizer, shared: dict[str, nn.Parameter], gradients: Dense) -> Dense:
    """C moves of the shared parameters, each from one gradient alone; momentum and decay included.

    Args:
        optimizer: Left as it is.
        shared: Name → parameter.
        gradients: C gradients, named likewise.

    Raises:
        InputError: If the optimizer does not train one of the parameters.
    """
    return join([_lone_step(optimizer, shared, gradients, row) for row in range(gradients.count)])


def _lone_step(
    optimizer: Optimizer, shared: dict[str, nn.Parameter], gradients: Dense, row: int
) -> Dense:
    twin = copy.deepcopy(optimizer)
    ours = [p for group in optimizer.param_groups for p in group["params"]]
    theirs = [p for group in twin.param_groups for p in group["params"]]
    place = {id(mine): copied for mine, copied in zip(ours, theirs, strict=True)}
    for name, parameter in shared.items():
        if id(parameter) not in place:
            raise InputError(
                f"the optimizer does not train shared parameter {name!r}: give ModelPoint the "
                "optimizer that does, or freeze the parameter"
            )
    for copied in theirs:
        copied.grad = None
    for name, parameter in shared.items():
        place[id(parameter)].grad = gradients.tensors[name][row].clone()
    type(twin).step(twin)  # the class's own: schedulers wrap the instance's around the original
    return Dense(
        tensors={
            name: (place[id(parameter)] - parameter).detach().unsqueeze(0)
            for name, parameter in shared.items()
        }
    )
