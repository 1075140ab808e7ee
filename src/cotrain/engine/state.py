"""What training changes: stacked parameters, buffers, the optimizer's moments, what weightings remember.

Every tensor has the members as its first axis. The state is passed and returned; nothing else in the
engine remembers anything between steps, and random numbers are hashes of (seed, step), so a saved state
is a complete checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from cotrain.engine.models.dropout import step_keys
from cotrain.engine.models.multitask import HEAD

Tensors = dict[str, Tensor]
PARTS = ("params", "buffers", "momentum", "variance", "memory")


@dataclass(kw_only=True)
class State:
    """Stacked tensors of P members after ``step`` optimizer steps.

    Args:
        params: Trainable parameters, name → ``[P, ...]``.
        buffers: Module buffers (BatchNorm statistics, dropout keys), name → ``[P, ...]``.
        momentum: First moments, as the optimizer keeps them: name → ``[P, ...]``, or nothing.
        variance: Second moments, likewise.
        memory: What the loss weighting remembers, name → ``[P, ...]``.
        step: Optimizer steps taken; the members of a cohort keep step.
        keys: ``[P]`` int64, this step's source of randomness for each member.
    """

    params: Tensors
    buffers: Tensors
    momentum: Tensors
    variance: Tensors
    memory: Tensors = field(default_factory=dict)
    step: int = 0
    keys: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))

    @property
    def size(self) -> int:
        """Number of members P."""
        return len(next(iter(self.params.values())))

    def map(self, change: Callable[[Tensor], Tensor]) -> State:
        """The state with every tensor changed."""
        return State(
            params={k: change(v) for k, v in self.params.items()},
            buffers={k: change(v) for k, v in self.buffers.items()},
            momentum={k: change(v) for k, v in self.momentum.items()},
            variance={k: change(v) for k, v in self.variance.items()},
            memory={k: change(v) for k, v in self.memory.items()},
            step=self.step,
            keys=self.keys,
        )

    def select(self, rows: Sequence[int]) -> State:
        """A copy that holds only the given members; the others' memory becomes free."""
        at = torch.tensor(rows, dtype=torch.long)
        chosen = self.map(lambda tensor: tensor[at.to(tensor.device)])
        chosen.keys = self.keys[at.to(self.keys.device)] if len(self.keys) else self.keys
        return chosen

    def only(self, rows: Sequence[int]) -> State:
        """The given members as they predict: parameters and buffers."""
        at = torch.tensor(rows, dtype=torch.long)
        return State(
            params={k: v[at] for k, v in self.params.items()},
            buffers={k: v[at] for k, v in self.buffers.items()},
            momentum={},
            variance={},
        )

    def set_keys(self, seeds: Tensor) -> None:
        """Derive this step's keys from the members' ``[P]`` seeds and give them to the dropout layers."""
        self.keys = step_keys(seeds, self.step)
        for name, buffer in self.buffers.items():
            if name.endswith("dropout_key"):
                buffer.copy_(self.keys)

    def model(self, row: int) -> Tensors:
        """A copy of one member's parameters and buffers: what a prediction needs."""
        kept = {**self.params, **self.buffers}
        return {k: v[row].clone() for k, v in kept.items() if not is_dropout(k)}

    def to_flat(self) -> Tensors:
        """All tensors under ``part/name`` keys, ready for a safetensors file."""
        return {f"{part}/{k}": v for part in PARTS for k, v in getattr(self, part).items()}

    @classmethod
    def from_flat(cls, flat: Mapping[str, Tensor], step: int) -> State:
        """The inverse of :meth:`to_flat`."""
        parts: dict[str, Tensors] = {part: {} for part in PARTS}
        for key, tensor in flat.items():
            part, name = key.split("/", 1)
            parts[part][name] = tensor
        return cls(
            params=parts["params"],
            buffers=parts["buffers"],
            momentum=parts["momentum"],
            variance=parts["variance"],
            memory=parts["memory"],
            step=step,
        )


def is_shared(name: str) -> bool:
    """Whether a parameter stands before the heads, so that all tasks share it."""
    return not name.startswith(HEAD)


def is_dropout(name: str) -> bool:
    """Whether a buffer belongs to a dropout layer, which predictions do not need."""
    return name.endswith(("dropout_key", "dropout_rate"))


def stack_models(models: Sequence[Mapping[str, Tensor]]) -> State:
    """A state that can only predict, from saved models (see :meth:`State.model`)."""
    return State(params=stack_tensors(models), buffers={}, momentum={}, variance={})


def stack_tensors(rows: Sequence[Mapping[str, Tensor]]) -> Tensors:
    """One ``[P, ...]`` tensor for each name, from P sets of tensors with the same names."""
    return {name: torch.stack([row[name].detach() for row in rows]) for name in rows[0]}
