"""Real files: read, understood, split and prepared, with the numbers their authors publish."""

import re
from pathlib import Path

import numpy as np
import pytest

from cotrain.data import (
    RandomSplit,
    Role,
    Splits,
    StratifiedSplit,
    from_table,
    infer_schema,
    read_table,
)
from cotrain.errors import InputError
from cotrain.tasks import Kind

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

# name, rows, inputs, targets as in MULAN's README
MULTITARGET = [
    ("andro", 49, 30, 6),
    ("atp1d", 337, 411, 6),
    ("edm", 154, 16, 2),
    ("enb", 768, 8, 2),
    ("jura", 359, 15, 3),
    ("slump", 103, 7, 3),
    ("wq", 1060, 16, 14),
]


@pytest.mark.parametrize(("name", "rows", "inputs", "targets"), MULTITARGET)
def test_multitarget(shared: Path, name: str, rows: int, inputs: int, targets: int) -> None:
    frame = read_table(shared / "tab_mulan_multitarget" / f"{name}.arff.gz")
    assert frame.shape == (rows, inputs + targets)
    schema = infer_schema(frame, targets=frame.columns[-targets:])
    assert {task.kind for task in schema.tasks} == {Kind.REGRESSION}
    splits = from_table(frame, schema, RandomSplit(), 0)
    preparation = splits.preparation
    assert len(splits.development.train) == int(0.8 * rows)
    assert len(preparation.unused) == (41 if name == "atp1d" else 0)
    numbers = inputs - len(preparation.unused)
    bins = splits.development.train.inputs.shape[1] - numbers
    few = name in ("andro", "atp1d")  # rows, or many columns
    assert bins == 0 if few else numbers <= bins <= 512


# name, train rows, test rows, labels, train labels that carry both classes
MULTILABEL = [
    ("yeast", 1500, 917, 14, 14),
    ("emotions", 391, 202, 6, 6),
    ("enron", 1123, 579, 53, 52),
    ("medical", 333, 645, 45, 38),
]


@pytest.mark.parametrize(("name", "train", "test", "labels", "usable"), MULTILABEL)
def test_multilabel(
    shared: Path, name: str, train: int, test: int, labels: int, usable: int
) -> None:
    folder = shared / "tab_mulan_multilabel"
    frame = read_table(folder / f"{name}-train.arff.gz")
    assert len(read_table(folder / f"{name}-test.arff.gz")) == test
    assert len(frame) == train
    xml = (folder / f"{name}.xml").read_text()
    names = [label.replace("\\", "") for label in re.findall(r'label name="([^"]+)"', xml)]
    assert len(names) == labels
    varied = [label for label in names if frame[label].n_unique() == 2]
    assert len(varied) == usable
    common = [label for label in varied if frame[label].sum() >= 15]
    schema = infer_schema(frame, targets=common, ignore=sorted(set(names) - set(common)))
    assert {(task.kind, task.classes) for task in schema.tasks} == {(Kind.BINARY, ("0", "1"))}
    splits = from_table(frame, schema, StratifiedSplit(), 0)
    assert splits.development.train.mask.all()


def test_a_label_that_never_occurs(shared: Path) -> None:
    frame = read_table(shared / "tab_mulan_multilabel" / "enron-train.arff.gz")
    with pytest.raises(InputError) as caught:
        infer_schema(frame, targets=["D.*"])
    assert str(caught.value) == (
        "target 'D.D18' is always '0' (1,123 labels): there is nothing to learn, leave it out of "
        "the targets"
    )


def test_adult(shared: Path) -> None:
    frame = read_table(shared / "tab_adult" / "adult.data.gz", columns=ADULT)
    assert frame.shape == (32561, 15)
    assert frame["workclass"].null_count() == 1836
    schema = infer_schema(frame, targets=["income", "marital_status"])
    assert schema.describe() == (
        "income: binary, positive class '>50K' (24.1 %), 100.0 % labelled",
        "marital_status: multiclass, 7 classes ('Divorced' 4,443, 'Married-AF-spouse' 23, "
        "'Married-civ-spouse' 14,976, 'Married-spouse-absent' 418, 'Never-married' 10,683, "
        "'Separated' 1,025, 1 more), 100.0 % labelled",
        "inputs: 7 categories, 6 numbers",
    )
    splits = from_table(frame, schema, RandomSplit(), 0)
    preparation = splits.preparation
    assert splits.development.train.columns.shape == (26048, 13)
    assert int(preparation.categorical.sum()) == 7
    assert splits.notes == ()
    columns = splits.development.train.inputs.abs().amax(dim=0)
    assert (columns > 4).sum() == 4  # capital gains and losses, weights and hours keep their tails
    assert columns.max() < 20


def tox21(shared: Path) -> Splits:
    pytest.importorskip("rdkit")
    frame = read_table(shared / "mol_tox21" / "tox21.csv.gz")
    schema = infer_schema(frame, targets=["NR-*", "SR-*"], ignore=["mol_id"], smiles="smiles")
    assert [column.role for column in schema.inputs] == [Role.SMILES]
    return from_table(frame, schema, RandomSplit(), 0)


def test_tox21(shared: Path) -> None:
    splits = tox21(shared)
    assert len(splits.tasks) == 12
    assert {task.kind for task in splits.tasks} == {Kind.BINARY}
    train = splits.development.train
    assert train.inputs.shape == (6411, 1024)
    assert train.mask.float().mean() == pytest.approx(0.827, abs=0.005)
    assert train.targets[train.mask].mean() == pytest.approx(0.075, abs=0.005)
    assert splits.notes == (
        "SMILES that are missing or no molecule: 8; their fingerprints are empty",
    )


def test_tox21_fingerprints_are_the_published_ones(shared: Path) -> None:
    pytest.importorskip("rdkit")
    from cotrain.data.features.molecules import fingerprints

    published = np.load(shared / "mol_tox21" / "ecfp4_1024.npz")
    frame = read_table(shared / "mol_tox21" / "tox21.csv.gz")[published["row"][:500]]
    bits = np.unpackbits(published["fp_packed"][:500], axis=1)
    assert np.array_equal(fingerprints(frame["smiles"]), bits)


def test_tox21_without_naming_the_molecules(shared: Path) -> None:
    frame = read_table(shared / "mol_tox21" / "tox21.csv.gz")
    with pytest.raises(InputError) as caught:
        infer_schema(frame, targets=["NR-*", "SR-*"])
    assert str(caught.value) == (
        "input column 'mol_id' has 8,014 different texts in 8,014 rows: it looks like an "
        "identifier or free text, use --ignore mol_id"
    )
    with pytest.raises(InputError) as caught:
        infer_schema(frame, targets=["NR-*", "SR-*"], ignore=["mol_id"])
    assert str(caught.value) == (
        "input column 'smiles' has 7,831 different texts in 8,014 rows: it looks like molecules, "
        "use --smiles smiles"
    )
