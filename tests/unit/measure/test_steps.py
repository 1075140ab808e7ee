"""Steps scale or ask the optimizer, and say so."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from cotrain.engine.directions import Dense
from cotrain.measure.transference.steps import OwnStep, PlainStep


class Point:
    """Answers with what it was asked."""

    def own_step(self, gradients: Dense) -> Dense:
        return gradients.scaled(7.0)


GRADIENTS = Dense(tensors={"w": torch.tensor([[1.0, -2.0], [0.5, 0.0]])})


@pytest.mark.parametrize("size", [0.1, 1.0, 0.0])
def test_a_plain_step_goes_down_the_gradient(size: float) -> None:
    point: Any = Point()
    moves = PlainStep(size=size)(point, GRADIENTS).dense().tensors["w"]
    assert torch.equal(moves, -size * GRADIENTS.tensors["w"])


def test_the_own_step_is_the_points() -> None:
    point: Any = Point()
    moves = OwnStep()(point, GRADIENTS).dense().tensors["w"]
    assert torch.equal(moves, 7 * GRADIENTS.tensors["w"])


def test_texts() -> None:
    assert str(PlainStep()) == "plain SGD step of 0.1"
    assert str(PlainStep(size=1e-5)) == "plain SGD step of 1e-05"
    assert str(OwnStep()) == "the optimizer's own step"
