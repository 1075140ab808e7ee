"""What a member takes in memory while it trains."""

from __future__ import annotations

from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from cotrain.engine.member import Member
from cotrain.engine.models.multitask import Architecture
from cotrain.engine.recipe import Recipe


def gradients_kept(member: Member) -> int:
    """How many gradients, and moments, the member's optimizer keeps of every parameter."""
    return len(member.weights) if member.optimizer.by_task else 1


def member_bytes(architecture: Architecture, recipe: Recipe, gradients: int = 1) -> int:
    """Bytes that one more member of a cohort takes.

    Counted are parameters, gradients, two moments and a copy for the products, and twice what autograd
    would keep of a batch.

    Args:
        architecture: Of a member.
        recipe: Says how large a batch is.
        gradients: See :func:`gradients_kept`.
    """
    net = architecture.build(seed=0)
    parameters = sum(p.numel() * p.element_size() for p in net.parameters())
    one, two = (_kept_bytes(net, architecture.sample.repeat_interleave(n, 0)) for n in (2, 4))
    activations = recipe.batch_size * (two - one) // 2
    return 5 * gradients * parameters + 2 * activations


def _kept_bytes(net: nn.Module, inputs: Tensor) -> int:
    kept = 0

    def count(tensor: Tensor) -> Tensor:
        nonlocal kept
        kept += tensor.numel() * tensor.element_size()
        return tensor

    with saved_tensors_hooks(count, lambda tensor: tensor):
        net(inputs)
    return kept
