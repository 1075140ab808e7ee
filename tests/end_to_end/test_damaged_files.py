"""A JSON file of a finished run that is truncated, of another type or version: one line, exit code 2."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from end_to_end.command import QUICK, Outcome, cotrain, write_table

TARGETS = ("--targets", "up,twice")
READ_BY = {
    "run.json": ("group", "run"),
    "plan.json": ("group",),
    "joint_run.json": ("group", "run"),
    "sampling.json": ("group", "run"),
    "engine.json": ("measure",),
    "result.json": ("run",),
}
"""File → the commands that read it, of a finished run or, for ``measure``, measurement."""

Damage = Callable[[dict[str, Any]], str]
DAMAGES: dict[str, Damage] = {
    "truncated": lambda content: json.dumps(content)[: len(json.dumps(content)) // 2],
    "a list": lambda _: "[]",
    "wrong types": lambda content: json.dumps(
        {name: content[name] if name == "schema_version" else {"x": [None]} for name in content}
    ),
    "fields gone": lambda content: json.dumps({"schema_version": content["schema_version"]}),
    "another version": lambda content: json.dumps(content | {"schema_version": 1}),
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table, a finished run on it, and a finished measurement."""
    home = tmp_path_factory.mktemp("finished")
    table = write_table(home / "t.csv")
    for verb in ("run", "measure"):
        assert call(home, verb, home / verb).code == 0
    assert table.exists()
    return home


def call(home: Path, verb: str, folder: Path) -> Outcome:
    """The command on a folder, as somebody would call it again."""
    table = home / "t.csv"
    measured = (
        *TARGETS,
        "--with",
        "lookahead,sampled",
        "--trainings",
        "1",
        "--resume",
        "--out",
        folder,
    )
    commands: dict[str, tuple[str | Path, ...]] = {
        "run": (table, *measured, *QUICK[:2], "--max-groups", "1", "--float32"),
        "measure": (table, *measured, "--max-groups", "1", "--float32"),
        "group": (folder,),
    }
    return cotrain(verb, *commands[verb])


def test_every_json_file_is_known(finished: Path) -> None:
    names = {path.name for verb in ("run", "measure") for path in (finished / verb).glob("*.json")}
    assert names == {*READ_BY, "measured.json"}  # which holds nothing


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(
    ("name", "verb"), [(name, verb) for name, verbs in READ_BY.items() for verb in verbs]
)
def test_a_damaged_file_is_named_in_one_line(
    finished: Path, tmp_path: Path, name: str, verb: str, damage: str
) -> None:
    folder = tmp_path / "copy"
    source = finished / ("measure" if verb == "measure" else "run")
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("*.html"))
    content = json.loads((folder / name).read_text())
    (folder / name).write_text(DAMAGES[damage](content))
    outcome = call(finished, verb, folder)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome
    assert outcome.err.startswith("error: ")
    assert name in outcome.err or f"{folder} holds a run with other " in outcome.err
