"""Tables with several targets, split as the honest results table splits them."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable

import numpy as np
import polars as pl

from benchmarks.common.folders import DATA
from cotrain import from_arrays, from_table, infer_schema, read_table
from cotrain.data import RandomSplit, Splits, StratifiedSplit

ADULT = [
    "age",
    "workclass",
    "fnlwgt",
    "education",
    "education_num",
    "marital_status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital_gain",
    "capital_loss",
    "hours_per_week",
    "native_country",
    "income",
]
MULTITARGET = {"atp1d": 6, "jura": 3, "slump": 3, "edm": 2, "enb": 2, "andro": 6, "wq": 14}


def tox21() -> Splits:
    """The rows that parse, in file order; rows without any label stay out by themselves."""
    file = np.load(DATA / "mol_tox21" / "ecfp4_1024.npz")
    bits = np.unpackbits(file["fp_packed"], axis=1)[:, :1024].astype(np.float32)
    labels = np.where(file["y"] < 0, np.nan, file["y"]).astype(np.float32)
    names = [str(name) for name in file["tasks"]]
    return from_arrays(bits, labels, names=names, split=RandomSplit(), seed=0)


def adult() -> Splits:
    """Income and never-married, without the columns that give the second away."""
    married = pl.col("marital_status") == "Never-married"
    frame = read_table(DATA / "tab_adult" / "adult.data.gz", ADULT)
    frame = frame.with_columns(never_married=married.cast(pl.Int64))
    schema = infer_schema(
        frame, targets=["income", "never_married"], ignore=["marital_status", "relationship"]
    )
    return from_table(frame, schema, RandomSplit(), 0)


def multitarget(name: str) -> Splits:
    frame = read_table(DATA / "tab_mulan_multitarget" / f"{name}.arff.gz")
    targets = frame.columns[-MULTITARGET[name] :]
    schema = infer_schema(frame, targets=targets, kinds=dict.fromkeys(targets, "regression"))
    return from_table(frame, schema, RandomSplit(), 0)


def multilabel(name: str) -> Splits:
    """The training file; labels with fewer than 40 positives are left out."""
    folder = DATA / "tab_mulan_multilabel"
    frame = read_table(folder / f"{name}-train.arff.gz")
    names = [label.attrib["name"] for label in ElementTree.parse(folder / f"{name}.xml").getroot()]
    targets = [n for n in names if frame[n].cast(pl.Float64).sum() >= 40]
    schema = infer_schema(frame, targets=targets, ignore=[n for n in names if n not in targets])
    return from_table(frame, schema, StratifiedSplit(), 0)


SETS: dict[str, Callable[[], Splits]] = {
    "tox21": tox21,
    "adult": adult,
    "emotions": lambda: multilabel("emotions"),
    "yeast": lambda: multilabel("yeast"),
    **{name: (lambda name=name: multitarget(name)) for name in MULTITARGET},  # type: ignore[misc]
}
