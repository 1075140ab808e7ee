"""``cotrain pretrain`` and ``cotrain run --encoder``: from two tables to a report, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from end_to_end.command import QUICK, Outcome, cotrain, small_table, write_table

from cotrain import load
from cotrain.errors import InputError
from cotrain.transfer import load_encoder
from cotrain.transfer.few_shot import FewShot

PAID = (
    "tune single and joint", "measure: joint run", "tune groups", "tune pretrained",
    "single and joint, all seeds", "pretrained, all seeds", "few-shot curves",
)  # fmt: skip
LESS_QUICK = ("--seeds", "2", "--budget", "6", "--max-groups", "1", "--float32")
SOURCES = ("--targets", "up,twice", "--ignore", "price", "--widths", "16,8", "--float32")


def goals(rows: int = 160, seed: int = 5) -> pl.DataFrame:
    """The inputs of the small table and another target, which needs what its targets need."""
    frame = small_table(rows, seed).drop("up", "twice", "price")
    return frame.with_columns(goal=(pl.col("x0") + 0.15 * pl.col("x1") > 0).cast(pl.Int64))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both tables, and an encoder of the first."""
    folder = tmp_path_factory.mktemp("transfer")
    write_table(folder / "sources.csv", small_table(240))
    write_table(folder / "target.csv", goals())
    outcome = cotrain("pretrain", folder / "sources.csv", *SOURCES, "--out", folder / "encoder")
    assert outcome.code == 0, outcome.err
    assert "encoder pre-finetuned on 2 sources of sources: 216 rows, 432 labels" in outcome.out
    assert f"cotrain run DATA --encoder {folder / 'encoder'}" in outcome.out
    return folder


@pytest.fixture(scope="module")
def finished(place: Path) -> Outcome:
    """A run that starts from the encoder."""
    return cotrain(
        "run", place / "target.csv", "--targets", "goal", *LESS_QUICK, "--out", place / "run",
        "--encoder", place / "encoder",
    )  # fmt: skip


def test_a_run_from_an_encoder(place: Path, finished: Outcome) -> None:
    assert finished.code == 0, finished.err
    result = json.loads((place / "run" / "result.json").read_text())
    (task,) = result["tasks"]
    assert set(task["test"]) == {
        "single", "joint", "groups", "pretrained", "linear", "trees", "extra trees",
        "equal parts",
    }  # fmt: skip
    assert "pretrained - single" in result["overall"]
    costs = {line["stage"]: line for line in result["costs"]}
    facts = load_encoder(place / "encoder").facts
    assert costs["pre-finetuning of the encoder"]["examples"] == facts.examples
    assert costs["tune pretrained"]["trainings"] == 2  # both seeds
    assert costs["few-shot curves"]["trainings"] == 2 * 2 * 2  # numbers of rows, starts, seeds
    networks = sum(line["joint_runs"] or 0 for stage, line in costs.items() if stage in PAID)
    assert costs["few-shot curves"]["joint_runs"] > 0.2
    assert networks <= result["budget"] == 6
    page = (place / "run" / "report.html").read_text()
    assert "Few rows: when does pre-finetuning pay?" in page
    assert "Pre-finetuning" in finished.out


def test_the_curves(place: Path, finished: Outcome) -> None:
    curves = FewShot.load(place / "run" / "few_shot.safetensors")
    assert (curves.tasks, curves.rows, curves.scores.shape) == (
        ("goal",),
        (16, 64, 128),
        (3, 1, 3, 2),
    )
    means = {name: [value.value for value in curves.mean(name)] for name in ("scratch", "encoder")}
    assert min(means["encoder"]) > 0.9  # the sources all but say what the goal is
    assert means["scratch"][2] > 0.9
    assert curves.redrawn.shape == (100, 3, 3)


def test_on_all_rows_the_curves_are_the_contenders(place: Path, finished: Outcome) -> None:
    curves = FewShot.load(place / "run" / "few_shot.safetensors")
    (task,) = json.loads((place / "run" / "result.json").read_text())["tasks"]
    for at, contender in enumerate(("single", "pretrained", "trees")):
        spread = curves.scores[-1, 0, at].std(ddof=1)
        assert spread == pytest.approx(task["seed_std"][contender], abs=1e-9)


def test_its_models_predict_new_rows(place: Path, finished: Outcome) -> None:
    predictor = load(place / "run")
    assert predictor.input_columns == ("x0", "x1", "x2", "x3")
    new = goals(200, seed=11)
    found = predictor.predict(new)["goal"].to_numpy()
    agree = (found > 0.5) == (new["goal"].to_numpy() == 1)
    assert agree.mean() > 0.85


def test_curves_can_be_left_out(place: Path, tmp_path: Path) -> None:
    asked = (
        "run",
        place / "target.csv",
        "--targets",
        "goal",
        *QUICK,
        "--encoder",
        place / "encoder",
    )
    outcome = cotrain(*asked, "--few-rows", "none", "--out", tmp_path / "run")
    assert outcome.code == 0, outcome.err
    assert "Few rows" not in outcome.out
    assert not (tmp_path / "run" / "few_shot.safetensors").exists()
    refused(
        cotrain(*asked, "--few-rows", "1", "--out", tmp_path / "x"), "few_rows must be at least 2"
    )
    refused(cotrain(*asked, "--few-rows", "no", "--out", tmp_path / "x"), "--few-rows 'no': write")


def test_a_finished_run_is_read_back(place: Path, finished: Outcome) -> None:
    again = cotrain(
        "run", place / "target.csv", "--targets", "goal", *LESS_QUICK, "--out", place / "run",
        "--encoder", place / "encoder", "--resume",
    )  # fmt: skip
    assert again.code == 0, again.err
    bare = cotrain(
        "run",
        place / "target.csv",
        "--targets",
        "goal",
        *LESS_QUICK,
        "--out",
        place / "run",
        "--resume",
    )
    assert bare.code == 2
    assert "holds a run with other data" in bare.err or "other settings" in bare.err


def test_the_encoder_without_the_rows_of_another_table(place: Path, tmp_path: Path) -> None:
    half = small_table(240).head(100).drop("up")
    outcome = cotrain(
        "pretrain", place / "sources.csv", *SOURCES, "--out", tmp_path / "e",
        "--without", write_table(tmp_path / "half.csv", half), "--sampling", "uniform",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "rows left out, also in half.csv: 100" in outcome.out
    facts = load_encoder(tmp_path / "e").facts
    assert facts.rows == 126
    assert facts.temperature == float("inf")


def refused(outcome: Outcome, message: str) -> None:
    assert outcome.code == 2, outcome.out + outcome.err
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


def attempt(place: Path, frame: pl.DataFrame, *options: str, target: str = "goal") -> Outcome:
    """A run on another table."""
    table = write_table(place / "other.csv", frame)
    return cotrain(
        "run", table, "--targets", target, *QUICK, "--out", place / "none",
        "--encoder", place / "encoder", *options,
    )  # fmt: skip


def test_a_target_among_the_sources(place: Path) -> None:
    frame = goals().rename({"goal": "twice"})
    refused(attempt(place, frame, target="twice"), "target 'twice' is among the sources of the enc")


def test_test_rows_among_the_training_rows(place: Path) -> None:
    overlapping = pl.concat([goals(110), small_table(240).head(50).select("x0", "x1", "x2", "x3")
                             .with_columns(goal=pl.lit(1, dtype=pl.Int64))])  # fmt: skip
    outcome = attempt(place, overlapping)
    refused(outcome, "of 16 validation rows have the inputs of rows that the encoder was trained")
    assert " of 16 test rows and " in outcome.err
    assert "--allow-overlap" in outcome.err


def test_a_preparation_of_another_encoder(place: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(place / "encoder", tmp_path / "e")
    known = json.loads((copy / "preparation" / "preparation.json").read_text())
    known["network_kept"][0] = False
    (copy / "preparation" / "preparation.json").write_text(json.dumps(known))
    with pytest.raises(
        InputError, match=r"inputs of shape \(27,\) where encoder.json promises \(28,"
    ):
        load_encoder(copy)
    (copy / "preparation" / "preparation.skops").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"preparation\.skops is missing or damaged"):
        load_encoder(copy)
    shutil.rmtree(copy / "preparation")
    asked = ("run", place / "target.csv", "--targets", "goal", "--out", tmp_path / "x", "--encoder")
    refused(cotrain(*asked, copy), "an encoder for tables has a folder preparation: copy it, too")


def test_columns_that_lack(place: Path) -> None:
    refused(attempt(place, goals().drop("x2")), "the encoder reads 'x2', which is no input of this")
    as_target = attempt(place, goals(), target="goal,x3")
    refused(as_target, "the encoder reads 'x3', which is no input of this table")


def test_further_columns_are_for_the_trees(place: Path) -> None:
    frame = goals().with_columns(extra=pl.Series(np.arange(160) * 1.0))
    outcome = attempt(place, frame, "--budget", "0.0001")
    assert "input columns that the encoder does not read, only trees do: extra" in outcome.out
    assert "--budget 0.0001 is too small" in outcome.err


def test_no_encoder(place: Path) -> None:
    outcome = cotrain(
        "run",
        place / "target.csv",
        "--targets",
        "goal",
        "--encoder",
        place,
        "--out",
        place / "none",
    )
    refused(outcome, "holds no encoder: give the --out folder of cotrain pretrain")


@pytest.mark.parametrize("sampling", ["0.5", "nan", "all"])
def test_no_sampling(place: Path, sampling: str) -> None:
    outcome = cotrain(
        "pretrain", place / "sources.csv", *SOURCES, "--out", place / "x", "--sampling", sampling
    )
    refused(outcome, f"--sampling {sampling!r}: write size, uniform, or a number from 1 on")


def test_a_source_without_usable_labels(place: Path) -> None:
    frame = small_table(60).with_columns(
        rare=pl.when(pl.int_range(60) == 3).then(1).when(pl.int_range(60) < 4).then(0)
    )
    outcome = cotrain(
        "pretrain", write_table(place / "rare.csv", frame), "--targets", "up,rare",
        "--ignore", "twice,price", "--out", place / "x",
    )  # fmt: skip
    refused(outcome, "source 'rare' has ")
    assert not (place / "x").exists()
