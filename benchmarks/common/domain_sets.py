"""Real data in several domains with one label space, as `cotrain.data.from_domains` takes them."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat
from sklearn.datasets import load_digits
from sklearn.feature_extraction.text import HashingVectorizer

from benchmarks.common.arrays import Array, Inputs, Numbers
from benchmarks.common.folders import DATA
from cotrain.data import Splits, from_domains

Domain = tuple[Inputs, Numbers]


def digits(rows: int) -> Splits:
    """Handwritten digits of three origins at 8 × 8 grey values from 0 to 1, so many rows each."""
    rng = np.random.default_rng(0)
    return from_domains({name: _some(own, rows, rng) for name, own in _digits().items()})


def office(seed: int = 0) -> Splits:
    """Ten objects in four kinds of picture; 800 SURF words, rows scaled to length 1, then columns."""
    found = {}
    for name in ("amazon", "caltech10", "dslr", "webcam"):
        file = loadmat(DATA / "img_office_caltech_surf" / f"{name}_surf.mat")
        words = file["fts"].astype(np.float32)
        words /= np.linalg.norm(words, axis=1, keepdims=True)
        found[name] = (words * np.sqrt(words.shape[1]), file["labels"].ravel().astype(np.int64))
    return from_domains(found, seed=seed)


def reviews(rows: int, domains: int = 16, seed: int = 0) -> Splits:
    """Is a review friendly? The first domains of sixteen, so many rows each; 1,000 hashed words."""
    rng = np.random.default_rng(0)
    found = {}
    for name, texts, labels in islice(labelled_texts(), domains):
        words = hashed_words(texts) * np.sqrt(1000)
        found[name] = _some((words, np.array(labels)), rows, rng)
    return from_domains(found, seed=seed)


def labelled_texts() -> Iterator[tuple[str, list[str], list[int]]]:
    """Of each review domain its name, the training texts, and whether they are friendly."""
    for file in sorted((DATA / "txt_fdu_mtl16").glob("*.task.train.gz")):
        lines = gzip.decompress(file.read_bytes()).decode(errors="replace").splitlines()
        pairs = [line.split("\t", 1) for line in lines if "\t" in line]
        yield file.name.split(".")[0], [text for _, text in pairs], [int(own) for own, _ in pairs]


def hashed_words(texts: Sequence[str]) -> Inputs:
    """``[N, 1000]`` counts of hashed words, rows of length 1."""
    hashed = HashingVectorizer(n_features=1000, alternate_sign=False, norm="l2")
    return np.asarray(hashed.transform(texts).toarray(), dtype=np.float32)


def mnist() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Training images of MNIST ``[N, 28, 28]`` and their digits ``[N]``."""
    folder = DATA / "img_mnist"
    images = _idx(folder / "train-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
    return images, _idx(folder / "train-labels-idx1-ubyte.gz", 8)


def _digits() -> dict[str, Domain]:
    bundled = load_digits()
    usps = np.load(DATA / "img_usps" / "usps_u8.npz")
    images, labels = mnist()
    return {
        "scikit-learn": (_flat(bundled.images / 16), bundled.target),
        "USPS": (_flat(_halved(usps["x_train"] / 255)), usps["y_train"]),
        "MNIST": (
            _flat(_halved(_halved(np.pad(images, ((0, 0), (2, 2), (2, 2))) / 255))),
            labels,
        ),
    }


def _idx(path: Path, header: int) -> NDArray[np.uint8]:
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header)


def _halved(images: Array) -> Array:
    """Means of 2 × 2 pixels."""
    n, height, width = images.shape
    return np.asarray(images.reshape(n, height // 2, 2, width // 2, 2).mean(axis=(2, 4)))


def _flat(images: Array) -> Inputs:
    return images.reshape(len(images), -1).astype(np.float32)


def _some(domain: Domain, rows: int, rng: np.random.Generator) -> Domain:
    inputs, labels = domain
    at = rng.permutation(len(labels))[:rows]
    return inputs[at], labels[at].astype(np.int64)
