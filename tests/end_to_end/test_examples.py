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
