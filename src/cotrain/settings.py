"""What a user may set for a run; the defaults are written here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cotrain.baselines.trees import HistTrees, TreeLearner

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of :func:`cotrain.plan`.

    Args:
        max_groups: At most so many groups.
        budget: Total compute of the networks as a multiple of one joint run; None grants what the full
            protocol needs: (tasks + 1 + groups) · (candidates + seeds − 1) + 3.
        seeds: Seeds of every contender, at least 2 (5 or more for intervals worth reading).
        seed: Seeds the order of the rows and the bootstrap.
        trees: The gradient-boosting baseline.
        low_precision: Let calibration choose bfloat16 products where they are faster and agree.
        widths: Hidden widths of the built-in encoder.
        probe_every: Steps between lookahead probes.
        probe_step: Step size of a lookahead probe.
    """

    max_groups: int = 3
    budget: float | None = None
    seeds: int = 5
    seed: int = 0
    trees: TreeLearner = field(default_factory=HistTrees)
    low_precision: bool = True
    widths: tuple[int, ...] = (256, 256)
    probe_every: int = 10
    probe_step: float = 0.1


Encoder = Callable[[], "nn.Module"]
