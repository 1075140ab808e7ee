"""``cotrain study scalarization``: from the command to the page, killed and resumed, and refused."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from end_to_end.command import Outcome, cotrain, often_saving, small_table, write_table
from safetensors.numpy import load_file

from cotrain import from_arrays
from cotrain.data import from_domains
from cotrain.folder import RunFolder
from cotrain.studies import Grid, ScalarizationStudy, study_scalarization
from cotrain.studies.scalarization.scores import PairScores

TARGETS = ("--targets", "up,twice,price")
QUICK = (
    *(
        "--units",
        "4,8",
        "--depths",
        "1",
        "--constant-weights",
        "0.25,0.75",
        "--learning-rates",
        "1e-2",
    ),
    *("--seeds", "2", "--float32"),
)
GRID = Grid(
    shares=(0.25,), widths=(4,), depths=(1,), learning_rates=(0.01,), seeds=2, low_precision=False
)
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["cotrain.studies", "cotrain.cli.progress", "cotrain.reporting"])


@dataclass(frozen=True, kw_only=True)
class Studied:
    """A table, and a study on it."""

    table: Path
    folder: Path
    outcome: Outcome

    def again(self, *options: str | Path) -> Outcome:
        return cotrain("study", "scalarization", self.table, *TARGETS, *options)


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory) -> Studied:
    home = tmp_path_factory.mktemp("studied")
    table = write_table(home / "t.csv", small_table(80))
    folder = home / "run"
    outcome = cotrain("study", "scalarization", table, *TARGETS, *QUICK, "--out", folder)
    assert outcome.code == 0, outcome.err
    return Studied(table=table, folder=folder, outcome=outcome)


def without_seconds(folder: Path) -> dict[str, Any]:
    """``study.json``, less what a clock says."""
    study: dict[str, Any] = json.loads((folder / "study.json").read_text())
    del study["cost"]["seconds"]
    return study


def test_what_is_in_the_folder(studied: Studied) -> None:
    files = ["run.json", "scores.safetensors", "study.html", "study.json"]
    assert sorted(path.name for path in studied.folder.iterdir()) == files
    study = ScalarizationStudy.read(RunFolder(studied.folder))
    assert study.sizes == ("4x1", "8x1")
    assert study.parameters == (4 * 12 + 4, 8 * 12 + 8)  # four numbers and two bins of each
    assert {frozenset(pair) for pair in study.pairs} == {
        frozenset(pair) for pair in (("up", "twice"), ("up", "price"), ("twice", "price"))
    }
    assert study.weights == (0.0, 0.25, 0.5, 0.75, 1.0)
    # 3 pairs x 3 weights and 3 tasks alone, then the uniform ones once more; 2 sizes x 2 seeds
    assert study.cost.trainings == 4 * (9 + 3) + 4 * 3
    assert study.cost.examples > 4 * 15 * 64
    scores = PairScores.read(RunFolder(studied.folder))
    assert scores.valid.shape == scores.test.shape == (2, 3, 5, 2, 2)
    assert np.isfinite(scores.valid[:, :, 1:-1]).all()
    assert np.isfinite(scores.conflict).all()
    assert ((scores.conflict >= 0) & (scores.conflict <= 1)).all()


def test_it_says_what_it_found(studied: Studied) -> None:
    out = studied.outcome.out
    study = ScalarizationStudy.read(RunFolder(studied.folder))
    assert (
        "all 3 pairs of tasks, 3 weights and each task alone, 2 network sizes, 2 seeds; too" in out
    )
    assert f"\n{study}\n" in out
    assert len(re.findall(r"^(CONFIRMED|REFUTED|UNDECIDED) here: ", out, re.MULTILINE)) == 3
    assert re.findall("^(.*) …$", out, re.MULTILINE) == [
        "train 4x1",
        "train 8x1",
        "conflicts 4x1",
        "conflicts 8x1",
    ]
    assert out.endswith(f"\nreport: {studied.folder / 'study.html'}\n")
    assert studied.outcome.err == ""


def test_the_page_has_the_answer_and_three_pictures(studied: Studied) -> None:
    page = (studied.folder / "study.html").read_text()
    assert re.findall("<h2>(.*?)</h2>", page) == [
        "Answer",
        "Gain over single-task training against model size",
        "Best weight against model size",
        "Conflicting gradients against validation gain",
    ]
    figures = re.findall(r'<script type="application/json" data-plot=".*?">(.*?)</script>', page)
    gain, weight, conflict = (json.loads(text) for text in figures)
    assert [len(figure["data"]) for figure in (gain, weight, conflict)] == [2, 3, 2]
    study = ScalarizationStudy.read(RunFolder(studied.folder))
    assert gain["data"][0]["y"] == [one.value for one in study.estimates.uniform_gain]
    assert weight["data"][0]["y"] == [row[0] for row in study.best]
    assert conflict["data"][1]["x"] == list(study.conflict[1])


def test_resuming_a_finished_study_only_shows_it_again(studied: Studied) -> None:
    kept = [studied.folder / name for name in ("run.json", "scores.safetensors", "study.json")]
    times = [path.stat().st_mtime_ns for path in kept]
    again = studied.again(*QUICK, "--out", studied.folder, "--resume")
    assert (again.code, again.err) == (0, "")
    assert again.out == re.sub("^.* …\n", "", studied.outcome.out, flags=re.MULTILINE)
    assert [path.stat().st_mtime_ns for path in kept] == times


@pytest.mark.parametrize(
    "pattern",
    [
        "population/4x1/population/from-0-0.checkpoint.safetensors",
        "population/4x1/population/conflicts-0.json",
        "scores.safetensors",
    ],
)
def test_killed_and_resumed_equals_uninterrupted(
    studied: Studied, tmp_path: Path, pattern: str
) -> None:
    folder, said = tmp_path / "run", tmp_path / "said"
    command = ("study", "scalarization", str(studied.table), *TARGETS, *QUICK, "--out", str(folder))
    process = FORKS.Process(target=often_saving, args=(command, str(said)))
    process.start()
    while not any(folder.glob(pattern)):
        assert process.is_alive(), said.read_text()
        time.sleep(0.002)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert not (folder / "study.html").exists()
    outcome = studied.again(*QUICK, "--out", folder, "--resume")
    assert outcome.code == 0, outcome.err
    assert without_seconds(folder) == without_seconds(studied.folder)
    here, there = (load_file(at / "scores.safetensors") for at in (folder, studied.folder))
    for name, tensor in here.items():
        np.testing.assert_array_equal(tensor, there[name])
    files = sorted(path.name for path in folder.rglob("*"))
    assert files == sorted(path.name for path in studied.folder.rglob("*"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--constant-weights", "0.25,x"),
            "--constant-weights '0.25,x': write numbers with commas between",
        ),
        (("--constant-weights", "0,0.5"), "shares must be above 0 and below 1, got 0"),
        (("--units", "8.5"), "--units '8.5': write whole numbers with commas between"),
        (("--depths", "0"), "depths must be above 0, got 0"),
        (("--learning-rates", "nan"), "learning_rates must be above 0, got nan"),
        (("--targets", "up"), "a pair needs two tasks, there is one: name more targets"),
    ],
)
def test_bad_options_leave_nothing(
    studied: Studied, tmp_path: Path, options: tuple[str, str], message: str
) -> None:
    targets = () if options[0] == "--targets" else TARGETS
    folder = tmp_path / "run"
    outcome = cotrain("study", "scalarization", studied.table, *targets, *options, "--out", folder)
    assert outcome.code == 2
    assert outcome.err == f"error: {message}\n"
    assert not folder.exists()


def test_another_study_is_refused(studied: Studied) -> None:
    outcome = studied.again(*QUICK, "--units", "4", "--out", studied.folder, "--resume")
    assert outcome.code == 2
    assert "holds a run with other settings (widths)" in outcome.err
    outcome = cotrain("measure", studied.table, *TARGETS, "--out", studied.folder, "--resume")
    assert outcome.code == 2
    assert "holds a run with other verb" in outcome.err


def test_domains_are_pairs_like_tasks(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(300, 4))
    labels = {"near": x[:, 0] > 0, "like": x[:, 0] + 0.1 * x[:, 1] > 0, "far": x[:, 3] > 0}
    domains = {name: (x[at::3], y[at::3]) for at, (name, y) in enumerate(labels.items())}
    study = study_scalarization(from_domains(domains), out=tmp_path, grid=GRID)
    assert len(study.pairs) == 3
    gain = dict(zip(map(frozenset, study.pairs), study.gain[0], strict=True))
    assert gain[frozenset(("near", "like"))] > gain[frozenset(("near", "far"))]
    share = dict(zip(map(frozenset, study.pairs), study.conflict[0], strict=True))
    assert share[frozenset(("near", "like"))] < share[frozenset(("near", "far"))]


def test_domains_from_the_command(tmp_path: Path) -> None:
    frame = small_table(120).with_columns(shop=pl.Series(["a", "b"] * 60))
    table = write_table(tmp_path / "t.csv", frame.drop("twice", "price"))
    options = (
        "--targets",
        "up",
        "--domain",
        "shop",
        "--split",
        "stratified",
        *QUICK,
        "--units",
        "4",
    )
    outcome = cotrain("study", "scalarization", table, *options, "--out", tmp_path / "run")
    assert outcome.code == 0, outcome.err
    study = ScalarizationStudy.read(RunFolder(tmp_path / "run"))
    assert {frozenset(pair) for pair in study.pairs} == {frozenset("ab")}


def test_permuting_and_renaming_tasks_changes_nothing(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    x = draw.normal(size=(120, 4))
    y = np.stack([x[:, 0] > 0, x[:, 0] + x[:, 1] > 0, x[:, 2]], axis=1).astype(float)
    order = [2, 0, 1]
    here, there = (
        study_scalarization(from_arrays(x, own, names=names), out=tmp_path / names[0], grid=GRID)
        for own, names in ((y, ["a", "b", "c"]), (y[:, order], ["z", "x", "y"]))
    )
    renamed = dict(zip("abc", "xyz", strict=True))
    assert [tuple(renamed[name] for name in pair) for pair in here.pairs] == list(there.pairs)
    for name in ("best", "conflict", "gain"):
        np.testing.assert_allclose(getattr(here, name), getattr(there, name), atol=1e-6)
    a, b = here.estimates, there.estimates
    for one, other in ((a.uniform_gain[0], b.uniform_gain[0]), (a.regret, b.regret)):
        np.testing.assert_allclose(
            [one.value, one.low, one.high], [other.value, other.low, other.high], atol=1e-5
        )
