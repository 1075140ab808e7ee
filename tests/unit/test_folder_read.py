"""A JSON file of a run folder is read as a dataclass, or refused in one line that names the fault."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from cotrain.errors import InputError
from cotrain.folder import RunFolder


@dataclass(frozen=True, kw_only=True)
class Part:
    name: str
    share: float


@dataclass(frozen=True, kw_only=True)
class Whole:
    parts: tuple[Part, ...]
    rows: int = 0


WHOLE = Whole(
    parts=(Part(name="ß", share=float("nan")), Part(name="b", share=float("-inf"))), rows=3
)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "run")


def test_what_was_written_comes_back(run: RunFolder) -> None:
    run.write_json("x.json", asdict(WHOLE) | {"further": 1})
    assert repr(run.read("x.json", Whole)) == repr(WHOLE)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "is damaged (Expecting value: line 1 column 1 (char 0))"),
        ("[]", "is damaged (it has no schema_version)"),
        ('{"parts": []}', "is damaged (it has no schema_version)"),
        ('{"schema_version": 2}', "is damaged ('parts': field required)"),
        (
            '{"schema_version": 2, "parts": [{"name": "a", "share": "much"}]}',
            "is damaged ('parts.0.share': input should be a valid number, unable to parse string as a "
            "number)",
        ),
        (
            '{"schema_version": 1, "parts": []}',
            "has schema version 1, this cotrain reads 2: run again, or use the cotrain that wrote it",
        ),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(run: RunFolder, text: str, fault: str) -> None:
    run.write_text("x.json", text)
    said = f"{run.path('x.json')} {fault}"
    with pytest.raises(InputError, match=f"^{re.escape(said)}$"):
        run.read("x.json", Whole)


def test_a_missing_file_is_no_damaged_one(run: RunFolder) -> None:
    with pytest.raises(InputError, match=r"holds no readable x\.json: is it a run folder\?$"):
        run.read("x.json", Whole)
