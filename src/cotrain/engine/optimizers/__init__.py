"""Optimizers: from the gradients of a step to new parameters, for all members at once.

An optimizer is a frozen value. What it remembers stands in the state, so it is copied, selected and saved
with the members.

>>> from cotrain.engine.member import Member
>>> Member(name="slow", weights=(1.0, 1.0), optimizer=SGD(), learning_rate=0.1).optimizer
SGD(momentum=0.9)
"""

from cotrain.engine.optimizers.adam import (
    ADAMW,
    BETA_1,
    BETA_2,
    EPSILON,
    Adam,
    AdamW,
    TaskAdam,
)
from cotrain.engine.optimizers.optimizer import Optimizer, learning_rate_share
from cotrain.engine.optimizers.sgd import SGD, SignSGD

__all__ = [
    "ADAMW",
    "BETA_1",
    "BETA_2",
    "EPSILON",
    "SGD",
    "Adam",
    "AdamW",
    "Optimizer",
    "SignSGD",
    "TaskAdam",
    "learning_rate_share",
]
