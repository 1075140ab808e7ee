"""Methods that decide the shared part's direction, after another method has weighed the losses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from cotrain.engine.loss_weighting import FIXED, LossWeighting
from cotrain.engine.state import State, Tensors
from cotrain.engine.step import TrainingStep
from cotrain.engine.task_gradients import StepGradients
from cotrain.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Directed(ABC):
    """The heads follow the weighted losses; where the shared part goes is said by the subclass.

    Args:
        weighting: Weighs the losses first. Only its weights are used, and only it remembers.

    Raises:
        InputError: If the weighting is itself one that decides a direction.
    """

    weighting: LossWeighting = FIXED

    def __post_init__(self) -> None:
        """Refuse a weighting that decides a direction as well."""
        if isinstance(self.weighting, Directed):
            raise InputError(
                f"weighting must weigh losses, such as Uncertainty(); {type(self.weighting).__name__} "
                "decides a direction, and there can be only one"
            )

    def start(self, members: int, tasks: int) -> Tensors:
        """What the weighting remembers before the first step."""
        return self.weighting.start(members, tasks)

    def weigh(self, step: TrainingStep) -> Tensor:
        """``[P, T]`` weights of the losses, by the weighting."""
        return self.weighting.weigh(step)

    @abstractmethod
    def gradients(self, step_gradients: StepGradients) -> Tensors:
        """The heads' gradients by :meth:`weigh`, the shared part's by the method."""

    def learn(self, step: TrainingStep, losses_after: Callable[[], Tensor]) -> None:
        """Let the weighting learn from what the update did."""
        self.weighting.learn(step, losses_after)

    def end_epoch(self, state: State) -> None:
        """Let the weighting take in that an epoch has ended."""
        self.weighting.end_epoch(state)
