"""Tox21's assays as targets, and ToxCast's as sources that know nothing of their held-out molecules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.common.arrays import Array
from benchmarks.common.folders import DATA
from cotrain import from_arrays
from cotrain.data import RandomSplit, Splits

LEAST = 20  # labels of either class that a source needs


@dataclass(frozen=True)
class Given:
    """A split that is known."""

    assignment: NDArray[np.int8]
    reserved: tuple[str, ...] = ()

    def assign(self, frame: pl.DataFrame, strata: Any, seed: int) -> NDArray[np.int8]:
        return self.assignment


def table(name: str, csv: str) -> tuple[Array, Array, list[str], list[str]]:
    """Fingerprints, labels (NaN where missing), task names, scaffolds."""
    file = np.load(DATA / name / "ecfp4_1024.npz")
    bits = np.unpackbits(file["fp_packed"], axis=1)[:, :1024].astype(np.float32)
    labels = np.where(file["y"] < 0, np.nan, file["y"]).astype(np.float32)
    smiles = pl.read_csv(DATA / name / csv, columns=["smiles"])["smiles"].to_list()
    return (
        bits,
        labels,
        [str(task) for task in file["tasks"]],
        [scaffold(smiles[row]) for row in file["row"]],
    )


def scaffold(smiles: str) -> str:
    """Bemis and Murcko's; a molecule without rings is its own."""
    from rdkit import Chem
    from rdkit.Chem.Scaffolds.MurckoScaffold import MurckoScaffoldSmiles

    molecule = Chem.MolFromSmiles(smiles)
    return MurckoScaffoldSmiles(mol=molecule) or Chem.MolToSmiles(molecule)


def by_scaffold(scaffolds: Sequence[str]) -> NDArray[np.int8]:
    """80/10/10 with every scaffold on one side; those of over 1 % of the molecules are for training."""
    names, place, sizes = np.unique(scaffolds, return_inverse=True, return_counts=True)
    order = np.random.default_rng(0).permutation(len(names))
    frequent = sizes[order] > 0.01 * len(scaffolds)
    order = np.concatenate([order[frequent], order[~frequent]])
    ends = np.cumsum(sizes[order]) / len(scaffolds)
    of = np.empty(len(names), dtype=np.int8)
    of[order] = np.digitize(ends, [0.8, 0.9])
    return of[place]


def data() -> tuple[Splits, Splits]:
    """The targets, and the sources that know nothing of their validation and test molecules."""
    x, y, names, scaffolds = table("mol_tox21", "tox21.csv.gz")
    labelled = ~np.isnan(y).all(axis=1)
    assignment = by_scaffold([s for s, known in zip(scaffolds, labelled, strict=True) if known])
    targets = from_arrays(x[labelled], y[labelled], names=names, split=Given(assignment))
    held = np.array(scaffolds)[labelled][assignment > 0]

    x, y, names, scaffolds = table("mol_toxcast617", "toxcast_data.csv.gz")
    rows = ~np.isin(scaffolds, held)
    x, y = x[rows], y[rows]
    enough = ((y == 0).sum(axis=0) >= LEAST) & ((y == 1).sum(axis=0) >= LEAST)
    own = [t for t, name in enumerate(names) if enough[t] and not name.startswith("TOX21")]
    sources = cut(x, y, names, own)
    judged = sources.development.valid.mask.any(dim=0).tolist()
    kept = [t for t, known in zip(own, judged, strict=True) if known]
    sources = sources if len(kept) == len(own) else cut(x, y, names, kept)
    return targets, sources


def cut(x: Array, y: Array, names: Sequence[str], tasks: Sequence[int]) -> Splits:
    """Sources of some of the columns, without test rows."""
    own = [names[t] for t in tasks]
    kinds = {"*": "binary"}
    return from_arrays(x, y[:, tasks], names=own, kinds=kinds, split=RandomSplit(), test=False)
