"""Who is trained: a weight vector over the tasks, or a schedule of them, from one seed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cotrain.engine.loss_weighting import FIXED, LossWeighting
from cotrain.engine.optimizers import ADAMW, Optimizer


@dataclass(frozen=True, kw_only=True)
class WeightSetting:
    """Task weights, and what goes with them, for a stretch of training.

    Args:
        weights: ``[T]``.
        learning_rate: Peak learning rate.
        weight_decay: Multiplies the recipe's.
    """

    weights: tuple[float, ...]
    learning_rate: float
    weight_decay: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Change(WeightSetting):
    """What a member trains with from an epoch on.

    Args:
        epoch: Epochs completed before.
        weights: ``[T]``.
        learning_rate: Peak learning rate.
        weight_decay: Multiplies the recipe's.
    """

    epoch: int


@dataclass(frozen=True, kw_only=True)
class Member:
    """One weight vector over the tasks, or a schedule of them, trained from one seed.

    Args:
        name: What the member stands for, for instance ``joint`` or ``single/3``; shown in the ledger.
        weights: ``[T]`` loss weights, non-negative and not all zero.
        seed: Seeds the initial parameters and the dropout masks.
        learning_rate: Peak learning rate.
        dropout: Multiplies the network's dropout rates; 1 leaves them as they are.
        weight_decay: Multiplies the recipe's weight decay.
        epochs: Multiplies the recipe's epochs, in a run; the schedule of learning rates shrinks with them.
        weighting: Makes the weights of every step from these and the losses.
        optimizer: Makes the updates.
        start: Which of the architecture's starts its encoder begins from; a fresh one if empty.
        changes: Later weights, by growing epochs.
    """

    name: str
    weights: tuple[float, ...]
    seed: int = 0
    learning_rate: float = 1e-3
    dropout: float = 1.0
    weight_decay: float = 1.0
    epochs: float = 1.0
    weighting: LossWeighting = FIXED
    optimizer: Optimizer = ADAMW
    start: str = ""
    changes: tuple[Change, ...] = ()

    def __post_init__(self) -> None:
        """Refuse weights that train nothing or train away from a task."""
        for weights in (self.weights, *(change.weights for change in self.changes)):
            if not all(0 <= w < float("inf") for w in weights) or not any(weights):
                raise ValueError(
                    f"member {self.name!r}: weights must be finite, >= 0 and not all 0, got {weights}"
                )

    @property
    def kind(self) -> Kind:
        """What it is trained for, and from: the same for all seeds and settings that are tried."""
        return (
            self.weights,
            self.weighting,
            self.changes,
            self.start,
            self.optimizer,
            self.weight_decay,
        )

    def at(self, epoch: int) -> Member:
        """The member as it trains after so many completed epochs.

        >>> later = Change(epoch=3, weights=(0.0, 1.0), learning_rate=1e-3)
        >>> member = Member(name="m", weights=(1.0, 0.0), changes=(later,))
        >>> member.at(2).weights, member.at(3).weights
        ((1.0, 0.0), (0.0, 1.0))
        """
        past = [change for change in self.changes if change.epoch <= epoch]
        if not past:
            return self
        now = past[-1]
        return replace(
            self,
            weights=now.weights,
            learning_rate=now.learning_rate,
            weight_decay=now.weight_decay,
        )


Kind = tuple[tuple[float, ...], LossWeighting, tuple[Change, ...], str, Optimizer, float]
"""What a member is trained for, from and how, as of :attr:`Member.kind`."""


def one_hot(task: int, tasks: int) -> tuple[float, ...]:
    """Weights of single-task learning.

    >>> one_hot(1, 3)
    (0.0, 1.0, 0.0)
    """
    return indicator({task}, tasks)


def indicator(group: set[int] | frozenset[int] | tuple[int, ...], tasks: int) -> tuple[float, ...]:
    """Weights of a task group: one for members of the group, zero for the others.

    >>> indicator({0, 2}, 3)
    (1.0, 0.0, 1.0)
    """
    return tuple(float(t in group) for t in range(tasks))
