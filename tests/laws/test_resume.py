"""Law 6: interrupted and resumed equals never interrupted, bit for bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import OPTIMIZERS, RECIPE, make_architecture, make_development, make_executor, same
from torch import nn

from cotrain.engine.engine import Engine, Update
from cotrain.engine.executors.base import Executor
from cotrain.engine.executors.calibrate import Calibration
from cotrain.engine.member import Member
from cotrain.engine.models.multitask import Architecture
from cotrain.engine.trained import Trained
from cotrain.errors import InputError
from cotrain.folder import RunFolder

KINDS = "brm"
DEVELOPMENT = make_development(KINDS)
ROUNDS = 8
MEMBERS = [
    Member(name="slow", weights=(1.0, 1.0, 1.0), learning_rate=1e-3),
    Member(name="fast", weights=(1.0, 1.0, 1.0), seed=1, learning_rate=0.3, dropout=0.0),
    Member(name="lost", weights=(1.0, 1.0, 0.0), seed=2, learning_rate=1e30),
    Member(name="still", weights=(1.0, 0.0, 1.0), seed=4, learning_rate=0.0),
    Member(name="one", weights=(0.0, 0.0, 1.0), seed=3, learning_rate=3e-2, dropout=0.5),
]


class KilledError(Exception):
    """What stops a run in these tests."""


def batch_norm() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.ReLU())


def engine(folder: Path, executor: str, stop_after: int | None = None) -> Engine:
    """An engine whose ``watch`` raises after so many epochs."""
    architecture: Architecture
    if executor == "batch norm":
        architecture = make_architecture(DEVELOPMENT, encoder=batch_norm)
        runner: Executor = make_executor("sequential", architecture)
    else:
        architecture = make_architecture(DEVELOPMENT)
        runner = make_executor(executor, architecture)
    seen = 0

    def watch(_: Update) -> None:
        nonlocal seen
        seen += 1
        if seen == stop_after:
            raise KilledError

    return Engine(
        architecture=architecture,
        development=DEVELOPMENT,
        recipe=replace(RECIPE, epochs=ROUNDS, patience=2),
        executor=runner,
        calibration=Calibration(chosen=runner.name, trials=()),
        folder=RunFolder(folder),
        watch=watch,
        checkpoint_seconds=0,
    )


def assert_identical(a: Trained, b: Trained) -> None:
    assert a.members == b.members
    for name in ("loss", "best_epoch", "epochs_run", "outputs"):
        assert torch.equal(getattr(a, name), getattr(b, name)), name
    assert a.models.keys() == b.models.keys()
    assert all(same(a.models[key], b.models[key]) for key in a.models)


@pytest.mark.parametrize("executor", ["sequential", "vmap", "fused", "batch norm"])
@pytest.mark.parametrize("stop_after", [1, 2, 5, ROUNDS])
def test_killed_once(executor: str, stop_after: int, tmp_path: Path) -> None:
    expected = engine(tmp_path / "whole", executor).train("tune", MEMBERS)
    # The story holds what it is meant to: a member stops early, one diverges, one runs to the end.
    assert expected.epochs_run[2] == 1
    assert int(expected.epochs_run[0]) == ROUNDS
    assert int(expected.epochs_run[3]) == 3
    with pytest.raises(KilledError):
        engine(tmp_path / "killed", executor, stop_after).train("tune", MEMBERS)
    checkpoints = list((tmp_path / "killed").rglob("*.checkpoint.safetensors"))
    assert len(checkpoints) == (stop_after > 1)
    assert_identical(engine(tmp_path / "killed", executor).train("tune", MEMBERS), expected)
    assert not list((tmp_path / "killed").rglob("*.checkpoint.safetensors"))


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "AdamW"])
def test_killed_whatever_the_optimizer(name: str, tmp_path: Path) -> None:
    """Its moments are in the checkpoint."""
    members = [replace(member, optimizer=OPTIMIZERS[name]) for member in MEMBERS]
    expected = engine(tmp_path / "whole", "fused").train("tune", members)
    with pytest.raises(KilledError):
        engine(tmp_path / "killed", "fused", 5).train("tune", members)
    checkpoints = list((tmp_path / "killed").rglob("*.checkpoint.safetensors"))
    assert len(checkpoints) == 1
    assert_identical(engine(tmp_path / "killed", "fused").train("tune", members), expected)


def test_killed_in_every_round(tmp_path: Path) -> None:
    expected = engine(tmp_path / "whole", "fused").train("tune", MEMBERS)
    kills = 0
    while True:
        try:
            found = engine(tmp_path / "killed", "fused", 2).train("tune", MEMBERS)
            break
        except KilledError:
            kills += 1
    assert kills == ROUNDS - 1
    assert_identical(found, expected)


def test_finished_cohorts_are_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cotrain.engine.engine.MOST_MEMBERS", 2)
    expected = engine(tmp_path / "whole", "fused").train("tune", MEMBERS)
    first = int(expected.epochs_run[:2].max())  # epochs of the first cohort
    with pytest.raises(KilledError):
        engine(tmp_path / "killed", "fused", first + 2).train("tune", MEMBERS)
    names = sorted(path.name for path in (tmp_path / "killed" / "population").iterdir())
    assert names == ["tune-0.safetensors", "tune-1.checkpoint.safetensors"]
    assert_identical(engine(tmp_path / "killed", "fused").train("tune", MEMBERS), expected)
    again = engine(tmp_path / "killed", "fused", 1)  # would raise if it trained one more epoch
    assert_identical(again.train("tune", MEMBERS), expected)


def test_seconds_go_on_counting(tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        engine(tmp_path, "fused", 5).train("tune", MEMBERS)
    folder = RunFolder(tmp_path)
    _, facts = folder.read_tensors("population/tune-0.checkpoint.safetensors")
    assert facts["epoch"] == 4
    assert 0 < facts["seconds"] < engine(tmp_path, "fused").train("tune", MEMBERS).seconds


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        engine(tmp_path, "fused", 3).train("tune", MEMBERS)
    path = tmp_path / "population" / "tune-0.checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"checkpoint\.safetensors is missing or damaged"):
        engine(tmp_path, "fused").train("tune", MEMBERS)
