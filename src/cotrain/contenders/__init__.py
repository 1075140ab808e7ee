"""What could be shipped: one file a contender; :mod:`cotrain.contenders.base` says what all promise.

A run asks every contender for the networks it wants, trains all of them as populations, lets each predict
the same validation rows, and selects. One of your own joins with ``cotrain.plan(..., contenders=[...])``.
"""

from cotrain.contenders.base import (
    Contender,
    Context,
    Exam,
    ModelContender,
    NetworkContender,
    Terms,
    Tuned,
)
from cotrain.contenders.extra_trees import ExtraTrees
from cotrain.contenders.groups import Groups
from cotrain.contenders.joint import Joint
from cotrain.contenders.linear import Linear
from cotrain.contenders.pretrained import Pretrained
from cotrain.contenders.single import Single
from cotrain.contenders.trees import Trees
from cotrain.contenders.weighted import Weighted

__all__ = [
    "Contender",
    "Context",
    "Exam",
    "ExtraTrees",
    "Groups",
    "Joint",
    "Linear",
    "ModelContender",
    "NetworkContender",
    "Pretrained",
    "Single",
    "Terms",
    "Trees",
    "Tuned",
    "Weighted",
]
