"""Law 6: a run that is killed and resumed ends as if nobody had touched it."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from end_to_end.command import cotrain, often_saving, small_table, write_table
from safetensors.numpy import load_file

from cotrain.folder import RunFolder

TARGETS = ("--targets", "up,twice,price")
OPTIONS = ("--seeds", "2", "--budget", "8", "--max-groups", "2", "--float32")
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    ["cotrain.run.predictor", "cotrain.cli.progress", "cotrain.reporting", "sklearn.ensemble"]
)


@dataclass(frozen=True, kw_only=True)
class Running:
    """The command in a process of its own, which writes what it says to a file."""

    process: BaseProcess
    said: Path

    def until(self, folder: Path, pattern: str) -> bool:
        """Wait until a file of the pattern is in the folder; false if the process ended before."""
        return self.when(lambda: any(folder.glob(pattern)))

    def when(self, condition: Callable[[], bool]) -> bool:
        """Wait for the condition; false if the process ended before."""
        while self.process.is_alive():
            if condition():
                return True
            time.sleep(0.002)
        return False

    def stop(self, number: signal.Signals) -> int:
        """Send the signal and return the exit code."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)
        return self.end()

    def end(self) -> int:
        """Wait for the end; the exit code."""
        self.process.join(120)
        assert self.process.exitcode is not None
        return self.process.exitcode


def launch(folder: Path, table: Path, *options: str) -> Running:
    """Start or resume a run."""
    said = folder.with_name(f"{folder.name}.log")
    command = ("run", str(table), *TARGETS, "--out", str(folder), *OPTIONS, *options)
    process = FORKS.Process(target=often_saving, args=(command, str(said)))
    process.start()
    return Running(process=process, said=said)


def kill_when(folder: Path, table: Path, pattern: str, *options: str) -> None:
    """Start or resume a run and kill -9 it as soon as the file is there."""
    running = launch(folder, table, *options)
    assert running.until(folder, pattern), running.said.read_text()
    assert running.stop(signal.SIGKILL) == -signal.SIGKILL
    assert not (folder / "result.json").exists()


def result_without_seconds(folder: Path) -> dict[str, Any]:
    """``result.json``, less what a clock says."""
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    for line in result["costs"]:
        del line["seconds"]
    for price in result["prices"].values():
        del price["milliseconds"]
    chosen = json.loads((folder / "engine.json").read_text())["chosen"]
    assert result["settings"].pop("engine").startswith(f"{chosen} (")
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
    running = launch(home / "run", table)
    assert running.end() == 0, running.said.read_text()
    return Uninterrupted(table=table, folder=home / "run")


@pytest.mark.parametrize(
    "pattern",
    [
        "run.json",
        "population/tune-0.checkpoint.safetensors",
        "population/tune-0.safetensors",
        "gains.safetensors",
        "models/3-0.json",
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
    checkpoint = folder / "population" / "tune-0.checkpoint.safetensors"
    epochs = [0]
    for _ in range(3):
        running = launch(folder, reference.table, "--resume")
        assert running.when(lambda: checkpoint_round(checkpoint) > epochs[-1]), "too late"
        assert running.stop(signal.SIGKILL) == -signal.SIGKILL
        epochs.append(checkpoint_round(checkpoint))
    assert epochs == sorted(set(epochs))
    reference.check(folder)


def checkpoint_round(path: Path) -> int:
    """The epoch a checkpoint was written in; 0 without one."""
    if not path.exists():
        return 0
    facts = RunFolder(path.parent).read_tensors(path.name)[1]
    assert isinstance(facts["epoch"], int)
    return facts["epoch"]


def test_control_c_says_how_to_go_on(reference: Uninterrupted, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    running = launch(folder, reference.table)
    assert running.until(folder, "gains.safetensors"), running.said.read_text()
    assert running.stop(signal.SIGINT) == 130
    said = running.said.read_text().replace("\n", " ").split("stopped; ")[1]
    assert said.split() == f"{folder} keeps what is done: repeat the command with --resume".split()
    reference.check(folder)


@pytest.mark.parametrize(
    ("options", "differs"),
    [
        (("--seed", "1"), "data"),
        (("--max-groups", "1"), "settings (max_groups)"),
        (("--seeds", "3"), "settings (seeds)"),
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
    report = report_without_nonce(reference.folder)
    times = {path: path.stat().st_mtime_ns for path in kept}
    began = time.monotonic()
    first = cotrain(*command)
    assert time.monotonic() - began < 2
    assert first.code == 0, first.err
    assert cotrain(*command).out == first.out
    assert "tune …" not in first.out
    assert {path: path.stat().st_mtime_ns for path in kept} == times
    assert report_without_nonce(reference.folder) == report


def report_without_nonce(folder: Path) -> str:
    """The report, less the number that lets its own scripts run."""
    return re.sub(r"nonce[-=]\"?[0-9a-f]{32}", "", (folder / "report.html").read_text())
