"""Both tree libraries: fit, predict, save, load, and what they refuse."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from skops.io.exceptions import UntrustedTypesFoundException
from tiny import make_development, make_tasks

from cotrain.baselines.boosted import (
    HistTrees,
    LightGBMTrees,
    TreeData,
    TreeLearner,
    fit_task,
    tree_data,
)
from cotrain.tasks import score

LEARNERS: list[TreeLearner] = [HistTrees(), LightGBMTrees()]
IDS = ["hist", "lightgbm"]


@pytest.fixture(autouse=True)
def _has_lightgbm(request: pytest.FixtureRequest) -> None:
    if "learner" in request.fixturenames:
        learner = request.getfixturevalue("learner")
        if isinstance(learner, LightGBMTrees):
            pytest.importorskip("lightgbm")


def data_of(kind: str, rows: int = 120) -> TreeData:
    """Labels that depend on the first two of four columns; one category column; missing cells."""
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(2 * rows, 4))
    columns[:, 3] = rng.integers(0, 3, 2 * rows)
    latent = columns[:, 0] + (columns[:, 3] == 1)
    columns[rng.random(columns.shape) < 0.05] = np.nan
    labels = {
        "b": (latent > 0).astype(float),
        "m": np.digitize(latent, [-0.5, 0.8]).astype(float),
        "r": latent + 0.1 * rng.normal(size=2 * rows),
    }[kind]
    return TreeData(
        task=make_tasks(kind)[0],
        columns=columns[:rows],
        labels=labels[:rows],
        valid_columns=columns[rows:],
        valid_labels=labels[rows:],
        categorical=np.array([False, False, False, True]),
    )


@pytest.mark.parametrize("kind", ["b", "m", "r"])
@pytest.mark.parametrize("learner", LEARNERS, ids=IDS)
def test_round_trip(learner: TreeLearner, kind: str, tmp_path: Path) -> None:
    data = data_of(kind)
    models = fit_task(learner, lambda _: data, candidates=1, seeds=2)
    assert len(models) == 2
    found = [learner.predict(data.task, model, data.valid_columns) for model in models]
    assert found[0].shape == ((120, 3) if kind == "m" else (120,))
    assert found[0].dtype == np.float64
    assert not np.array_equal(found[0], found[1])  # the seeds differ
    least = {"b": 0.85, "m": 0.6, "r": 0.5}[kind]
    assert score(data.task, found[0], data.valid_labels) > least
    if kind != "r":
        assert ((found[0] >= 0) & (found[0] <= 1)).all()
    if kind == "m":
        np.testing.assert_allclose(found[0].sum(axis=1), 1)
    learner.save(models, tmp_path / "x.model")
    loaded = learner.load(tmp_path / "x.model")
    for model, prediction in zip(loaded, found, strict=True):
        again = learner.predict(data.task, model, data.valid_columns)
        np.testing.assert_array_equal(again, prediction)
    assert b"pickle" not in (tmp_path / "x.model").read_bytes()


@pytest.mark.parametrize("learner", LEARNERS, ids=IDS)
def test_fitting_is_repeatable(learner: TreeLearner) -> None:
    data = data_of("r", rows=80)
    a, b = (learner.fit(data, learner.candidates[0], 3) for _ in range(2))
    np.testing.assert_array_equal(
        learner.predict(data.task, a, data.columns), learner.predict(data.task, b, data.columns)
    )


@pytest.mark.parametrize("learner", LEARNERS, ids=IDS)
def test_the_best_candidate_on_validation_is_kept(learner: TreeLearner) -> None:
    data = data_of("r", rows=80)
    good = learner.candidates[0]
    bad = good | {"learning_rate": 1e-6}
    tuned = replace(learner, candidates=(bad, good))  # type: ignore[type-var]
    models = fit_task(tuned, lambda _: data, candidates=2, seeds=2)
    for seed, model in enumerate(models):
        expected = learner.predict(data.task, learner.fit(data, good, seed), data.columns)
        np.testing.assert_array_equal(learner.predict(data.task, model, data.columns), expected)


@pytest.mark.parametrize("learner", LEARNERS, ids=IDS)
def test_garbage_is_refused(learner: TreeLearner, tmp_path: Path) -> None:
    for content in (b"", b"garbage", pickle.dumps([1, 2]), b"[1]"):
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(Exception, match=r"."):
            learner.load(tmp_path / "x")


def test_hist_refuses_other_types(tmp_path: Path) -> None:
    import functools

    skops.io.dump([functools.partial(print, "owned")], tmp_path / "x")
    with pytest.raises(UntrustedTypesFoundException, match=r"builtins\.print"):
        HistTrees().load(tmp_path / "x")


def test_hist_refuses_a_tampered_archive(tmp_path: Path) -> None:
    data = data_of("b", rows=40)
    HistTrees().save([HistTrees().fit(data, {}, 0)], tmp_path / "x")
    whole = (tmp_path / "x").read_bytes()
    (tmp_path / "x").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Exception, match="not a zip file"):
        HistTrees().load(tmp_path / "x")


def test_lightgbm_refuses_a_tampered_model(tmp_path: Path) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    data = data_of("b", rows=60)
    model = LightGBMTrees().fit(data, LightGBMTrees.candidates[0], 0)
    LightGBMTrees().save([model], tmp_path / "x")
    texts: list[str] = json.loads((tmp_path / "x").read_text())
    (tmp_path / "x").write_text(json.dumps([texts[0].replace("num_class=", "num_klass=")]))
    with pytest.raises(lightgbm.basic.LightGBMError, match="number of classes"):
        LightGBMTrees().load(tmp_path / "x")


def missing_class(learner: TreeLearner, part: str) -> np.ndarray[Any, Any]:
    data = data_of("m")
    labels = data.labels if part == "train" else data.valid_labels
    columns = data.columns if part == "train" else data.valid_columns
    names = ("columns", "labels") if part == "train" else ("valid_columns", "valid_labels")
    kept = labels < 2
    less = replace(data, **dict(zip(names, (columns[kept], labels[kept]), strict=True)))
    (model,) = fit_task(learner, lambda _: less, candidates=1, seeds=1)
    return learner.predict(data.task, model, data.columns)


@pytest.mark.parametrize("learner", LEARNERS, ids=IDS)
def test_a_class_that_validation_lacks(learner: TreeLearner) -> None:
    assert missing_class(learner, "valid").shape == (120, 3)


@pytest.mark.parametrize("learner", LEARNERS, ids=IDS)
def test_a_class_that_training_lacks(learner: TreeLearner) -> None:
    found = missing_class(learner, "train")
    assert found.shape == (120, 3)
    assert found[:, 2].max() < 0.01


def test_tree_data_is_the_labelled_rows() -> None:
    development = make_development("brm", missing=0.4)
    found = tree_data(development, 1)
    seen = development.train.mask[:, 1].numpy()
    np.testing.assert_array_equal(found.columns, development.train.columns[seen])
    np.testing.assert_array_equal(found.labels, development.train.targets[:, 1].numpy()[seen])
    assert len(found.valid_labels) == int(development.valid.mask[:, 1].sum())
    assert found.task.name == "r1"
