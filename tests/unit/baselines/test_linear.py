"""Linear models of tasks: values, laws, files."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from sklearn.linear_model import LogisticRegression, RidgeCV
from tiny import make_data

from cotrain.baselines.linear import LinearModel, Prepared, load, save
from cotrain.baselines.ridge import PENALTIES
from cotrain.data.dataset import TaskData
from cotrain.tasks import Kind


def wide(kinds: str, *, sparse: bool = False) -> TaskData:
    """More columns than rows."""
    data = make_data(kinds, rows=60, inputs=5, missing=0.0)
    rng = np.random.default_rng(0)
    more = rng.random((60, 90)) < 0.02 if sparse else rng.normal(size=(60, 90))
    own = np.where(data.columns[:, :2] > 1, 1.0, 0.0) if sparse else data.columns
    columns = np.hstack([own, more])
    return replace(data, columns=columns, categorical=np.zeros(columns.shape[1], dtype=bool))


def test_a_regression_is_scikit_learns() -> None:
    data = make_data("r", missing=0.3)
    at, labels = data.labels(0)
    x = (data.columns - data.columns.mean(axis=0)) / data.columns.std(axis=0)
    expected = RidgeCV(PENALTIES).fit(x[at], labels).predict(x)
    found = Prepared(data).fit(0).predict(data.tasks[0], data.columns)
    np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("kind", ["b", "m"])
def test_turned_or_sparse_rows_have_the_penalised_optimum(
    kind: str, sparse: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cotrain.baselines.logistic.STRENGTHS", (0.05,))
    data = wide(kind, sparse=sparse)
    prepared = Prepared(data)
    assert (prepared._sparse is not None) == sparse
    found = prepared.fit(0).predict(data.tasks[0], data.columns)
    x = prepared.scaled.rows
    model = LogisticRegression(C=0.05, max_iter=2000, tol=1e-8).fit(x, data.labels(0)[1])
    expected = model.predict_proba(x)
    np.testing.assert_allclose(found, expected[:, 1] if kind == "b" else expected, atol=2e-3)


def test_tasks_of_the_same_rows_share_a_decomposition() -> None:
    data = make_data("rr", missing=0.0)
    prepared = Prepared(data)
    first = prepared.decomposition(data.labels(0)[0])
    assert prepared.decomposition(data.labels(1)[0]) is first
    assert prepared.decomposition(np.arange(9)) is not first


@pytest.mark.parametrize("label", [0.0, 1.0])
@pytest.mark.parametrize("kind", ["b", "m", "r"])
def test_one_label_is_predicted_everywhere(kind: str, label: float) -> None:
    data = make_data(kind)
    data = replace(data, targets=torch.full_like(data.targets, label))
    found = Prepared(data).fit(0).predict(data.tasks[0], data.columns)
    expected = np.eye(3)[int(label)] if kind == "m" else label
    np.testing.assert_array_equal(found, np.broadcast_to(expected, found.shape))


@pytest.mark.parametrize(("kind", "guess"), [("b", 0.5), ("m", 1 / 3), ("r", 0.0)])
def test_without_labels_nothing_is_known(kind: str, guess: float) -> None:
    data = make_data(kind)
    data = replace(data, mask=torch.zeros_like(data.mask))
    found = Prepared(data).fit(0).predict(data.tasks[0], data.columns)
    np.testing.assert_allclose(found, guess)


@pytest.mark.parametrize("lacking", [0, 1, 2])
def test_a_class_that_training_lacks_is_impossible(lacking: int) -> None:
    data = make_data("m", missing=0.0)
    data = data.rows(np.flatnonzero(data.targets[:, 0].numpy() != lacking))
    found = Prepared(data).fit(0).predict(data.tasks[0], data.columns)
    assert (found[:, lacking] == 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)
    known = [c for c in range(3) if c != lacking]
    right = np.array(known)[found[:, known].argmax(axis=1)] == data.targets[:, 0].numpy()
    assert right.mean() > 0.8


def test_a_constant_column_and_its_gaps_change_nothing() -> None:
    data = make_data("r", missing=0.0)
    columns = np.hstack([data.columns, np.full((len(data), 1), 3.0)])
    more = replace(data, columns=columns, categorical=np.zeros(6, dtype=bool))
    new = np.hstack([data.columns, np.full((len(data), 1), np.nan)])
    np.testing.assert_allclose(
        Prepared(more).fit(0).predict(data.tasks[0], new),
        Prepared(data).fit(0).predict(data.tasks[0], data.columns),
        atol=1e-9,
    )


def test_codes_have_no_order() -> None:
    rng = np.random.default_rng(0)
    data = make_data("r", missing=0.0)
    codes = rng.integers(0, 4, len(data)).astype(float)
    data = replace(
        data,
        targets=torch.tensor([1.0, -1.0, 2.0, 0.0])[codes.astype(int)][:, None],
        columns=codes[:, None],
        categorical=np.array([True]),
    )
    model = Prepared(data).fit(0)
    found = model.predict(data.tasks[0], np.array([[0.0], [1.0], [2.0], [3.0]]))
    np.testing.assert_allclose(found, [1.0, -1.0, 2.0, 0.0], atol=0.01)


@pytest.fixture
def models() -> list[LinearModel]:
    return [Prepared(make_data("bmr", seed=seed)).fit(1) for seed in range(3)]


def test_round_trip_to_the_bit(models: list[LinearModel], tmp_path: Path) -> None:
    save(models, tmp_path / "x")
    data = make_data("bmr", seed=9)
    assert data.tasks[1].kind is Kind.MULTICLASS
    for model, again in zip(models, load(tmp_path / "x"), strict=True):
        np.testing.assert_array_equal(
            again.predict(data.tasks[1], data.columns), model.predict(data.tasks[1], data.columns)
        )


def test_foreign_files_are_refused(models: list[LinearModel], tmp_path: Path) -> None:
    save(models, tmp_path / "x")
    whole = (tmp_path / "x").read_bytes()
    for content in (b"", b"garbage", pickle.dumps([1]), whole[: len(whole) // 2]):
        (tmp_path / "y").write_bytes(content)
        with pytest.raises(ValueError, match="something else than linear models"):
            load(tmp_path / "y")
    for other in ({}, {"a": np.ones(2)}, {"0/weights": np.ones((2, 1)), "0/x": np.ones(1)}):
        save_file(other, tmp_path / "y")
        with pytest.raises(ValueError, match="something else than linear models"):
            load(tmp_path / "y")
