"""The tables: name → what cuts it in three for a seed; the same rows for every seed.

All are drawn or cut in the same way for everyone and without looking at any result. A *half* has 400 rows
to develop on (320 to train, 80 to choose) and 1,000 to test on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import polars as pl

from benchmarks.common.arrays import Inputs, Numbers
from benchmarks.common.domain_sets import mnist, office, reviews
from benchmarks.common.folders import DATA
from benchmarks.common.molecules import TOX21, TOXCAST, Molecules, fingerprints
from benchmarks.common.table_sets import ADULT, TARGETS, label_names, multitarget
from cotrain import from_arrays, from_table, infer_schema, read_table
from cotrain.data import (
    DIGITS_TARGETS,
    Splits,
    StratifiedSplit,
    TimeSplit,
    digits_table,
    from_domains,
)

Cut = Callable[[int], Splits]

USUAL = StratifiedSplit()
HALF_ROWS = 1400
HALF = StratifiedSplit(train=320 / HALF_ROWS, valid=80 / HALF_ROWS)
FEWEST, MOST_LABELS = 25, 12  # positives of a label, labels of a table
ASSAYS = 30
HOURS, PAST = 3000, 4  # rows, and the hours that each sees
SCHOOLS = 16
SCHOOL_CODES = ("Year", "Gender", "VR_BAND_Student", "Ethnicity", "School_Gender")
SCHOOL_PERCENTAGES = ("FSM", "VR_Band")
ESOL = {
    "measured log solubility in mols per litre": "solubility",
    "Polar Surface Area": "polar surface",
    "Number of Rotatable Bonds": "rotatable bonds",
}


def multilabel(name: str, rows: int, split: StratifiedSplit, seed: int) -> Splits:
    """Some rows of both files; the most frequent labels of those with enough positives."""
    folder = DATA / "tab_mulan_multilabel"
    frame = pl.concat(read_table(folder / f"{name}-{part}.arff.gz") for part in ("train", "test"))
    frame = frame[some(len(frame), rows)]
    labels = label_names(name)
    positives = {label: frame[label].cast(pl.Float64).sum() for label in labels}
    frequent = sorted(labels, key=lambda label: -positives[label])[:MOST_LABELS]
    kept = [label for label in labels if label in frequent and positives[label] >= FEWEST]
    frame = frame.drop(label for label in labels if label not in kept)
    return from_table(frame, infer_schema(frame, targets=kept), split, seed)


def adult(rows: int, split: StratifiedSplit, seed: int) -> Splits:
    """Income, sex and never-married, without the columns that give the last two away."""
    frame = read_table(DATA / "tab_adult" / "adult.data.gz", ADULT)
    frame = frame[some(len(frame), rows)]
    married = pl.col("marital_status") == "Never-married"
    schema = infer_schema(
        frame := frame.with_columns(never_married=married.cast(pl.Int64)),
        targets=["income", "sex", "never_married"],
        ignore=["marital_status", "relationship"],
    )
    return from_table(frame, schema, split, seed)


def assays(
    file: Callable[[], Molecules], rows: int, most: int, split: StratifiedSplit, seed: int
) -> Splits:
    """Some molecules, the assays with the most labels among them, as published fingerprints."""
    all_of = file()
    labelled = np.flatnonzero(np.isfinite(all_of.labels).any(axis=1))
    at = labelled[some(len(labelled), rows)]
    labels = all_of.labels[at]
    rare = np.minimum((labels == 1).sum(axis=0), (labels == 0).sum(axis=0)) < FEWEST
    counts = np.where(rare, 0, np.isfinite(labels).sum(axis=0))
    kept = np.sort(np.argsort(-counts, kind="stable")[: min(most, int((~rare).sum()))])
    names = [all_of.names[k] for k in kept]
    return from_arrays(all_of.bits[at], labels[:, kept], names=names, split=split, seed=seed)


def esol(seed: int) -> Splits:
    """Solubility and two columns that follow from the structure, from 1,024 bits (needs RDKit)."""
    from rdkit import Chem
    from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator

    frame = pl.read_csv(DATA / "mol_esol" / "delaney-processed.csv.gz")
    bits = GetMorganGenerator(radius=2, fpSize=1024)
    inputs = np.stack(
        [bits.GetFingerprintAsNumPy(Chem.MolFromSmiles(one)) for one in frame["smiles"]]
    )
    kinds = dict.fromkeys(ESOL.values(), "regression")
    return from_arrays(
        inputs.astype(np.float32),
        frame.select(*ESOL).to_numpy(),
        names=list(ESOL.values()),
        kinds=kinds,
        split=USUAL,
        seed=seed,
    )


def schools(seed: int) -> Splits:
    """Exam scores of the schools with most pupils, a school a domain."""
    frame = pl.read_csv(DATA / "tab_school139" / "School_Data.csv.gz").drop_nulls()
    sizes = frame["School"].value_counts().sort(["count", "School"], descending=[True, False])
    frame = frame.filter(pl.col("School").is_in(sizes["School"].head(SCHOOLS).to_list()))
    codes = frame.select(SCHOOL_CODES).to_dummies(SCHOOL_CODES).to_numpy()
    quarters = frame.select(SCHOOL_PERCENTAGES).to_numpy() / 25
    inputs = np.concatenate([codes, quarters], axis=1).astype(np.float32)
    school, score = frame["School"].to_numpy(), frame["ExamScore"].to_numpy().astype(float)
    parts = {f"school {k}": (inputs[school == k], score[school == k]) for k in np.unique(school)}
    return from_domains(parts, kinds=dict.fromkeys(parts, "regression"), seed=seed)


def ett(seed: int) -> Splits:
    """The next hour of seven channels from this one and the three before; a seed is a stretch."""
    frame = pl.read_csv(DATA / "ts_ett_hourly" / "ETTh1.csv.gz").drop("date")
    frame = frame.slice(seed * HOURS, HOURS)
    past = [pl.col(c).shift(k).alias(f"{c} {k} h ago") for c in frame.columns for k in range(PAST)]
    future = [pl.col(c).shift(-1).alias(f"next {c}") for c in frame.columns]
    hour = pl.int_range(pl.len()).alias("hour")
    table = frame.select(hour, *past, *future).drop_nulls()
    targets = [f"next {c}" for c in frame.columns]
    schema = infer_schema(
        table, targets=targets, ignore=["hour"], kinds=dict.fromkeys(targets, "regression")
    )
    return from_table(table, schema, TimeSplit(column="hour"), seed)


def digits(seed: int) -> Splits:
    """The demo: fifteen questions about each of 1,797 small digits."""
    table = digits_table()
    return from_table(table, infer_schema(table, targets=DIGITS_TARGETS), USUAL, seed)


def one_vs_rest(seed: int) -> Splits:
    """Which digit is it? Ten questions about 1,500 images of MNIST, means of 2 × 2 pixels."""
    images, labels = mnist()
    at = some(len(labels), 1500)
    pixels = images[at].reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)) / 255
    inputs: Inputs = pixels.reshape(len(at), -1).astype(np.float32)
    targets = (labels[at, None] == np.arange(10)).astype(np.float64)
    names = [f"is {digit}" for digit in range(10)]
    return from_arrays(inputs, targets, names=names, split=USUAL, seed=seed)


def some(rows: int, most: int) -> Numbers:
    """At most so many of the rows by chance, in order.

    >>> len(some(10, 4)), some(3, 4).tolist()
    (4, [0, 1, 2])
    """
    return np.sort(np.random.default_rng(0).permutation(rows)[:most]).astype(np.int64)


def _regressions(name: str, seed: int) -> Splits:
    return multitarget(name, USUAL, seed)


def _reviews(seed: int) -> Splits:
    return reviews(300, 6, seed)


TOX = partial(fingerprints, TOX21)
TABLES: dict[str, Cut] = {
    **{name: partial(_regressions, name) for name in sorted(TARGETS)},
    "emotions": partial(multilabel, "emotions", 1000, USUAL),
    "yeast": partial(multilabel, "yeast", 1200, USUAL),
    "enron": partial(multilabel, "enron", 1000, USUAL),
    "medical": partial(multilabel, "medical", 1000, USUAL),
    "tox21": partial(assays, TOX, 2000, 12, USUAL),
    "toxcast": partial(assays, partial(fingerprints, TOXCAST), 2000, ASSAYS, USUAL),
    "esol": esol,
    "adult": partial(adult, 3000, USUAL),
    "schools": schools,
    "etth1": ett,
    "office": office,
    "reviews": _reviews,
    "digits": digits,
    "mnist": one_vs_rest,
    "yeast400": partial(multilabel, "yeast", HALF_ROWS, HALF),
    "tox400": partial(assays, TOX, HALF_ROWS, 12, HALF),
    "adult400": partial(adult, HALF_ROWS, HALF),
}
