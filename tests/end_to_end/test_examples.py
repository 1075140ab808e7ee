"""The examples run as they are printed in the README."""

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_own_encoder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLES / "own_encoder.py"))["main"](str(tmp_path / "run"))
    out = capsys.readouterr().out
    assert "mean test score 0.9" in out  # measured: 0.99 and above for all contenders
    assert "shape: (3, 3)" in out
    assert (tmp_path / "run" / "result.json").exists()


def test_own_loop(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLES / "own_loop.py"))["main"]()
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line in ("Transference", "Gradient similarity", "Data map")]
    # 29 steps an epoch, 8 epochs, a look every 10 steps
    assert lines[1] == "4 tasks, lookahead, plain SGD step of 0.1, 24 probes"
    assert any(line.startswith("  at least 5 helps closed loop: +0.0") for line in lines)
    (random,) = [line for line in lines if line.startswith("random ")]
    assert float(random.split()[2].split("±")[0]) < 0.6  # nobody is confident in coin flips
