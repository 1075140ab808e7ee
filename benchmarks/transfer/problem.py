"""Tox21's assays as targets, and ToxCast's as sources that know nothing of their held-out molecules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.common.arrays import Flags
from benchmarks.common.molecules import (
    TOX21,
    TOXCAST,
    Given,
    Molecules,
    by_cluster,
    canonical_smiles,
    fingerprints,
    scaffold,
)
from cotrain import from_arrays
from cotrain.data import RandomSplit, Splits

LEAST = 20  # labels of either class that a source needs


@dataclass(frozen=True, kw_only=True)
class Table:
    """Molecules with the scaffold of each.

    Args:
        molecules: Fingerprints and labels.
        scaffolds: ``[N]``.
    """

    molecules: Molecules
    scaffolds: tuple[str, ...]

    def cut(self, rows: Flags, tasks: Sequence[int]) -> Splits:
        """Sources of some rows and columns, without test rows."""
        own = self.molecules
        return from_arrays(
            own.bits[rows],
            own.labels[rows][:, list(tasks)],
            names=[own.names[t] for t in tasks],
            kinds={"*": "binary"},
            split=RandomSplit(),
            test=False,
        )


def table(folder: str) -> Table:
    """Tox21 or ToxCast."""
    molecules = fingerprints(folder)
    smiles = canonical_smiles(folder, molecules.rows)
    return Table(molecules=molecules, scaffolds=tuple(map(scaffold, smiles)))


def data(most: int | None = None) -> tuple[Splits, Splits]:
    """The targets, and the sources that know nothing of their validation and test molecules.

    Args:
        most: At most so many sources.
    """
    tox21 = table(TOX21)
    x, y = tox21.molecules.bits, tox21.molecules.labels
    labelled = np.asarray(np.isfinite(y).any(axis=1), dtype=bool)
    scaffolds = np.array(tox21.scaffolds)[labelled]
    assignment = by_cluster(scaffolds.tolist(), (0.8, 0.9))
    split = Given(assignment=assignment)
    names = tox21.molecules.names
    targets = from_arrays(x[labelled], y[labelled], names=names, split=split)

    toxcast = table(TOXCAST)
    held = set(scaffolds[assignment > 0].tolist())
    rows = np.array([own not in held for own in toxcast.scaffolds])
    y = toxcast.molecules.labels[rows]
    enough = ((y == 0).sum(axis=0) >= LEAST) & ((y == 1).sum(axis=0) >= LEAST)
    names = toxcast.molecules.names
    own = [t for t, name in enumerate(names) if enough[t] and not name.startswith("TOX21")][:most]
    sources = toxcast.cut(rows, own)
    judged = sources.development.valid.mask.any(dim=0).tolist()
    kept = [t for t, known in zip(own, judged, strict=True) if known]
    return targets, sources if len(kept) == len(own) else toxcast.cut(rows, kept)
