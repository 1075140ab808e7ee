"""Everything a user can get wrong ends in one line that says what, where and how to fix it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from end_to_end.command import QUICK, Outcome, cotrain, cotrain_process, small_table, write_table

TARGETS = ("--targets", "up,twice")
RARE = [1] + [0] * 159


def refused(outcome: Outcome, message: str) -> None:
    """One line on standard error with the message, and exit code 2."""
    assert (outcome.code, outcome.err) == (2, f"error: {message}\n")


def run(table: Path, *options: str | Path) -> Outcome:
    """Run on a table into the folder ``out`` of the working directory."""
    return cotrain("run", table, "--out", "out", *QUICK, *options)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names in messages are short: every test runs in its own empty folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on the small table."""
    folder = tmp_path_factory.mktemp("finished")
    table = write_table(folder / "t.csv")
    outcome = cotrain("run", table, *TARGETS, "--out", folder / "run", *QUICK)
    assert outcome.code == 0, outcome.err
    return folder / "run"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "t.csv does not exist: check the path"),
        (b" \n", "t.csv is empty: it needs a header line and rows"),
        (
            b"hello\nworld\n",
            "t.csv is not a table: line 1 has a single column; separate the columns with commas, "
            "semicolons or tabs",
        ),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "t.csv is not a table: it holds binary data"),
        (
            b"a,b,up,twice\n1,2,0,1\n1,2,0\n",
            "t.csv, line 3: expected 4 values, found 3: correct the line, or quote values that "
            "contain ','",
        ),
        (
            "a,up,twice\n1,0,0\né,0,1\n".encode("latin-1"),
            "t.csv, line 3: not UTF-8 (it may be Latin-1): save the file with the encoding UTF-8",
        ),
        (
            "a,up,twice\n1,0,0\n".encode("utf-16"),
            "t.csv, line 1: not UTF-8 (it may be UTF-16): save the file with the encoding UTF-8",
        ),
        (b"a,a,up,twice\n1,2,0,1\n", "t.csv has duplicate column names 'a': rename them"),
        (b"a,up,twice\n", "t.csv has a header line but no rows: add the data"),
    ],
)
def test_a_file_that_is_no_table(content: bytes | None, message: str) -> None:
    if content is not None:
        Path("t.csv").write_bytes(content)
    refused(run(Path("t.csv"), *TARGETS), message)
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("targets", "columns", "message"),
    [
        ("up,twise", {}, "target 'twise' is not a column: did you mean 'twice'?"),
        (
            "tox*",
            {},
            "target 'tox*' matches no column: there are: x0, x1, x2, x3, up, twice, price",
        ),
        (
            "up,twice",
            {"twice": [None] * 160},
            "target 'twice' has no labels at all: leave it out of the targets",
        ),
        (
            "up,twice",
            {"twice": [1] * 160},
            "target 'twice' is always '1' (160 labels): there is nothing to learn, leave it out "
            "of the targets",
        ),
        (
            "up,price",
            {"price": [None, None] + [3.5] * 158},
            "target 'price' is always '3.5' (158 labels): there is nothing to learn, leave it "
            "out of the targets",
        ),
        (
            "up,twice",
            {"twice": RARE},
            "target 'twice' has only the class '0' in the valid split (train: 127 '0', 1 '1'; "
            "valid: 16 '0', 0 '1'; test: 16 '0', 0 '1'): use --split stratified, or leave the "
            "target out",
        ),
        (
            "up,twice",
            {"x1": [float("inf")] + [0.5] * 158 + [float("-inf")]},
            "input column 'x1' holds 2 infinite values: correct these cells or leave them empty",
        ),
        (
            "up,price",
            {"price": [float("inf")] + [float(row) for row in range(159)]},
            "target 'price' holds 1 infinite value: correct these cells or leave them empty",
        ),
        (
            "up,twice",
            {"twice": [f"word {row}" for row in range(160)]},
            "target 'twice' has 160 classes in 160 rows: it looks like an identifier or free "
            "text, leave it out of the targets",
        ),
        (
            "x*,up,twice,price",
            {},
            "no input columns are left: name fewer targets or ignore fewer columns",
        ),
    ],
)
def test_a_column_that_cannot_be_used(
    targets: str, columns: dict[str, list[object]], message: str
) -> None:
    frame = small_table().with_columns(pl.Series(name, cells) for name, cells in columns.items())
    table = write_table(Path("t.csv"), frame)
    refused(run(table, "--targets", targets), message)
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--ignore", "up*"),
            "target 'up' is ignored by a pattern: name it there outright to leave it out, or choose "
            "another pattern",
        ),
        (
            ("--kind", "up=nonsense"),
            "kind 'nonsense' of target 'up' is unknown: use binary, multiclass, regression",
        ),
        (
            ("--kind", "nonsense"),
            "--kind 'nonsense': write NAME=binary, NAME=multiclass or NAME=regression",
        ),
        (
            ("--kind", "upp=binary"),
            "kind given for target 'upp' is not a column: did you mean 'up'?",
        ),
        (
            ("--split", "nonsense"),
            "split 'nonsense' is unknown: use random, stratified, group:COLUMN or time:COLUMN",
        ),
        (
            ("--split", "group:prise"),
            "split column 'prise' is not a column: did you mean 'price'?",
        ),
        (
            ("--split", "group:up"),
            "column 'up' is both a target and the split: choose another split",
        ),
        (("--smiles", "prices"), "SMILES column 'prices' is not a column: did you mean 'price'?"),
        (("--smiles", "x0"), "SMILES column 'x0' holds no text: name the column of molecules"),
        (
            ("--columns", "a,b"),
            "t.csv, line 1: expected 2 values, found 7: correct the line, or quote values that "
            "contain ','",
        ),
    ],
)
def test_an_option_that_makes_no_sense(options: tuple[str, str], message: str) -> None:
    refused(run(write_table(Path("t.csv")), *TARGETS, *options), message)
    assert not Path("out").exists()


@pytest.mark.parametrize("budget", ["0.001", "-1", "nan"])
def test_a_budget_too_small_names_the_least(budget: str) -> None:
    outcome = run(write_table(Path("t.csv")), *TARGETS, "--budget", budget)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    small = f"--budget {budget} is too small for 2 tasks and 2 seeds: the least is "
    none = f"--budget {budget}: give a number of joint runs above 0"
    assert outcome.err.startswith("error: " + (small if budget == "0.001" else none))
    assert not Path("out").exists()


def test_the_least_budget_that_is_named_is_enough() -> None:
    table = write_table(Path("t.csv"))
    options = (*TARGETS, "--seeds", "5", "--budget")
    least = run(table, *options, "0.001").err.split("the least is ")[1].split()[0]
    outcome = run(table, *options, least)
    assert (outcome.code, outcome.err) == (0, "")


def test_too_few_rows() -> None:
    table = write_table(Path("t.csv"), small_table(29))
    refused(
        run(table, *TARGETS),
        "29 labelled rows are too few: at least 30 are needed, some hundreds are better",
    )
    assert not Path("out").exists()


def test_a_text_column_of_ten_thousand_categories() -> None:
    frame = small_table(10_000).with_columns(id=pl.Series([f"u{row}" for row in range(10_000)]))
    refused(
        run(write_table(Path("t.csv"), frame), *TARGETS),
        "input column 'id' has 10,000 different texts in 10,000 rows: it looks like an "
        "identifier or free text, use --ignore id",
    )
    assert not Path("out").exists()


def test_folders_that_cannot_take_a_run() -> None:
    table = write_table(Path("t.csv"))
    full = Path("full")
    (full / "trees").mkdir(parents=True)
    start = ("run", table, *TARGETS, *QUICK, "--out")
    inside = Path("t.csv/run")
    refused(
        cotrain(*start, inside), f"--out t.csv/run cannot be made: {table.absolute()} is a file"
    )
    refused(cotrain(*start, "t.csv"), "--out t.csv is a file: choose a folder")
    refused(
        cotrain(*start, "/proc/run"),
        "--out /proc/run cannot be written: /proc is read-only for you",
    )
    refused(
        cotrain(*start, full),
        "--out full is not empty and holds no run: choose another folder",
    )
    refused(
        cotrain(*start, full, "--resume"),
        "--out full is not empty and holds no run: choose another folder",
    )
    assert [path.name for path in full.iterdir()] == ["trees"]


def test_predict_refuses_what_is_no_run(finished: Path, tmp_path: Path) -> None:
    table = write_table(Path("t.csv"))
    for folder in (tmp_path, tmp_path / "nowhere"):
        refused(
            cotrain("predict", folder, table, "-o", "p.csv"),
            f"{folder} holds no finished run: give the --out folder of cotrain run",
        )
    refused(
        cotrain("predict", finished, table, "-o", "p.txt"),
        "-o p.txt: the name must end in .csv, .tsv or .parquet",
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            pl.exclude("x1", "x3"),
            "the table lacks the input columns 'x1', 'x3': add them, empty cells are allowed",
        ),
        (
            pl.exclude("x1"),
            "the table lacks the input column 'x1': add them, empty cells are allowed",
        ),
    ],
)
def test_predict_names_missing_columns(finished: Path, change: pl.Expr, message: str) -> None:
    table = write_table(Path("t.csv"), small_table().select(change))
    refused(cotrain("predict", finished, table, "-o", "p.csv"), message)
    assert not Path("p.csv").exists()


def test_predict_refuses_cells_it_cannot_read(finished: Path) -> None:
    text = small_table().with_columns(x1=pl.Series(["1.5", "high"] * 80))
    refused(
        cotrain("predict", finished, write_table(Path("t.csv"), text), "-o", "p.csv"),
        "input column 'x1' holds 'high' where a number is expected: correct these cells or "
        "leave them empty",
    )
    infinite = small_table().with_columns(x2=pl.lit(np.inf))
    refused(
        cotrain("predict", finished, write_table(Path("t.csv"), infinite), "-o", "p.csv"),
        "input column 'x2' holds 160 infinite values: correct these cells or leave them empty",
    )
    assert not Path("p.csv").exists()


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("t.csv/p.csv", "Not a directory"),
        ("t.csv/p.parquet", "Not a directory"),
        ("nowhere/p.tsv", "No such file or directory"),
        ("folder.csv", "Is a directory"),
    ],
)
def test_predict_where_it_cannot_write(finished: Path, output: str, reason: str) -> None:
    table = write_table(Path("t.csv"))
    Path("folder.csv").mkdir()
    refused(
        cotrain("predict", finished, table, "-o", output),
        f"-o {output} cannot be written: {reason}; choose another place",
    )
    assert sorted(path.name for path in Path().iterdir()) == ["folder.csv", "t.csv"]


def test_a_process_prints_one_line_and_no_traceback() -> None:
    outcome = cotrain_process("run", "none.csv", *TARGETS, "--out", "out")
    refused(outcome, "none.csv does not exist: check the path")
    assert (outcome.out, Path("out").exists()) == ("", False)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 kB in memory."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system is not permitted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_is_named_and_the_run_goes_on_with_space(small_disk: Path) -> None:
    table = write_table(Path("t.csv"))
    command = ("run", table, *TARGETS, "--out", small_disk / "run", *QUICK)
    outcome = cotrain(*command)
    file = small_disk / "run" / "population" / "tune-0.safetensors"
    assert outcome.code == 2
    assert outcome.err.startswith(f"error: cannot write {file}: ")
    assert "No space left on device" in outcome.err
    assert outcome.err.endswith(
        "; free some space or choose another --out, then go on with --resume\n"
    )
    assert outcome.err.count("\n") == 1
    assert list(file.parent.iterdir()) == []
    subprocess.run(["mount", "-o", "remount,size=200m", small_disk], check=True)
    assert cotrain(*command, "--resume").code == 0
    assert (small_disk / "run" / "report.html").stat().st_size > 1e6


@pytest.mark.parametrize("name", ["p.csv", "p.parquet"])
def test_a_full_disk_leaves_earlier_predictions_alone(
    finished: Path, small_disk: Path, name: str
) -> None:
    table = write_table(Path("t.csv"), small_table(60_000))
    (small_disk / name).write_text("earlier")
    refused(
        cotrain("predict", finished, table, "-o", small_disk / name),
        f"-o {small_disk / name} cannot be written: No space left on device; choose another place",
    )
    assert [path.name for path in small_disk.iterdir()] == [name]
    assert (small_disk / name).read_text() == "earlier"


def test_one_task_runs_as_single_task_and_says_so() -> None:
    outcome = run(write_table(Path("t.csv")), "--targets", "up")
    assert outcome.code == 0, outcome.err
    assert "Shipped: " in outcome.out
    assert "together" not in outcome.out.split("Shipped: ")[0]
    result = json.loads(Path("out/result.json").read_text())
    assert [task["partners"] for task in result["tasks"]] == [["up"]]
    assert result["answer"] in outcome.out.replace("\n", "")


def test_hostile_task_names_are_only_text() -> None:
    script, climb = "<script>alert(1)</script>", "../../x"
    frame = small_table().rename({"up": script, "twice": climb})
    table = write_table(Path("t.csv"), frame)
    outcome = run(table, "--targets", script, "--targets", climb)
    assert outcome.code == 0, outcome.err
    assert sorted(path.name for path in Path().iterdir()) == ["out", "t.csv"]
    assert not Path("../../x").exists()
    files = [str(path) for path in Path("out").rglob("*") if path.is_file()]
    assert not [file for file in files if "script" in file or file.endswith("x")]
    page = Path("out/report.html").read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert script not in page
    answer = json.loads(Path("out/result.json").read_text())
    assert [task["name"] for task in answer["tasks"]] == [script, climb]
    assert cotrain("predict", "out", table, "-o", "p.csv").code == 0
    assert pl.read_csv("p.csv").columns == [script, climb]


def test_rows_without_labels_are_counted() -> None:
    frame = small_table().with_columns(
        pl.when(pl.int_range(pl.len()) < 7).then(None).otherwise(pl.col(name)).alias(name)
        for name in ("up", "twice")
    )
    outcome = run(write_table(Path("t.csv"), frame), *TARGETS)
    assert outcome.code == 0, outcome.err
    assert "note: 7 of 160 rows dropped: they have no label" in outcome.out
    rows = json.loads(Path("out/result.json").read_text())["rows"]
    assert rows == {"train": 122, "valid": 15, "test": 16, "unlabelled": 7}


def test_a_target_whose_answer_is_among_the_inputs_runs(tmp_path: Path) -> None:
    """The loss goes to zero, and rounding leaves nothing of a look ahead: that is no user's mistake."""
    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, 200)
    frame = pl.DataFrame(
        {"x": rng.normal(size=200), "copy": target, "neg": 1 - target, "t": target}
    )
    table = write_table(tmp_path / "t.csv", frame)
    short = ("--seeds", "2", "--budget", "12")
    outcome = cotrain("run", table, "--targets", "t", *short, "--out", tmp_path / "run")
    assert outcome.code == 0, outcome.err
