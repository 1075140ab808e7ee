"""``cotrain run --weights``: a contender whose weights change, from the command to the predictor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest
from end_to_end.command import cotrain, small_table, write_table

from cotrain import load
from cotrain.weighting import WeightSchedule, WeightSearch

TARGETS = ("--targets", "up,twice,price")
SHORT = ("--seeds", "2", "--max-groups", "1", "--float32")
NAMES = ("up", "twice", "price")


def finished(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return found


def test_searched_weights_are_a_contender(tmp_path: Path) -> None:
    table, folder = write_table(tmp_path / "t.csv", small_table(80)), tmp_path / "run"
    options = (*SHORT, "--weights", "pbt", "--budget", "16")
    outcome = cotrain("run", table, *TARGETS, *options, "--out", folder)
    assert outcome.code == 0, outcome.err
    result = finished(folder)
    runs = {line["stage"]: line for line in result["costs"]}
    assert runs["search weighted"]["trainings"] == 12 + 1  # the schedule again, from a fresh seed
    assert runs["weighted, all seeds"]["trainings"] == 1
    spent = np.nansum([float(line["joint_runs"]) for line in runs.values()])
    assert spent <= 16
    assert {"weighted"} <= result["tasks"][0]["test"].keys()
    gain = result["overall"]["weighted - joint"]
    (said,) = [
        line for line in result["details"] if line.startswith("Other than uniform weights took")
    ]
    assert f"{gain['value']:+.3f}" in said
    judged = "worth it" if gain["low"] > 0 else "not proven to be worth it"
    judged = "not worth it" if gain["high"] < 0 else judged
    assert said.endswith(f"on the test split: {judged} here.")
    search = WeightSearch.load(folder / "weights.safetensors")
    assert WeightSchedule.load(folder / "weights.json", NAMES) == search.schedule()
    page = (folder / "report.html").read_text()
    assert "<h2>Searched weights</h2>" in page
    assert "12 members" in page
    found = load(folder).predict(small_table(80))
    assert found.columns == list(NAMES)
    again = cotrain("run", table, *TARGETS, *options, "--out", folder, "--resume")
    assert again.code == 0, again.err
    assert finished(folder) == result
    other = cotrain("run", table, *TARGETS, *SHORT, "--weights", "pb2", "--out", folder, "--resume")
    assert other.code == 2
    assert "other settings" in other.err


@pytest.mark.parametrize("weights", ["famo", "uncertainty"])
def test_adaptive_weights_are_tuned_like_the_others(weights: str, tmp_path: Path) -> None:
    table, folder = write_table(tmp_path / "t.csv", small_table(80)), tmp_path / "run"
    options = (*SHORT, "--weights", weights, "--budget", "6")
    outcome = cotrain("run", table, *TARGETS, *options, "--out", folder)
    assert outcome.code == 0, outcome.err
    result = finished(folder)
    runs = {line["stage"]: line["trainings"] for line in result["costs"]}
    assert runs["tune weighted"] == runs["tune joint"] == runs["tune single"] / 2  # seeds; of 6, 4
    assert result["overall"]["weighted - joint"]["value"] != 0
    assert not (folder / "weights.json").exists()


def test_unknown_weights_are_named(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.csv")
    outcome = cotrain("run", table, *TARGETS, "--weights", "heavy", "--out", tmp_path / "run")
    assert outcome.code == 2
    assert "--weights 'heavy': there is uniform, it-mtl, random, uncertainty" in outcome.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("weights", ["it-mtl", "cagrad"])
def test_methods_that_read_gradients(weights: str, tmp_path: Path) -> None:
    table, folder = write_table(tmp_path / "t.csv", small_table(80)), tmp_path / "run"
    options = (*SHORT, "--weights", weights, "--budget", "6")
    outcome = cotrain("run", table, *TARGETS, *options, "--out", folder)
    assert outcome.code == 0, outcome.err
    assert finished(folder)["overall"]["weighted - joint"]["value"] != 0


def test_given_weights(tmp_path: Path) -> None:
    table, folder = write_table(tmp_path / "t.csv", small_table(80)), tmp_path / "run"
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({"price": 3, "up": 1, "twice": 0.5}))
    options = (*SHORT, "--budget", "6", "--weights", file)
    outcome = cotrain("run", table, *TARGETS, *options, "--out", folder)
    assert outcome.code == 0, outcome.err
    result = finished(folder)
    assert "(1.0, 0.5, 3.0)" in json.loads((folder / "run.json").read_text())["settings"]["weights"]
    assert result["overall"]["weighted - joint"]["value"] != 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"price": 3, "up": 1, "twise": 1}, "weighs 'twise': did you mean 'twice'"),
        ({"price": 3, "up": 1}, "has no weight for 'twice'"),
        (
            {"price": -3, "up": 1, "twice": 1},
            "the weight of 'price' must be finite and not negative",
        ),
        ({"price": 0, "up": 0, "twice": 0}, "all weights are 0"),
        ({"price": float("nan"), "up": 0, "twice": 0}, "the weight of 'price' must be finite"),
        ({"price": 0, "up": 1, "twice": 1}, "never train 'price'"),
        ({"price": 2, "up": 2, "twice": 2}, "are uniform: that is the contender 'joint'"),
        ([1, 2, 3], 'must hold {"target": weight, ...}, with every target'),
    ],
)
def test_bad_weight_files(content: object, message: str, tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.csv", small_table(80))
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(content))
    options = (*SHORT, "--budget", "6", "--weights", file)
    outcome = cotrain("run", table, *TARGETS, *options, "--out", tmp_path / "run")
    assert outcome.code == 2
    assert message in outcome.err


def test_every_name_of_the_help_makes_a_contender() -> None:
    pytest.importorskip("torchjd")
    from cotrain.cli.run import Contenders
    from cotrain.weighting.named import NAMED, named_weighting

    hints = get_type_hints(Contenders, include_extras=True)["weights"]
    names = "random uncertainty optimal-uncertainty imtl-l dwa geometric famo it-mtl pcgrad cagrad aligned"
    assert set(NAMED) == {*names.split(), "mgda", "upgrad", "pbt", "pb2"}
    for name in NAMED:
        assert name in hints.__metadata__[0].help
        assert named_weighting(name, NAMES) is not None
