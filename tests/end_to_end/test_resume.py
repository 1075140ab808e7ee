"""Law 6: a run that is killed and resumed ends as if nobody had touched it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from end_to_end.command import cotrain, small_table, write_table
from safetensors.numpy import load_file

TARGETS = ("--targets", "up,twice,price")
OPTIONS = ("--seeds", "2", "--budget", "8", "--max-groups", "2", "--float32")
DRIVER = """
import sys
import torch
torch.set_num_threads(1)
from cotrain.population.engine import Engine
Engine.__init__.__kwdefaults__["checkpoint_seconds"] = 0.05
from cotrain.__main__ import main
sys.argv[0] = "cotrain"
main()
"""
"""The command, with a checkpoint every 50 ms instead of every 10 s."""


def launch(*arguments: str | Path) -> subprocess.Popen[str]:
    """Start the command in a process of its own."""
    command = [sys.executable, "-c", DRIVER, *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def wait_for(process: subprocess.Popen[str], folder: Path, pattern: str) -> bool:
    """Wait until a file of the pattern is in the folder; false if the process ended before."""
    while process.poll() is None:
        if any(folder.glob(pattern)):
            return True
        time.sleep(0.002)
    return False


def stop(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str, str]:
    """Send the signal; exit code, output and errors."""
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def kill_when(folder: Path, table: Path, pattern: str, *options: str) -> None:
    """Start or resume a run and kill -9 it as soon as the file is there."""
    process = launch("run", table, *TARGETS, "--out", folder, *OPTIONS, *options)
    assert wait_for(process, folder, pattern), process.communicate()
    assert stop(process, signal.SIGKILL)[0] == -signal.SIGKILL
    assert not (folder / "result.json").exists()


def result_without_seconds(folder: Path) -> dict[str, Any]:
    """``result.json``, less what a clock says."""
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    for line in result["costs"]:
        del line["seconds"]
    chosen = json.loads((folder / "engine.json").read_text())["chosen"]
    assert result["settings"].pop("engine").startswith(f"engine: {chosen} (")
    return result


@dataclass(frozen=True, kw_only=True)
class Uninterrupted:
    """A table, and a run on it that was left alone."""

    table: Path
    folder: Path

    def predictions(self, folder: Path) -> pl.DataFrame:
        """What a run predicts for the rows of the table."""
        output = folder.with_name(f"{folder.name}-predictions.csv")
        assert cotrain("predict", folder, self.table, "-o", output).code == 0
        return pl.read_csv(output)

    def check(self, folder: Path) -> None:
        """Resume the run in the folder, and compare everything but the clock."""
        again = ("run", self.table, *TARGETS, "--out", folder, *OPTIONS, "--resume")
        outcome = cotrain(*again)
        assert outcome.code == 0, outcome.err
        engines = [json.loads((f / "engine.json").read_text()) for f in (self.folder, folder)]
        assert engines[0]["chosen"] == engines[1]["chosen"]
        assert result_without_seconds(folder) == result_without_seconds(self.folder)
        here, there = (load_file(f / "model/networks.safetensors") for f in (folder, self.folder))
        assert here.keys() == there.keys()
        for name, tensor in here.items():
            np.testing.assert_array_equal(tensor, there[name])
        assert self.predictions(folder).equals(self.predictions(self.folder))
        files = [{str(p.relative_to(f)) for p in f.rglob("*")} for f in (folder, self.folder)]
        assert files[0] == files[1]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Uninterrupted:
    """A run that nobody interrupts."""
    home = tmp_path_factory.mktemp("reference")
    table = write_table(home / "t.csv")
    process = launch("run", table, *TARGETS, "--out", home / "run", *OPTIONS)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, ""), out
    return Uninterrupted(table=table, folder=home / "run")


@pytest.mark.parametrize(
    "pattern",
    [
        "run.json",
        "population/tune-0.checkpoint.safetensors",
        "population/tune-0.safetensors",
        "affinity.safetensors",
        "population/final-0.*",
        "trees/0.json",
        "trees/2.model",
        "model/*",
    ],
)
def test_killed_and_resumed_equals_uninterrupted(
    reference: Uninterrupted, tmp_path: Path, pattern: str
) -> None:
    kill_when(tmp_path / "run", reference.table, pattern)
    reference.check(tmp_path / "run")


def test_several_kills_in_a_row(reference: Uninterrupted, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    kill_when(folder, reference.table, "engine.json")
    rounds = []
    for kill in range(3):
        process = launch(
            "run", reference.table, *TARGETS, "--out", folder, *OPTIONS, "--resume"
        )
        checkpoint = folder / "population" / "tune-0.checkpoint.safetensors"
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        while process.poll() is None and not (
            checkpoint.exists() and checkpoint.stat().st_mtime_ns > before
        ):
            time.sleep(0.002)
        assert stop(process, signal.SIGKILL)[0] == -signal.SIGKILL, f"kill {kill} came too late"
        rounds.append(checkpoint_round(checkpoint))
    assert rounds[0] < rounds[1] < rounds[2]
    reference.check(folder)


def checkpoint_round(path: Path) -> int:
    """The round a checkpoint was written in."""
    from cotrain.artifacts import RunFolder

    facts = RunFolder(path.parent).read_tensors(path.name)[1]
    assert isinstance(facts["round"], int)
    return facts["round"]


@pytest.mark.parametrize("pattern", ["engine.json", "affinity.safetensors", "trees/0.json"])
def test_control_c_says_how_to_go_on(
    reference: Uninterrupted, tmp_path: Path, pattern: str
) -> None:
    folder = tmp_path / "run"
    process = launch("run", reference.table, *TARGETS, "--out", folder, *OPTIONS)
    assert wait_for(process, folder, pattern), process.communicate()
    code, out, err = stop(process, signal.SIGINT)
    assert (code, err) == (130, "")
    said = out.replace("\n", " ").split("stopped; ")[1]
    assert said.split() == f"{folder} keeps what is done: repeat the command with --resume".split()
    reference.check(folder)


@pytest.mark.parametrize(
    ("options", "differs"),
    [
        (("--seed", "1"), "data"),
        (("--max-groups", "1"), "settings"),
        (("--seeds", "3"), "settings"),
        (("--targets", "up,twice"), "data"),
    ],
)
def test_another_run_is_refused(
    reference: Uninterrupted, options: tuple[str, str], differs: str
) -> None:
    given = {**dict(zip(OPTIONS[:-1:2], OPTIONS[1::2], strict=True)), TARGETS[0]: TARGETS[1]}
    given[options[0]] = options[1]
    flat = [word for pair in given.items() for word in pair]
    outcome = cotrain(
        "run", reference.table, *flat, "--float32", "--out", reference.folder, "--resume"
    )
    assert (outcome.code, outcome.err) == (
        2,
        f"error: {reference.folder} holds a run with other {differs}: repeat the command of that "
        "run, or choose another --out\n",
    )


def test_another_table_is_refused(reference: Uninterrupted, tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.csv", small_table(seed=1))
    outcome = cotrain("run", table, *TARGETS, *OPTIONS, "--out", reference.folder, "--resume")
    assert outcome.code == 2
    assert outcome.err.startswith(f"error: {reference.folder} holds a run with other data: ")


def test_resuming_a_finished_run_only_shows_it_again(reference: Uninterrupted) -> None:
    """In well under a second; the files other than the report are not touched."""
    command = ("run", reference.table, *TARGETS, *OPTIONS, "--out", reference.folder, "--resume")
    kept = [path for path in reference.folder.rglob("*") if path.is_file()]
    kept.remove(reference.folder / "report.html")
    report = (reference.folder / "report.html").read_bytes()
    times = {path: path.stat().st_mtime_ns for path in kept}
    began = time.monotonic()
    first = cotrain(*command)
    assert time.monotonic() - began < 2
    assert first.code == 0, first.err
    assert cotrain(*command).out == first.out
    assert "tune …" not in first.out
    assert {path: path.stat().st_mtime_ns for path in kept} == times
    assert (reference.folder / "report.html").read_bytes() == report
