"""``cotrain study scale``: from the command to the page, killed and resumed, and refused."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from end_to_end.command import Outcome, cotrain, write_table
from safetensors.numpy import load_file

from cotrain.data import from_arrays, from_domains
from cotrain.engine.engine import Engine, Update, Watch
from cotrain.engine.recipe import Recipe
from cotrain.folder import RunFolder
from cotrain.studies import ScaleGrid, ScaleStudy, study_scale
from cotrain.transfer import SWEEP

HELD_OUT = ("--targets", "a_*,b_*", "--target", "a_new")
GROUPS = ("--group-prefix", "_")
QUICK = ("--draws", "1", "--seeds", "2", "--rows", "24", "--widths", "6", "--float32")
GRID = ScaleGrid(draws=1, seeds=2, rows=24, widths=(6,), settings=SWEEP[:1], low_precision=False)


@pytest.fixture(scope="module", autouse=True)
def short_trainings() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in ("pretrain", "finetune"):
            patch.setattr(sys.modules[f"cotrain.transfer.{module}"], "recipe_for", recipe)
        patch.setattr("cotrain.engine.build.Engine", partial(Engine, checkpoint_seconds=0.0))
        yield


def recipe(rows: int, *, seed: int) -> Recipe:
    return Recipe(epochs=4, batch_size=16, data_seed=seed)


def families(rows: int = 120) -> pl.DataFrame:
    """Sources of two families and a target of the first; each family looks at inputs of its own."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(rows, 4))
    columns: dict[str, Any] = {f"x{at}": x[:, at] for at in range(4)}
    for at, name in enumerate(("a_1", "a_2", "b_1", "b_2", "a_new")):
        own = x[:, :2] if name[0] == "a" else x[:, 2:]
        columns[name] = (own @ np.array([1.0, 0.2 * at]) > 0).astype(int)
    return pl.DataFrame(columns)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_table(tmp_path_factory.mktemp("scale") / "t.csv", families())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scaled") / "run"


def ask(table: Path, folder: Path, *options: str) -> Outcome:
    return cotrain("study", "scale", table, *HELD_OUT, *GROUPS, *QUICK, "--out", folder, *options)


@pytest.fixture(scope="module")
def studied(table: Path, folder: Path) -> Outcome:
    outcome = ask(table, folder)
    assert outcome.code == 0, outcome.err
    return outcome


def without_seconds(folder: Path) -> dict[str, Any]:
    """``study.json``, less what a clock says."""
    study: dict[str, Any] = json.loads((folder / "study.json").read_text())
    for one in study["sets"]:
        del one["seconds"], one["epoch_seconds"]
    return study


def test_what_is_in_the_folder(studied: Outcome, folder: Path) -> None:
    files = ["run.json", "scores.safetensors", "study.html", "study.json"]
    assert sorted(path.name for path in folder.iterdir()) == files
    study = ScaleStudy.read(RunFolder(folder))
    assert study.targets == ("a_new",)
    assert study.related == ("a",)
    assert study.by_name == (True,)
    assert study.sizes == (1, 2, 4)
    assert study.examples == 96  # four fifths of 120
    assert study.unions == {"a": 2, "b": 3, "a + b": 1}
    none, everything, own = study.sets[:3]
    assert (none.name, everything.name, own.name) == ("none", "all", "a")
    assert (none.examples, none.epoch_seconds) == (0, 0)
    assert own.sources == ("a_1", "a_2")
    assert own.epoch_examples == everything.epoch_examples == 96  # sources share their rows
    cut = next(one for one in study.sets if one.labels == 24)
    assert len(cut.sources) == 4
    assert 24 <= cut.epoch_examples <= 4 * 24
    scores = load_file(folder / "scores.safetensors")
    assert scores["test"].shape == (len(study.sets), 1, 2)
    assert np.isfinite(scores["valid"]).all()
    np.testing.assert_allclose(scores["test"].mean(axis=2)[:, 0], [s.score[0] for s in study.sets])


def test_it_says_what_it_found(studied: Outcome, folder: Path) -> None:
    study = ScaleStudy.read(RunFolder(folder))
    assert f"\n{study}\n" in studied.out
    assert "4 sources in 2 groups" in studied.out
    found = re.findall(r"^(CONFIRMED|REFUTED|UNDECIDED) here: ", studied.out, re.MULTILINE)
    assert len(found) == 5
    assert studied.out.endswith(f"\nreport: {folder / 'study.html'}\n")
    assert studied.err == ""
    page = (folder / "study.html").read_text()
    assert re.findall("<h2>(.*?)</h2>", page) == [
        "Answer",
        "Target score against number of sources",
        "Target score against the cost of stage 1",
        "Related and mismatched sources, target by target",
        "Spread over seeds against number of sources",
    ]


def test_resuming_a_finished_study_only_shows_it_again(
    studied: Outcome, table: Path, folder: Path
) -> None:
    before = (folder / "study.json").stat().st_mtime_ns
    again = ask(table, folder, "--resume")
    assert again.code == 0
    assert again.out == re.sub("^.* …\n", "", studied.out, flags=re.MULTILINE)
    assert (folder / "study.json").stat().st_mtime_ns == before


@pytest.mark.parametrize("updates", [3, 19, 27])
def test_killed_and_resumed_equals_uninterrupted(tmp_path: Path, updates: int) -> None:
    class Killed(Exception):
        pass

    stages: list[str] = []

    def kill(news: Update) -> None:
        stages.append(news.stage)
        if len(stages) == updates:
            raise Killed

    def study(folder: str, watch: Watch) -> None:
        table = families()
        study_scale(
            from_arrays(table[:, :4].to_numpy(), table[:, 4:].to_numpy(), names=table.columns[4:]),
            targets=["a_new", "b_2"],
            families={"a_1": "a", "a_2": "a", "b_1": "b"},
            out=tmp_path / folder,
            grid=GRID,
            watch=watch,
        )

    study("whole", lambda news: stages.append(news.stage))
    assert len(stages) == 32
    stages.clear()
    with pytest.raises(Killed):
        study("cut", kill)
    reached = {3: "pre-finetune 1 of 4", 19: "fine-tune a_new", 27: "fine-tune b_2"}
    assert stages[-1] == reached[updates]
    study("cut", lambda _: None)
    assert without_seconds(tmp_path / "cut") == without_seconds(tmp_path / "whole")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (GROUPS[:0], "say which tasks are related: --group NAME=PATTERN,… or --group-prefix _"),
        (("--group", "a"), "--group 'a': write NAME=PATTERN,PATTERN"),
        (("--group", "a=a_*", "--group", "a=b_*"), "--group 'a' is given twice"),
        (("--group", "a=a_*,b_*"), "a study of scale needs two groups of sources, found 1"),
        (("--group", "a=a_*", "--group", "c=c*"), "'c*' of group 'c' matches no task"),
        ((*GROUPS, "--examples", "97"), "97 examples are more than the 96 labels of the smallest"),
        ((*GROUPS, "--examples", "12"), "12 examples are 3 for each of 4 sources, at least 4"),
        ((*GROUPS, "--target", "a_*,b_*"), "a study of scale needs two groups of sources, found 0"),
        ((*GROUPS, "--target", "c_new"), "target 'c_new' is not a column: did you mean"),
    ],
    ids=range(9),
)
def test_bad_options(table: Path, tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    outcome = cotrain(
        "study", "scale", table, *HELD_OUT, *options, *QUICK[:4], "--out", tmp_path / "run"
    )
    assert outcome.code == 2
    assert outcome.err.startswith(f"error: {message}")
    assert not (tmp_path / "run").exists()


def test_test_rows_among_the_sources_are_refused(tmp_path: Path) -> None:
    twice = write_table(tmp_path / "t.csv", pl.concat([families(60)] * 2))
    outcome = cotrain("study", "scale", twice, *HELD_OUT, *GROUPS, "--out", tmp_path / "run")
    assert outcome.code == 2
    assert re.search(r"error: \d+ of 12 test rows have the inputs of rows that", outcome.err)
    assert "--allow-overlap" in outcome.err


def test_domains_have_rows_of_their_own(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(400, 4))
    names = ("a1", "a2", "b1", "new")
    domains = {name: (x[at::4], x[at::4, 0] > 0) for at, name in enumerate(names)}
    stages = []

    def watch(news: Update) -> None:
        stages.append(news.stage)

    study = study_scale(
        from_domains(domains),
        targets=["new"],
        families={name: name[0] for name in names[:3]},
        out=tmp_path / "run",
        grid=GRID,
        watch=watch,
    )
    assert study.by_name == (False,)
    epoch = {one.name: one.epoch_examples for one in study.sets if one.labels is None}
    assert (epoch["all"], epoch["a"], epoch["b"]) == (240, 160, 80)
    fixed = [one for one in study.sets if one.labels is not None]
    assert {one.epoch_examples for one in fixed} == {80, 78}  # 80, twice 40, three times 26
    assert list(dict.fromkeys(stages))[-1] == "fine-tune new"
