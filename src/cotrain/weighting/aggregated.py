"""The shared part's direction from the tasks' gradients, by any of TorchJD's aggregators.

Nearly every aggregator is a weight vector over the tasks, made from the inner products of their gradients
by the shared parameters. It weighs the shared part; each head keeps its own task's gradient, as in the
papers and in TorchJD's ``mtl_backward``. Needs the extra: ``pip install 'cotrain[torchjd]'``.
Letters: P members, T tasks, K tasks that count, D shared parameters.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from cotrain.engine.models.dropout import mix
from cotrain.engine.state import Tensors
from cotrain.engine.task_gradients import StepGradients, TaskGradients
from cotrain.errors import InputError
from cotrain.weighting.directed import Directed

if TYPE_CHECKING:
    from torchjd.aggregation import Aggregator

# Attributes of TorchJD's aggregators with a value for each task.
PER_TASK = ("pref_vector", "weights", "leak")
DRAW = 2  # keeps an aggregator's random numbers apart from others made from the same key

Verb = Callable[["Aggregator"], Callable[[Tensor], Any]]


def torchjd_aggregation() -> ModuleType:
    """TorchJD's aggregators.

    >>> torchjd_aggregation().UPGrad.__name__
    'UPGrad'

    Raises:
        InputError: If the extra is not installed.
    """
    try:
        from torchjd import aggregation
    except ImportError as error:
        raise InputError(
            "aggregators of gradients come from TorchJD: pip install 'cotrain[torchjd]'"
        ) from error
    return aggregation


@dataclass(frozen=True, kw_only=True)
class Aggregated(Directed):
    """TorchJD's aggregator on the gradients of the weighted losses, one call a member and step.

    Three things are ours, because a population trains groups of tasks on partial labels: a task that is
    not the member's, or has no label in the batch, has no row in what the aggregator sees (preferences
    and other values that it keeps for each task are narrowed with it); random numbers come from the
    member's key of the step, so a member draws the same in any company; and where a gradient is not
    finite the aggregator is not asked: the plain sum is taken and the member found diverged.

    Aggregators that remember something from call to call (NashMTL, GradVac, PCD, ExcessMTL and others)
    are refused: a population that is copied, saved and resumed cannot carry their memory.

    Args:
        aggregator: For instance ``torchjd.aggregation.UPGrad()``.
        weighting: Weighs the losses first; only its weights are used.

    Raises:
        InputError: If TorchJD is missing, the aggregator is none of its, or it remembers.

    >>> from torchjd.aggregation import MGDA
    >>> Aggregated(aggregator=MGDA()).weighting
    Fixed()
    """

    aggregator: Aggregator

    def __post_init__(self) -> None:
        """Refuse an aggregator that is none of TorchJD's, or that remembers."""
        super().__post_init__()
        aggregation = torchjd_aggregation()
        from torchjd import Stateful

        if not isinstance(self.aggregator, aggregation.Aggregator):
            raise InputError(
                "aggregator must be an instance of a class of torchjd.aggregation, such as UPGrad(), got "
                f"{self.aggregator!r}"
            )
        if any(isinstance(module, Stateful) for module in self.aggregator.modules()):
            raise InputError(
                f"{self.aggregator!r} remembers past steps, which a population cannot save and copy with "
                "its members: take an aggregator without memory, such as UPGrad()"
            )

    def gradients(self, step_gradients: StepGradients) -> Tensors:
        """The heads by their own weights, the shared part as the aggregator says."""
        own = self.weigh(step_gradients.step)
        directions = [
            self._direction(step_gradients, tasks, weights)
            for tasks, weights in zip(step_gradients.of_tasks(), own, strict=True)
        ]
        return step_gradients.steered(step_gradients.of_heads(own), directions)

    def _direction(
        self, step_gradients: StepGradients, tasks: TaskGradients, own: Tensor
    ) -> Tensor:
        """Of one member, from its ``[T]`` weights of the losses."""
        from torchjd.aggregation import WeightedAggregator

        if isinstance(self.aggregator, WeightedAggregator):
            return step_gradients.toward(tasks, self.shared_weights(tasks, own))
        keep = counting(tasks, own)
        rows = own[keep].unsqueeze(1) * tasks.matrix[keep]
        return self._answer(tasks, keep, rows, lambda aggregator: aggregator, rows.sum(dim=0))

    def shared_weights(self, tasks: TaskGradients, own: Tensor) -> Tensor:
        """``[T]`` weights of the tasks' own gradients in the shared part's direction.

        Args:
            tasks: The gradients of one member.
            own: ``[T]`` weights of its losses.

        Raises:
            InputError: If the aggregator's direction is no weighted sum of the tasks' gradients, or it
                cannot combine so few.
        """
        from torchjd.aggregation import GramianWeightedAggregator, WeightedAggregator

        if not isinstance(self.aggregator, WeightedAggregator):
            raise InputError(
                f"{self.aggregator!r} gives no weights over the tasks, only a direction: take an "
                "aggregator that weighs them, such as UPGrad()"
            )
        keep = counting(tasks, own)
        kept = own[keep].unsqueeze(1)
        if isinstance(self.aggregator, GramianWeightedAggregator):
            shown = kept * tasks.gram[keep][:, keep] * kept.T
            verb: Verb = attrgetter("gramian_weighting")
        else:
            shown, verb = kept * tasks.matrix[keep], attrgetter("weighting")
        answer = self._answer(tasks, keep, shown, verb, torch.ones(len(kept)))
        shared = torch.zeros_like(own)
        shared[keep] = answer * own[keep]
        return shared

    def _answer(
        self, tasks: TaskGradients, keep: Tensor, shown: Tensor, verb: Verb, plain: Tensor
    ) -> Tensor:
        """What the aggregator says to a member.

        Args:
            tasks: The member's gradients.
            keep: ``[T]`` bool, the K tasks that count.
            shown: What they show: ``[K, K]`` inner products or ``[K, D]`` rows.
            verb: From the aggregator to the part of it that is asked.
            plain: The answer where there is nothing to ask.
        """
        if not len(shown) or not bool(shown.isfinite().all()):
            return plain
        key = int(mix(tasks.step.state.keys[tasks.member] + DRAW))
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(key)
            try:
                found: Tensor = verb(narrowed(self.aggregator, keep))(shown)
            except ValueError as error:  # too few rows, or values a task that do not fit
                raise InputError(
                    f"{self.aggregator!r} cannot combine the gradients of {len(shown)} of {len(keep)} "
                    f"tasks (one without a label in the batch, or of weight 0, takes no part): {error}"
                ) from error
        return found


def counting(tasks: TaskGradients, own: Tensor) -> Tensor:
    """``[T]`` bool: tasks of the member with a label in the batch, whose loss has a weight."""
    return tasks.step.counted[tasks.member] & (own != 0)


def narrowed(aggregator: Aggregator, keep: Tensor) -> Aggregator:
    """The aggregator for some of the tasks: a copy, where it keeps a value for each task.

    >>> from torchjd.aggregation import AlignedMTL
    >>> preferring = AlignedMTL(pref_vector=torch.tensor([1.0, 2.0, 3.0]))
    >>> narrowed(preferring, torch.tensor([True, False, True])).pref_vector
    tensor([1., 3.])
    """
    if bool(keep.all()) or not _values(aggregator, len(keep)):
        return aggregator
    twin = copy.deepcopy(aggregator)
    for module, name in _values(twin, len(keep)):
        if len(getattr(module, name)) == len(keep):  # not yet narrowed through its owner
            setattr(module, name, getattr(module, name)[keep])
    return twin


def _values(aggregator: nn.Module, tasks: int) -> list[tuple[nn.Module, str]]:
    """Attributes that hold a value for each task, owners first."""
    return [
        (module, name)
        for module in aggregator.modules()
        for name in PER_TASK
        if isinstance(value := getattr(module, name, None), Tensor) and len(value) == tasks
    ]
