"""Tables with several targets, split as the honest results table splits them."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from functools import partial

import polars as pl

from benchmarks.common.folders import DATA
from benchmarks.common.molecules import TOX21, fingerprints
from cotrain import from_arrays, from_table, infer_schema, read_table
from cotrain.data import RandomSplit, Splits, StratifiedSplit
from cotrain.data.splits.split import Split

ADULT = [
    *("age", "workclass", "fnlwgt", "education", "education_num", "marital_status", "occupation"),
    *("relationship", "race", "sex", "capital_gain", "capital_loss", "hours_per_week"),
    *("native_country", "income"),
]
MULTITARGET = {"atp1d": 6, "jura": 3, "slump": 3, "edm": 2, "enb": 2, "andro": 6, "wq": 14}
TARGETS = {**MULTITARGET, "oes10": 16}  # the last so many columns


def tox21() -> Splits:
    """The rows that parse, in file order; rows without any label stay out by themselves."""
    file = fingerprints(TOX21)
    return from_arrays(file.bits, file.labels, names=file.names, split=RandomSplit(), seed=0)


def adult() -> Splits:
    """Income and never-married, without the columns that give the second away."""
    married = pl.col("marital_status") == "Never-married"
    frame = read_table(DATA / "tab_adult" / "adult.data.gz", ADULT)
    frame = frame.with_columns(never_married=married.cast(pl.Int64))
    schema = infer_schema(
        frame, targets=["income", "never_married"], ignore=["marital_status", "relationship"]
    )
    return from_table(frame, schema, RandomSplit(), 0)


def multitarget(name: str, split: Split | None = None, seed: int = 0) -> Splits:
    """Regressions of one of :data:`TARGETS`; a random split, unless another is given."""
    frame = read_table(DATA / "tab_mulan_multitarget" / f"{name}.arff.gz")
    targets = frame.columns[-TARGETS[name] :]
    schema = infer_schema(frame, targets=targets, kinds=dict.fromkeys(targets, "regression"))
    return from_table(frame, schema, split or RandomSplit(), seed)


def multilabel(name: str) -> Splits:
    """The training file; labels with fewer than 40 positives are left out."""
    folder = DATA / "tab_mulan_multilabel"
    frame = read_table(folder / f"{name}-train.arff.gz")
    names = label_names(name)
    targets = [n for n in names if frame[n].cast(pl.Float64).sum() >= 40]
    schema = infer_schema(frame, targets=targets, ignore=[n for n in names if n not in targets])
    return from_table(frame, schema, StratifiedSplit(), 0)


def label_names(name: str) -> list[str]:
    """The columns of a multi-label table that are labels."""
    root = ElementTree.parse(DATA / "tab_mulan_multilabel" / f"{name}.xml").getroot()
    return [label.attrib["name"] for label in root]


SETS: dict[str, Callable[[], Splits]] = {
    "tox21": tox21,
    "adult": adult,
    "emotions": partial(multilabel, "emotions"),
    "yeast": partial(multilabel, "yeast"),
    **{name: partial(multitarget, name) for name in MULTITARGET},
}
