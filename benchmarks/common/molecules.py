"""Tox21 and ToxCast as fingerprints, and splits that keep molecules of one scaffold together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.common.arrays import Inputs, Numbers
from benchmarks.common.folders import DATA
from cotrain.data.splits.split import Split

TOX21, TOXCAST = "mol_tox21", "mol_toxcast617"
TABLES = {TOX21: "tox21.csv.gz", TOXCAST: "toxcast_data.csv.gz"}


@dataclass(frozen=True, kw_only=True)
class Molecules:
    """The molecules of a table that parse, N of them, and T assays.

    Args:
        bits: ``[N, 1024]`` of their ECFP4 fingerprints.
        labels: ``[N, T]`` active or not, NaN where missing.
        names: Of the assays.
        rows: ``[N]`` their places in the table.
    """

    bits: Inputs
    labels: Inputs
    names: tuple[str, ...]
    rows: Numbers


def fingerprints(folder: str) -> Molecules:
    """The published fingerprints of one of :data:`TABLES`, in file order."""
    file = np.load(DATA / folder / "ecfp4_1024.npz")
    return Molecules(
        bits=np.unpackbits(file["fp_packed"], axis=1)[:, :1024].astype(np.float32),
        labels=np.where(file["y"] < 0, np.nan, file["y"]).astype(np.float32),
        names=tuple(str(name) for name in file["tasks"]),
        rows=file["row"].astype(np.int64),
    )


def canonical_smiles(folder: str, rows: Numbers) -> list[str]:
    """RDKit's SMILES of some rows of one of :data:`TABLES` (needs the extra chem)."""
    from rdkit import Chem

    column = pl.read_csv(DATA / folder / TABLES[folder], columns=["smiles"])["smiles"].to_list()
    return [Chem.MolToSmiles(Chem.MolFromSmiles(column[row])) for row in rows]


def scaffold(canonical: str) -> str:
    """Bemis and Murcko's scaffold; a molecule without rings is its own."""
    from rdkit import Chem
    from rdkit.Chem.Scaffolds import MurckoScaffold

    of: Callable[..., str] = MurckoScaffold.MurckoScaffoldSmiles  # untyped in RDKit
    return of(mol=Chem.MolFromSmiles(canonical)) or canonical


def by_cluster(
    clusters: Sequence[str] | NDArray[np.intp], ends: tuple[float, float]
) -> NDArray[np.int8]:
    """A split with every cluster on one side: ``[N]``, 0 train, 1 validation, 2 test.

    Args:
        clusters: ``[N]`` the cluster of each row; those of over 1 % of the rows are for training.
        ends: Where the training and the validation rows end, as shares of the rows.
    """
    _, place, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    order = np.random.default_rng(0).permutation(len(sizes))
    frequent = sizes[order] > 0.01 * len(place)
    order = np.concatenate([order[frequent], order[~frequent]])
    split = np.empty(len(sizes), dtype=np.int8)
    split[order] = np.digitize(np.cumsum(sizes[order]) / len(place), ends)
    return np.asarray(split[place], dtype=np.int8)


@final
@dataclass(frozen=True, kw_only=True)
class Given(Split):
    """A split that is known.

    Args:
        assignment: ``[N]`` 0 train, 1 validation, 2 test.
    """

    assignment: NDArray[np.int8]

    def assign(self, frame: pl.DataFrame, strata: NDArray[np.bool_], seed: int) -> NDArray[np.int8]:
        return self.assignment
