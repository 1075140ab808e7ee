"""What a study has decided before it opens the test split: the rows of its trainings that it compares."""

from __future__ import annotations

from dataclasses import dataclass

from cotrain.data.dataset import FinishedDecision


@dataclass(frozen=True, kw_only=True)
class StudyDesign(FinishedDecision):
    """The trainings that a study compares, each tuned on validation; what they mean is fixed beforehand.

    Args:
        compared: Name of every training that is judged, its tuned setting included.
    """

    compared: tuple[str, ...]

    @property
    def decided(self) -> str:
        """How many trainings are compared."""
        return f"a comparison of {len(self.compared)} tuned trainings"
