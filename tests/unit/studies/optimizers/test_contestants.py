"""What the optimizer study refuses to train."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from cotrain.engine.loss_weighting import FIXED
from cotrain.engine.optimizers import SGD
from cotrain.errors import InputError
from cotrain.studies.optimizers.contestants import Contestant, Method, OptimizerGrid

METHODS = (Method(name="uniform", weighting=FIXED),)


def contestant(*rates: float) -> tuple[Contestant, ...]:
    return (Contestant(name="SGD", optimizer=SGD(), learning_rates=rates),)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"widths": (8, 0)}, "widths must be above 0, got 0"),
        ({"widths": (-3,)}, "widths must be above 0, got -3"),
        ({"widths": ()}, "widths must be above 0, got none"),
        ({"dropout": -0.1}, "dropout must be at least 0 and at most 1, got -0.1"),
        ({"dropout": 1.5}, "dropout must be at least 0 and at most 1, got 1.5"),
        ({"dropout": math.nan}, "dropout must be at least 0 and at most 1, got nan"),
        ({"seeds": 1}, "seeds must be at least 2, got 1"),
        ({"contestants": contestant(0.0, 0.1)}, "learning rates of SGD must be above 0, got 0"),
        ({"contestants": contestant(0.1, math.inf)}, "must be above 0, got inf"),
        ({"contestants": contestant(0.1, math.nan)}, "must be above 0, got nan"),
        ({"contestants": contestant(0.1, 0.1)}, "learning rates of SGD must grow, got 0.1, 0.1"),
        ({"contestants": contestant(0.1, 0.01)}, "learning rates of SGD must grow, got 0.1, 0.01"),
    ],
)
def test_a_grid_that_cannot_be_trained(wrong: dict[str, Any], says: str) -> None:
    grid = OptimizerGrid(contestants=contestant(0.01, 0.1), methods=METHODS)
    with pytest.raises(InputError, match=says):
        replace(grid, **wrong)
