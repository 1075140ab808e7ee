"""The programs of the gallery run as they are shown there."""

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def run(name: str) -> dict[str, Any]:
    """Run an example as the command line would; what it has defined at its end."""
    return runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")


def test_own_encoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COTRAIN_DATA", str(tmp_path))  # no pictures there: digits
    found = run("own_encoder")
    out = capsys.readouterr().out
    assert found["result"].mean_test["shipped"] > 0.97  # measured: 0.99 and above
    assert "shape: (3, 3)" in out
    assert (found["folder"] / "result.json").exists()


def test_own_encoder_with_pictures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if not (SHARED / "img_cifar100").exists():
        pytest.skip(f"no pictures at {SHARED}")
    monkeypatch.setenv("COTRAIN_DATA", str(SHARED))
    found = run("own_encoder")
    assert "Pictures: 1,500 images of [3, 8, 8]" in capsys.readouterr().out
    # only half of the pictures were looked at for people
    labels = {task.name: task.train_labels + task.test_labels for task in found["result"].tasks}
    assert labels["people"] < 0.6 * labels["plant"]
    assert found["result"].mean_test["single"] > 0.75  # measured: 0.83


def test_own_loop(capsys: pytest.CaptureFixture[str]) -> None:
    run("own_loop")
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line in ("Transference", "Gradient similarity", "Data map")]
    # 29 steps an epoch, 8 epochs, a look every 10 steps
    assert lines[1] == "4 tasks, lookahead, plain SGD step of 0.1, 24 probes"
    assert any(line.startswith("  at least 5 helps closed loop: +0.0") for line in lines)
    (random,) = [line for line in lines if line.startswith("random ")]
    assert float(random.split()[2].split("±")[0]) < 0.6  # nobody is confident in coin flips


def test_own_table(capsys: pytest.CaptureFixture[str]) -> None:
    found = run("own_table")
    out = capsys.readouterr().out
    assert "even: binary, positive class '1'" in out
    assert "80.0 % labelled" in out  # the holes were seen
    assert found["predictor"].predict(found["table"].head(2)).shape == (2, 4)
    assert "<html" in (found["folder"] / "report.html").read_text()


def test_domains(capsys: pytest.CaptureFixture[str]) -> None:
    found = run("domains")
    assert "negative: 160 training rows, head 'labels'" in capsys.readouterr().out
    assert [task.name for task in found["result"].tasks] == ["plain", "upside down", "negative"]
    assert found["result"].mean_test["joint"] > 0.95  # measured: 0.99


def test_transfer(capsys: pytest.CaptureFixture[str]) -> None:
    found = run("transfer")["stage_2"]
    assert found.starts == ("scratch", "all six", "first two")
    assert found.valid.shape == (3, 5)
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_weights(capsys: pytest.CaptureFixture[str]) -> None:
    found = run("weights")
    assert "6 members, 15 intervals" in capsys.readouterr().out
    assert found["schedule"].changes[0].epoch == 0
    assert "weighted" in found["result"].mean_test


def test_grouping(capsys: pytest.CaptureFixture[str]) -> None:
    found = run("grouping")
    out = capsys.readouterr().out
    assert "3 groups" in out
    assert "{price rent size}, {age noise traffic}, {lottery}" in out  # what was planted
    assert np.nanmin(found["steady"].together[:3, :3]) > 0.9


def test_for_a_paper(capsys: pytest.CaptureFixture[str]) -> None:
    found = run("for_a_paper")["found"]
    assert found.methods == ("uniform", "UW", "RLW")
    assert found.delta("Adam", "uniform").low < found.delta("Adam", "uniform").high
    assert "here: Adam beats SGD" in capsys.readouterr().out
