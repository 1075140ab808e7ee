"""The cotrain command, in this process or in one of its own, and a small table to run it on."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from cotrain.__main__ import main

QUICK = ("--seeds", "2", "--budget", "3", "--max-groups", "1", "--float32")
"""Options that make a run on a small table last a second or two, and always choose the same engine."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


def cotrain(*arguments: str | Path) -> Outcome:
    """Run the command in this process, as the installed script does."""
    out, err, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["cotrain", *map(str, arguments)]
    code: str | int | None = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as end:
        code = end.code
    finally:
        sys.argv = before
    assert isinstance(code, int)
    return Outcome(code=code, out=out.getvalue(), err=err.getvalue())


def cotrain_process(*arguments: str | Path) -> Outcome:
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "cotrain", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return Outcome(code=done.returncode, out=done.stdout, err=done.stderr)


def often_saving(arguments: Sequence[str], said: str) -> None:
    """Run the command in a forked process, with a checkpoint every 50 ms instead of every 10 s.

    Args:
        arguments: What follows ``cotrain``.
        said: File for what it prints.
    """
    import torch

    from cotrain.engine.engine import Engine

    torch.set_num_threads(1)
    Engine.__init__.__kwdefaults__["checkpoint_seconds"] = 0.05  # type: ignore[index]
    sys.argv = ["cotrain", *arguments]
    with Path(said).open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    main()


def small_table(rows: int = 160, seed: int = 0) -> pl.DataFrame:
    """Inputs ``x0`` … ``x3``; targets ``up`` and ``twice`` that agree mostly, and ``price``."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(rows, 4))
    columns: dict[str, object] = {f"x{at}": x[:, at] for at in range(4)}
    columns["up"] = (x[:, 0] > 0).astype(int)
    columns["twice"] = (x[:, 0] + 0.3 * x[:, 1] > 0).astype(int)
    columns["price"] = 100 + 10 * x[:, 2]
    return pl.DataFrame(columns)


def write_table(path: Path, frame: pl.DataFrame | None = None) -> Path:
    """Write the table, or the small one, as CSV."""
    (small_table() if frame is None else frame).write_csv(path)
    return path
