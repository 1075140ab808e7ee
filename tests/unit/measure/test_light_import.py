"""The instruments can be used alone: importing them loads no solver and nothing that decides."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "cotrain.grouping",
    "cotrain.run",
    "cotrain.data.read",
    "polars",
    "sklearn",
    "scipy.optimize",
)


@pytest.mark.parametrize(
    "line", ["import cotrain.measure", "from cotrain.measure import Lookahead"]
)
def test_instruments_load_no_solver(line: str) -> None:
    code = f"import sys; {line}; print(*[name for name in {HEAVY} if name in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == []
