"""Extra trees: values, the choice of a setting, files."""

from __future__ import annotations

import functools
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skops.io
from skops.io.exceptions import UntrustedTypesFoundException
from tiny import make_development

from cotrain.baselines import extra_trees
from cotrain.baselines.boosted import TreeData, tree_data
from cotrain.baselines.extra_trees import LEAVES, SETTINGS, TREES, choose, fit, load, predict, save
from cotrain.tasks import score


def data_of(kind: str, rows: int = 150) -> TreeData:
    return tree_data(make_development(kind, rows=rows, missing=0.0), 0)


@pytest.mark.parametrize(("kind", "least"), [("b", 0.85), ("m", 0.55), ("r", 0.6)])
def test_it_learns_and_is_saved_to_the_bit(kind: str, least: float, tmp_path: Path) -> None:
    data = data_of(kind)
    gaps = np.where(
        np.random.default_rng(0).random(data.columns.shape) < 0.05, np.nan, data.columns
    )
    data = replace(data, columns=gaps)
    model, _ = choose(data, tried=2, seed=0)
    found = predict(data.task, model, data.valid_columns)
    assert found.shape == ((75, 3) if kind == "m" else (75,))
    assert score(data.task, found, data.valid_labels) > least
    save([model, model], tmp_path / "x")
    for again in load(tmp_path / "x"):
        np.testing.assert_array_equal(predict(data.task, again, data.valid_columns), found)
    assert b"pickle" not in (tmp_path / "x").read_bytes()


@pytest.mark.parametrize("kind", ["b", "m", "r"])
def test_validation_rows_are_not_looked_at(kind: str) -> None:
    data = data_of(kind, rows=60)
    blind = replace(data, valid_columns=data.columns[:0], valid_labels=data.labels[:0])
    (a, setting), (b, same) = (choose(own, tried=3, seed=0) for own in (data, blind))
    assert setting == same
    np.testing.assert_array_equal(
        predict(data.task, a, data.valid_columns), predict(data.task, b, data.valid_columns)
    )


def test_rows_that_trees_have_not_drawn_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    data = data_of("r")
    blunt = {"min_samples_leaf": 60, "max_features": 0.5}
    monkeypatch.setattr(extra_trees, "SETTINGS", (blunt, SETTINGS[0]))
    model, setting = choose(data, tried=2, seed=0)
    assert setting == SETTINGS[0]
    expected = score(data.task, model.oob_prediction_, data.labels)
    held_out = score(data.task, predict(data.task, model, data.valid_columns), data.valid_labels)
    assert expected == pytest.approx(held_out, abs=0.1)  # not the score of rows it has learned
    assert choose(data, tried=1, seed=0)[1] == blunt


def test_seeds_differ_and_repeat() -> None:
    data = data_of("r", rows=40)
    first, other, again = (
        predict(data.task, fit(data, SETTINGS[0], seed), data.columns) for seed in (0, 1, 0)
    )
    assert not np.array_equal(first, other)
    np.testing.assert_array_equal(first, again)


def test_trees_stay_small() -> None:
    data = data_of("r", rows=3000)
    forest = fit(data, SETTINGS[0], 0)
    assert len(forest.estimators_) == TREES
    assert max(tree.get_n_leaves() for tree in forest.estimators_) <= LEAVES
    assert all(tree.tree_.n_node_samples.min() >= 6 // 2 for tree in forest.estimators_)


@pytest.mark.parametrize("label", [0.0, 1.0])
@pytest.mark.parametrize("kind", ["b", "m", "r"])
def test_one_label_is_predicted_everywhere(kind: str, label: float, tmp_path: Path) -> None:
    data = data_of(kind, rows=30)
    model, _ = choose(replace(data, labels=np.full(30, label)), tried=3, seed=0)
    save([model], tmp_path / "x")
    found = predict(data.task, load(tmp_path / "x")[0], data.columns)
    expected = np.eye(3)[int(label)] if kind == "m" else label
    np.testing.assert_array_equal(found, np.broadcast_to(expected, found.shape))


@pytest.mark.parametrize("rows", [2, 5, 12])
def test_few_rows_and_a_class_of_one(rows: int) -> None:
    data = data_of("b", rows=rows)
    data = replace(data, labels=(np.arange(rows) == 1).astype(float))
    model, _ = choose(data, tried=3, seed=0)
    found = predict(data.task, model, data.columns)
    assert ((found >= 0) & (found <= 1)).all()
    assert found.argmax() == 1


def test_huge_values_are_finite_in_single_precision() -> None:
    data = data_of("r", rows=40)
    model = fit(data, SETTINGS[0], 0)
    far, farther = (predict(data.task, model, np.full((1, 5), value)) for value in (1e30, 1e300))
    np.testing.assert_array_equal(far, farther)


def test_a_class_that_training_lacks() -> None:
    data = data_of("m")
    kept = data.labels != 1
    model = fit(replace(data, columns=data.columns[kept], labels=data.labels[kept]), SETTINGS[0], 0)
    found = predict(data.task, model, data.columns)
    assert found.shape == (150, 3)
    assert (found[:, 1] == 0).all()


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    for content in (b"", b"garbage", pickle.dumps([1, 2])):
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(Exception, match="not a zip file"):
            load(tmp_path / "x")
    skops.io.dump([functools.partial(print, "owned")], tmp_path / "x")
    with pytest.raises(UntrustedTypesFoundException, match=r"builtins\.print"):
        load(tmp_path / "x")
    skops.io.dump([1.0], tmp_path / "x")
    with pytest.raises(ValueError, match="something else than extra trees"):
        load(tmp_path / "x")


def test_trees_that_lead_nowhere_are_refused(tmp_path: Path) -> None:
    data = data_of("r", rows=40)
    forest = fit(data, SETTINGS[0], 0)
    tree = forest.estimators_[3].tree_
    state = tree.__getstate__()
    state["nodes"]["left_child"][0] = 10**6
    tree.__setstate__(state)
    save([forest], tmp_path / "x")
    with pytest.raises(ValueError, match="nodes lead nowhere"):
        load(tmp_path / "x")
