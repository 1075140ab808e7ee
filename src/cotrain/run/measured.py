"""What the instruments of a run found, and where it lies in the run folder."""

from __future__ import annotations

from dataclasses import dataclass

from cotrain.errors import InputError
from cotrain.folder import RunFolder
from cotrain.measure.datamaps.datamap import DataMap
from cotrain.measure.gains.gains import Gains
from cotrain.measure.gradients.similarity import GradientSimilarity
from cotrain.measure.measurement import Measurement
from cotrain.measure.transference.affinity import Affinity
from cotrain.results import Cost

AFFINITY, GRADIENTS, DATAMAP, GAINS = (
    f"{name}.safetensors" for name in ("affinity", "gradients", "datamap", "gains")
)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What the instruments found; None for those not asked for.

    Args:
        affinity: Lookahead transference; None if no joint run was looked at.
        gradients: Gradient similarity.
        datamap: The data map.
        gains: Gains of trained task sets.
        joint_run: What the joint run took that the first three looked on; None likewise.
        sampling: What the task sets took.
    """

    affinity: Affinity | None
    gradients: GradientSimilarity | None
    datamap: DataMap | None
    gains: Gains | None
    joint_run: Cost | None
    sampling: Cost | None

    def all(self) -> tuple[Measurement, ...]:
        """What was measured, in the order of a report."""
        return (*(() if self.affinity is None else (self.affinity,)), *self.further())

    def further(self) -> tuple[Measurement, ...]:
        """What was measured beside the transference."""
        found = (self.gradients, self.datamap, self.gains)
        return tuple(measurement for measurement in found if measurement is not None)


def read_measured(folder: RunFolder) -> Measured:
    """What the instruments left in a run folder.

    Raises:
        InputError: If they left nothing.
    """
    if not (folder.has("joint_run.json") or folder.has("sampling.json")):
        raise InputError(
            f"{folder.root} holds no measurements: give the --out folder of cotrain run or measure"
        )
    return Measured(
        affinity=Affinity.load(folder.path(AFFINITY)) if folder.has(AFFINITY) else None,
        gradients=GradientSimilarity.load(folder.path(GRADIENTS))
        if folder.has(GRADIENTS)
        else None,
        datamap=DataMap.load(folder.path(DATAMAP)) if folder.has(DATAMAP) else None,
        gains=Gains.load(folder.path(GAINS)) if folder.has(GAINS) else None,
        joint_run=folder.read("joint_run.json", Cost) if folder.has("joint_run.json") else None,
        sampling=folder.read("sampling.json", Cost) if folder.has("sampling.json") else None,
    )
