"""What is known of a method's plans on one table."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.common.files import read_json

NEAR_ZERO = 0.005  # of such an oracle no share is given


class Verdict(NamedTuple):
    """Mean test gain of a method's plans, the same over all together (judge by judge), and their errors.

    deciding, in_all, serving: mean numbers of trainings, and of networks in the plan.
    """

    gain: float
    error: float
    ahead: float
    ahead_error: float
    deciding: float
    in_all: float
    serving: float


Found = dict[str, dict[str, Verdict]]  # "TABLE, k = K" → method → verdict


def read(path: Path) -> Found:
    """The verdicts of a file of results."""
    return {
        key: {
            name: Verdict(**{k: np.nan if v is None else v for k, v in one.items()})
            for name, one in own.items()
        }
        for key, own in read_json(path).items()
    }
