"""A contender from outside the package: the mean label, in the result, the ledger, the report, shipped."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cotrain import InputError, Settings, from_arrays, load, plan
from cotrain.arrays import Array
from cotrain.contenders import ModelContender, Terms
from cotrain.contenders.base import Model
from cotrain.data.dataset import Development, Rows, Splits
from cotrain.data.folds import crossfitted
from cotrain.reporting import render_html
from cotrain.run.mixture import Mixture
from cotrain.run.shipping import what_ships
from cotrain.tasks import Task

SETTINGS = Settings(seeds=2, budget=10.0, max_groups=1, low_precision=False)


class MeanLabel(ModelContender):
    """Predicts the mean training label of a task (of a class: its frequency), whatever the inputs."""

    name = "mean label"
    compared_with = ("single",)

    def fit(self, cuts: Sequence[Development], task: int, *, tried: int) -> list[Model]:
        """The mean of each cut's training labels; nothing is tuned."""
        return [float(cut.train.labels(task)[1].mean()) for cut in cuts]

    def predict(self, task: Task, model: Model, rows: Rows) -> Array:
        """A constant."""
        return np.full(len(rows.columns), model)

    def save(self, models: list[Model], path: Path) -> None:
        """As JSON."""
        path.write_text(json.dumps(models))

    def load(self, path: Path) -> list[Model]:
        """From JSON."""
        return [float(value) for value in json.loads(path.read_text())]

    def trainings(self, terms: Terms) -> int:
        """Nothing is tuned."""
        return terms.seeds


def data() -> Splits:
    x = np.random.default_rng(0).normal(size=(240, 4))
    y = np.stack([x[:, 0] > 0, x[:, 1] + 5.0], axis=1)
    return from_arrays(x, y, names=["up", "height"], kinds={"up": "binary"})


def test_it_takes_part(tmp_path: Path) -> None:
    result, _ = plan(data(), out=tmp_path / "run", settings=SETTINGS, contenders=[MeanLabel()])
    scores = {task.name: task.test for task in result.tasks}
    models = ["linear", "trees", "extra trees", "mean label"]
    assert list(scores["up"]) == ["single", "joint", "groups", *models, "equal parts"]
    assert scores["up"]["mean label"] == 0.5  # all rows tie
    assert -0.2 < scores["height"]["mean label"] <= 0.0  # R² of a constant
    assert scores["height"]["single"] > 0.8
    assert result.mean_test["mean label"] == pytest.approx(
        (0.5 + scores["height"]["mean label"]) / 2
    )
    assert result.overall["mean label - single"].high < 0
    (line,) = [line for line in result.costs if line.contender == "mean label"]
    assert (line.stage, line.purpose, line.trainings) == ("mean label", "shipping", 2 * 2)
    page = render_html(result)
    assert ">mean label</th>" in page.replace("\n", "") or "mean label" in page
    assert all("mean label" not in part for part in (task.served_by for task in result.tasks))


def test_it_is_shipped_and_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def serve_the_mean(*arguments: Any) -> Mixture:
        return dataclasses.replace(
            what_ships(*arguments), weights=({"joint": 1.0}, {"mean label": 1.0})
        )

    monkeypatch.setattr("cotrain.run.plan.what_ships", serve_the_mean)
    splits, out = data(), tmp_path / "run"
    result, predictor = plan(splits, out=out, settings=SETTINGS, contenders=[MeanLabel()])
    assert [task.served_by for task in result.tasks] == ["joint", "mean label"]
    rows = splits.development.valid.inputs.numpy()
    found = predictor.predict(rows)
    folds = crossfitted(splits.development, seeds=2, seed=0)  # each model has its own rows' mean
    means = [float(folds.cut(seed).train.labels(1)[1].mean()) for seed in range(2)]
    assert means[0] != means[1]
    mean = splits.tasks[1].mean + splits.tasks[1].scale * sum(means) / 2
    assert found["height"].to_list() == pytest.approx([mean] * len(rows), abs=1e-6)
    again = load(out, contenders=[MeanLabel()]).predict(rows)
    assert again.equals(found)
    with pytest.raises(InputError, match=r"fitted by the contender 'mean label': pass contenders="):
        load(out)


@pytest.mark.parametrize("name", ["trees", "equal parts", "shipped"])
def test_a_name_that_is_taken_is_refused(name: str, tmp_path: Path) -> None:
    mine = type("Mine", (MeanLabel,), {"name": name})()
    with pytest.raises(InputError, match=f"the name '{name}' of a contender is taken"):
        plan(data(), out=tmp_path / "run", settings=SETTINGS, contenders=[mine])
    assert not (tmp_path / "run").exists()


def test_a_folder_with_another_field_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "run"
    plan(data(), out=out, settings=SETTINGS, contenders=[MeanLabel()])
    with pytest.raises(InputError, match="holds a run with other settings \\(contenders\\)"):
        plan(data(), out=out, settings=SETTINGS)
