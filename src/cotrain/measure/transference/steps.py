"""How a lookahead moves: a plain gradient step, or the step of the run's own optimizer."""

from dataclasses import dataclass
from typing import Protocol

from cotrain.engine.directions import Directions
from cotrain.errors import InputError
from cotrain.measure.points.point import Point


class Step(Protocol):
    """Turns gradients into moves. Its text goes into every result."""

    def __call__(self, point: Point, gradients: Directions) -> Directions:
        """C moves from C gradients."""
        ...

    def __str__(self) -> str:
        """What kind of step it is, for instance ``plain SGD step of 0.1``."""
        ...


@dataclass(frozen=True, kw_only=True)
class PlainStep:
    """A plain gradient step −η·g, whatever optimizer trains the model: the published lookahead.

    Args:
        size: η.
    """

    size: float = 0.1

    def __post_init__(self) -> None:
        """Refuse steps that lead nowhere."""
        if not 0 <= self.size < float("inf"):
            raise InputError(f"a step's size must be at least 0 and finite, got {self.size}")

    def __call__(self, point: Point, gradients: Directions) -> Directions:
        """−η times each gradient."""
        return gradients.scaled(-self.size)

    def __str__(self) -> str:
        """The kind of step, with its length."""
        return f"plain SGD step of {self.size:g}"


@dataclass(frozen=True, kw_only=True)
class OwnStep:
    """The step that the run's optimizer would make next, had it seen this gradient alone.

    Momentum and weight decay move the parameters too, for every source alike.
    """

    def __call__(self, point: Point, gradients: Directions) -> Directions:
        """The moves that the optimizer would make, as the point finds them."""
        return point.own_step(gradients)

    def __str__(self) -> str:
        """The kind of step: the optimizer's own."""
        return "the optimizer's own step"
