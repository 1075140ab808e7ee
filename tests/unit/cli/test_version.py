"""What a bug report needs, as plain text."""

from __future__ import annotations

import re

from typer.testing import CliRunner

from cotrain import __version__
from cotrain.__main__ import app


def test_the_version() -> None:
    found = CliRunner().invoke(app, ["--version"])
    assert (found.exit_code, found.output) == (0, f"cotrain {__version__}\n")


def test_everything_for_a_bug_report() -> None:
    found = CliRunner().invoke(app, ["--version", "--verbose"])
    lines = dict(line.split(": ", 1) for line in found.output.splitlines())
    assert [*lines][:6] == ["cotrain", "Python", "torch", "numpy", "polars", "scikit-learn"]
    assert [*lines][-2:] == ["device", "threads"]
    assert all(re.match(r"\d+\.\d+", lines[name]) for name in ("torch", "numpy", "polars"))
    assert CliRunner().invoke(app, ["--verbose", "--version"]).output == found.output


def test_no_command_shows_the_help() -> None:
    assert "Usage" in CliRunner().invoke(app, ["--verbose"]).output
    assert CliRunner().invoke(app, ["nonsense"]).exit_code == 2
