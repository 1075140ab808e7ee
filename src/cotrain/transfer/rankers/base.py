"""What a ranker of sources gives: scores, and what measuring them took. Letters: S sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cotrain.arrays import Array
from cotrain.data.dataset import Development
from cotrain.folder import RunFolder


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """Scores of S sources.

    Args:
        score: ``[S]``; 0 where nothing could be measured.
        examples: Training examples that measuring was worth.
    """

    score: Array
    examples: float


class Ranker(Protocol):
    """Scores sources for a target."""

    def __call__(self, folder: RunFolder, joint: Development) -> Ranked:
        """Measure and score.

        Args:
            folder: Keeps what is trained.
            joint: Training and validation rows of the S sources and, last, the target.
        """
        ...
