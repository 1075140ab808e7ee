"""Real data with sources and unseen targets: review domains, picture superclasses, assay families."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import HashingVectorizer

from benchmarks.common.folders import DATA
from cotrain import from_arrays
from cotrain.data import Splits, StratifiedSplit, from_domains
from cotrain.studies import by_pattern

FAMILIES = ("APR", "ATG", "BSK", "TOX21")
OF_A_FAMILY = 6
Array = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Data with sources and targets.

    Args:
        splits: Of both.
        targets: Names of the targets.
        families: Name of a task → its group.
        rows: Training rows of a target.
    """

    splits: Splits
    targets: tuple[str, ...]
    families: dict[str, str]
    rows: int


@dataclass(frozen=True)
class Given:
    """A split that is known."""

    assignment: NDArray[np.int8]
    reserved: tuple[str, ...] = ()

    def assign(self, frame: pl.DataFrame, strata: Any, seed: int) -> NDArray[np.int8]:
        """The split of each row."""
        return self.assignment


def reviews(rows: int = 1000) -> Problem:
    """Is a review friendly? 1,000 hashed words, rows of one length; a text that comes twice counts once."""
    hashed = HashingVectorizer(n_features=1000, alternate_sign=False, norm="l2")
    rng = np.random.default_rng(0)
    found, seen = {}, set[bytes]()
    for file in sorted((DATA / "txt_fdu_mtl16").glob("*.task.train.gz")):
        lines = gzip.decompress(file.read_bytes()).decode(errors="replace").splitlines()
        pairs = [line.split("\t", 1) for line in lines if "\t" in line]
        at = rng.permutation(len(pairs))[:rows]
        words = hashed.transform([pairs[i][1] for i in at]).toarray().astype(np.float32)
        labels = np.array([int(pairs[i][0]) for i in at])
        fresh = [row.tobytes() not in seen and not seen.add(row.tobytes()) for row in words]
        found[file.name.split(".")[0]] = (words[fresh] * np.sqrt(np.float32(1000)), labels[fresh])
    groups = {
        "media": ("MR", "imdb", "books", "dvd", "music", "video", "magazines"),
        "devices": ("camera_photo", "electronics", "software"),
        "home": ("apparel", "baby", "health*", "kitchen*", "sports*", "toys*"),
    }
    targets = ("imdb", "music", "camera_photo", "baby", "sports_outdoors")
    return _domains(found, groups, targets, kind="binary", rows=64)


def pictures() -> Problem:
    """Which of five classes? CIFAR-100's superclasses, 1,000 pictures each, 128 components."""
    file = np.load(DATA / "img_cifar100" / "cifar100_150_50.npz")
    images = np.concatenate([file["x_train"], file["x_test"]]).reshape(20000, -1)
    _, first = np.unique(images, axis=0, return_index=True)  # some pictures come twice
    images = images[first] / np.float32(255)
    fine, coarse = (
        np.concatenate([file[f"y_{kind}_train"], file[f"y_{kind}_test"]])[first]
        for kind in ("fine", "coarse")
    )
    parts = PCA(128, random_state=0).fit_transform(images).astype(np.float32)
    parts /= parts.std(axis=0).mean()
    names = [str(name) for name in file["coarse_names"]]
    found = {name: (parts[coarse == c], fine[coarse == c]) for c, name in enumerate(names)}
    groups = {
        "animals": ("*mammals", "fish", "insects", "large_carn*", "large_omni*", "non-*", "rept*"),
        "nature": ("flowers", "fruit*", "trees", "large_natural*"),
        "things": ("food_c*", "household*", "large_man*", "vehicles*"),
    }
    targets = ("fish", "small_mammals", "flowers", "household_furniture", "vehicles_2")
    return _domains(found, groups, targets, kind="multiclass", rows=64)


def assays(
    tox21: tuple[str, ...] = ("NR-AhR", "SR-MMP", "SR-p53"),
    held_out: Mapping[str, int] = MappingProxyType({"ATG": 2, "BSK": 2}),
) -> Problem:
    """Is a molecule active? ToxCast's assays by family, Tox21's as further targets, split by scaffold.

    Args:
        tox21: Tox21's assays that are targets.
        held_out: Family → which of its assays is a target, counted from the most active molecules.

    One row a molecule of either table. The scaffold split is over all of them, so no test molecule of a
    target, nor one of its scaffold, is a training or validation molecule of a source. Fingerprints are
    folded to 512 bits. Tox21's assays count as of the family TOX21, which measured them.
    """
    tables = (("mol_toxcast617", "toxcast_data.csv.gz"), ("mol_tox21", "tox21.csv.gz"))
    read = [_molecules(*table) for table in tables]
    names = [name for _, _, own, _ in read for name in own]
    place = {
        smiles: n for n, smiles in enumerate(dict.fromkeys(s for *_, own in read for s in own))
    }
    bits = np.zeros((len(place), 512), dtype=np.float32)
    labels = np.full((len(place), len(names)), np.nan)
    first = 0
    for own_bits, own_labels, own_names, smiles in read:
        at = [place[one] for one in smiles]
        bits[at] = own_bits
        labels[at, first : first + len(own_names)] = own_labels
        first += len(own_names)
    twins = np.unique(bits, axis=0, return_inverse=True)[1].ravel()
    kept = _chosen(names, labels, tox21, held_out)
    rows = ~np.isnan(labels[:, kept]).all(axis=1)
    scaffolds = [_scaffold(one) for one in place]
    assignment = _by_cluster(scaffolds, twins, rows)
    own = [names[t] for t in kept]
    splits = from_arrays(
        bits[rows], labels[rows][:, kept], names=own, kinds={"*": "binary"}, split=Given(assignment)
    )
    by_family = {f: [name for name in own if name.startswith(f"{f}_")] for f in held_out}
    targets = (*tox21, *(by_family[f][place] for f, place in held_out.items()))
    families = {name: name.split("_")[0] for name in own if "_" in name}
    families |= dict.fromkeys(tox21, "TOX21")
    return Problem(splits=splits, targets=targets, families=families, rows=256)


PROBLEMS = {"reviews": reviews, "pictures": pictures, "assays": assays}


def _domains(
    found: Mapping[str, tuple[Array, Any]],
    groups: Mapping[str, tuple[str, ...]],
    targets: tuple[str, ...],
    *,
    kind: str,
    rows: int,
) -> Problem:
    return Problem(
        splits=from_domains(
            found,
            one_label_space=False,
            kinds=dict.fromkeys(found, kind),
            split=StratifiedSplit(train=0.6, valid=0.15),
        ),
        targets=targets,
        families=by_pattern(list(found), groups),
        rows=rows,
    )


def _molecules(folder: str, csv: str) -> tuple[Array, Any, list[str], list[str]]:
    """Folded fingerprints, labels (NaN where missing), task names, canonical SMILES."""
    from rdkit import Chem

    file = np.load(DATA / folder / "ecfp4_1024.npz")
    bits = np.unpackbits(file["fp_packed"], axis=1)[:, :1024].astype(np.float32)
    labels = np.where(file["y"] < 0, np.nan, file["y"].astype(float))
    smiles = pl.read_csv(DATA / folder / csv, columns=["smiles"])["smiles"].to_list()
    canonical = [Chem.MolToSmiles(Chem.MolFromSmiles(smiles[row])) for row in file["row"]]
    return (
        np.maximum(bits[:, :512], bits[:, 512:]),
        labels,
        list(map(str, file["tasks"])),
        canonical,
    )


def _chosen(
    names: list[str],
    labels: NDArray[np.float64],
    tox21: tuple[str, ...],
    held_out: Mapping[str, int],
) -> list[int]:
    """Of each family the assays with most active molecules, one more where one is a target; Tox21's."""
    active = (labels == 1).sum(axis=0)
    found = []
    for family in FAMILIES:
        own = [t for t, name in enumerate(names) if name.startswith(f"{family}_")]
        found += sorted(own, key=lambda t: -active[t])[: OF_A_FAMILY + (family in held_out)]
    return [*found, *(names.index(name) for name in tox21)]


def _scaffold(smiles: str) -> str:
    """Bemis and Murcko's; a molecule without rings is its own."""
    from rdkit import Chem
    from rdkit.Chem.Scaffolds.MurckoScaffold import MurckoScaffoldSmiles

    return MurckoScaffoldSmiles(mol=Chem.MolFromSmiles(smiles)) or smiles


def _by_cluster(
    scaffolds: list[str], twins: NDArray[np.intp], rows: NDArray[np.bool_]
) -> NDArray[np.int8]:
    """60/15/25, with every scaffold, and molecules of one fingerprint, on one side."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(scaffolds)
    of = np.unique(scaffolds, return_inverse=True)[1].ravel()
    edges = (np.concatenate([np.arange(count)] * 2), np.concatenate([of, of.max() + 1 + twins]))
    size = count + of.max() + 2 + twins.max()
    graph = coo_array((np.ones(2 * count), (edges[0], count + edges[1])), shape=(size, size))
    cluster = np.unique(
        connected_components(graph, directed=False)[1][:count][rows], return_inverse=True
    )[1].ravel()
    sizes = np.bincount(cluster)
    order = np.random.default_rng(0).permutation(len(sizes))
    frequent = sizes[order] > 0.01 * rows.sum()
    order = np.concatenate([order[frequent], order[~frequent]])
    split = np.empty(len(sizes), dtype=np.int8)
    split[order] = np.digitize(np.cumsum(sizes[order]) / rows.sum(), [0.6, 0.75])
    return split[cluster]
