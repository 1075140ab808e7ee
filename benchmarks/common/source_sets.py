"""Real data with sources and unseen targets: review domains, picture superclasses, assay families."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from benchmarks.common.arrays import Array, Flags, Inputs
from benchmarks.common.domain_sets import hashed_words, labelled_texts
from benchmarks.common.folders import DATA
from benchmarks.common.molecules import (
    TOX21,
    TOXCAST,
    Given,
    by_cluster,
    canonical_smiles,
    fingerprints,
    scaffold,
)
from cotrain import from_arrays
from cotrain.data import Splits, StratifiedSplit, from_domains
from cotrain.studies import by_pattern

FAMILIES = ("APR", "ATG", "BSK", "TOX21")
OF_A_FAMILY = 6


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


def reviews(rows: int = 1000) -> Problem:
    """Is a review friendly? 1,000 hashed words, rows of one length; a text that comes twice counts once."""
    rng = np.random.default_rng(0)
    found, seen = {}, set[bytes]()
    for name, texts, friendly in labelled_texts():
        at = rng.permutation(len(texts))[:rows]
        words = hashed_words([texts[i] for i in at])
        labels = np.array([friendly[i] for i in at])
        fresh = np.zeros(len(words), dtype=bool)
        for row, own in enumerate(words):
            fresh[row] = own.tobytes() not in seen
            seen.add(own.tobytes())
        found[name] = (words[fresh] * np.sqrt(np.float32(1000)), labels[fresh])
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
    read = [_molecules(folder) for folder in (TOXCAST, TOX21)]
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
    scaffolds = [scaffold(one) for one in place]
    own = [names[t] for t in kept]
    split = Given(assignment=_by_relation(scaffolds, twins, rows))
    splits = from_arrays(
        bits[rows], labels[rows][:, kept], names=own, kinds={"*": "binary"}, split=split
    )
    by_family = {f: [name for name in own if name.startswith(f"{f}_")] for f in held_out}
    targets = (*tox21, *(by_family[f][place] for f, place in held_out.items()))
    families = {name: name.split("_")[0] for name in own if "_" in name}
    families |= dict.fromkeys(tox21, "TOX21")
    return Problem(splits=splits, targets=targets, families=families, rows=256)


PROBLEMS: dict[str, Callable[[], Problem]] = {
    "reviews": reviews,
    "pictures": pictures,
    "assays": assays,
}


def _domains(
    found: Mapping[str, tuple[Inputs, Any]],
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


def _molecules(folder: str) -> tuple[Inputs, Inputs, tuple[str, ...], list[str]]:
    """Folded fingerprints, labels (NaN where missing), task names, canonical SMILES."""
    file = fingerprints(folder)
    folded = np.maximum(file.bits[:, :512], file.bits[:, 512:])
    return folded, file.labels, file.names, canonical_smiles(folder, file.rows)


def _chosen(
    names: list[str],
    labels: Array,
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


def _by_relation(scaffolds: list[str], twins: NDArray[np.intp], rows: Flags) -> NDArray[np.int8]:
    """60/15/25, with every scaffold, and molecules of one fingerprint, on one side."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(scaffolds)
    of = np.unique(scaffolds, return_inverse=True)[1].ravel()
    edges = (np.concatenate([np.arange(count)] * 2), np.concatenate([of, of.max() + 1 + twins]))
    size = count + of.max() + 2 + twins.max()
    graph = coo_array((np.ones(2 * count), (edges[0], count + edges[1])), shape=(size, size))
    related = connected_components(graph, directed=False)[1]
    return by_cluster(related[:count][rows].astype(np.intp), (0.6, 0.75))
