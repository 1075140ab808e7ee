"""Every benchmark is listed, can be imported and says what it asks; a cheap one runs end to end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import listing, main
from benchmarks.common.folders import RESULTS
from benchmarks.common.options import Options
from benchmarks.registry import BENCHMARKS, MINUTES, known_minutes

FOLDER = Path(__file__).parents[2] / "benchmarks"
HELPERS = {"__init__", "__main__", "registry", "common", "results"}
MOST_LINES = 400


def test_every_module_is_listed() -> None:
    modules = {path.stem for path in FOLDER.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert modules - HELPERS - {"__pycache__"} == set(BENCHMARKS)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_can_be_imported_and_says_what_it_asks(name: str) -> None:
    benchmark = BENCHMARKS[name]
    assert callable(benchmark.load())
    assert len(benchmark.about) > 30
    assert f"python -m benchmarks {name} " in benchmark.path.read_text()


def test_no_file_is_long() -> None:
    lines = {path: len(path.read_text().splitlines()) for path in FOLDER.rglob("*.py")}
    assert {path: count for path, count in lines.items() if count > MOST_LINES} == {}


def test_the_list_has_a_line_each_with_minutes_where_they_are_known() -> None:
    lines = listing().splitlines()
    assert [line.split()[0] for line in lines] == list(BENCHMARKS)
    for name, minutes in known_minutes().items():
        (line,) = (line for line in lines if line.split()[0] == name)
        assert f"{minutes:.1f} min" in line


def test_grouping_runs_end_to_end(tmp_path: Path) -> None:
    before = (RESULTS / "grouping.json").read_text()
    assert main(["grouping", "--quick", "--out", str(tmp_path)]) == 0
    rows = json.loads((tmp_path / "grouping.json").read_text())["rows"]
    assert {row["tasks"] for row in rows} == {9, 12}
    assert all(row["ours"]["objective"] >= row["greedy"]["objective"] - 1e-9 for row in rows)
    assert "| planted | 9 | 3 |" in (tmp_path / "grouping.md").read_text()
    assert not (tmp_path / MINUTES).exists()  # a quick run says nothing about a full one
    assert (RESULTS / "grouping.json").read_text() == before


def test_absent_data_are_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.common.folders.DATA", tmp_path)
    assert BENCHMARKS["precision"].absent(Options()) == ["mol_tox21"]
    assert BENCHMARKS["regret"].absent(Options(quick=True)) == []
    assert main(["precision", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "precision: skipped, no mol_tox21 in the folder of data"
    ]


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["nothing"])
    assert "invalid choice: 'nothing'" in capsys.readouterr().err
