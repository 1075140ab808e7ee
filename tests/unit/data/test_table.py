"""Reading files: every format, and one line for every way a file can be wrong."""

import gzip
import os
from pathlib import Path

import polars as pl
import pytest

from cotrain.data import read_table
from cotrain.errors import InputError

ROWS = [{"a": 1, "b": "x"}, {"a": None, "b": "y"}]


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "a,b\n1,x\n?,y\n"),
        ("t.csv", "\ufeffa, b\r\n1, x\r\n , y\r\n\r\n"),
        ("t.txt", "a;b\n1;x\n\nNA;y"),
        ("t.tsv", "a\tb\n1\tx\nnan\ty\n"),
        ("t.tab", 'a|b\n"1"|"x"\nnull|y\n\n\n'),
        ("T.CSV", "a,b\n1,x\nNone,y\n"),
        (
            "t.arff",
            "% c\n@RELATION r\n@attribute a integer\n@Attribute 'b' {x,y}\n@DATA\n1,x\n?,y\n",
        ),
        (
            "t.arff",
            "@relation r\n@attribute a {0,1}\n@attribute b {x,y}\n@data\n{0 1}\n{0 ?, 1 y}\n",
        ),
        (
            "t.arff",
            "@relation r\n@attribute a real\n@attribute \"b\" string\n@data\n1,'x'\n%\n?,y\n",
        ),
    ],
)
def test_every_text_format_plain_and_compressed(tmp_path: Path, name: str, content: str) -> None:
    assert read_table(write(tmp_path, name, content)).rows(named=True) == ROWS
    packed = write(tmp_path, name + ".gz", gzip.compress(content.encode()))
    assert read_table(packed).rows(named=True) == ROWS


def test_parquet_plain_and_compressed(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1.0, float("nan")], "b": [" x", "y"]}).write_parquet(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet").rows(named=True) == ROWS
    content = (tmp_path / "t.parquet").read_bytes()
    assert read_table(write(tmp_path, "t.pq.gz", gzip.compress(content))).rows(named=True) == ROWS


def test_types_are_seen_over_the_whole_file(tmp_path: Path) -> None:
    late = "n,t,d\n" + "1,1,2024-01-31\n" * 5000 + "2.5,x,2024-02-01 10:30\n"
    assert read_table(write(tmp_path, "t.csv", late)).dtypes == [
        pl.Float64,
        pl.String,
        pl.Datetime("us"),
    ]


def test_zero_padded_codes_stay_text(tmp_path: Path) -> None:
    frame = read_table(write(tmp_path, "t.csv", "zip,x\n01234,0\n90210,0.5\n"))
    assert frame["zip"].to_list() == ["01234", "90210"]
    assert frame["x"].to_list() == [0.0, 0.5]


def test_quotes_hold_separators_and_line_ends(tmp_path: Path) -> None:
    frame = read_table(write(tmp_path, "t.csv", 'a,b\n"1,5","x\ny"\n'))
    assert frame.rows() == [("1,5", "x\ny")]


def test_rows_of_missing_cells_are_kept_and_blank_lines_are_not(tmp_path: Path) -> None:
    assert read_table(write(tmp_path, "t.csv", "a,b\n,\n \n1,2\n")).rows() == [(None, None), (1, 2)]


def test_names_for_a_file_without_a_header(tmp_path: Path) -> None:
    path = write(tmp_path, "t.data", "39, State-gov\n50, ?\n\n")
    assert read_table(path, ["age", "work"]).rows() == [(39, "State-gov"), (50, None)]


def test_arff_names_may_hold_anything(tmp_path: Path) -> None:
    header = "@attribute \"'p'\" NUMERIC\n@attribute 'it\\'s' NUMERIC\n@attribute a/b;=1 NUMERIC\n"
    frame = read_table(write(tmp_path, "t.arff", f"@relation r\n{header}@data\n1,2,3\n"))
    assert frame.columns == ["'p'", "it's", "a/b;=1"]


def test_arff_nominals_with_more_than_two_numbers_stay_text(tmp_path: Path) -> None:
    content = "@relation r\n@attribute a {1,2,3}\n@attribute b {1, 2}\n@data\n1,1\n3,2\n"
    assert read_table(write(tmp_path, "t.arff", content)).rows() == [("1", 1), ("3", 2)]


BAD = [
    ("t.csv", "", "t.csv is empty: it needs a header line and rows"),
    ("t.csv", "\n \n", "t.csv is empty: it needs a header line and rows"),
    ("t.csv.gz", b"", "t.csv.gz is empty: it needs a header line and rows"),
    ("t.csv", "a,b\n", "t.csv has a header line but no rows: add the data"),
    ("t.csv", "a,b\n\n\n", "t.csv has a header line but no rows: add the data"),
    (
        "t.csv",
        "a\n1\n",
        "t.csv is not a table: line 1 has a single column; separate the columns with commas, "
        "semicolons or tabs",
    ),
    (
        "t.csv",
        "a,b\n1,2\n3\n",
        "t.csv, line 3: expected 2 values, found 1: correct the line, or quote values "
        "that contain ','",
    ),
    (
        "t.csv",
        "a;b\n1;2\n\n1;2;3\n",
        "t.csv, line 4: expected 2 values, found 3: correct the line, or quote values "
        "that contain ';'",
    ),
    (
        "t.csv",
        "a,b\n1,2\nZ\u00fcrich,2\n".encode("latin-1"),
        "t.csv, line 3: not UTF-8 (it may be Latin-1): save the file with the encoding UTF-8",
    ),
    (
        "t.csv",
        "a,b\n1,2\n".encode("utf-16"),
        "t.csv, line 1: not UTF-8 (it may be UTF-16): save the file with the encoding UTF-8",
    ),
    ("t.csv", b"\x89PNG\r\n\0\0\0", "t.csv is not a table: it holds binary data"),
    (
        "t.csv",
        "a,b,a,b,c\n1,2,3,4,5\n",
        "t.csv has duplicate column names 'a', 'b': rename them",
    ),
    ("t.csv", ",b\n1,2\n", "t.csv: column 1 has no name: add one to the header"),
    (
        "t.xlsx",
        "a,b\n1,2\n",
        "t.xlsx has an unknown file type '.xlsx': use one of .csv, .tsv, .tab, .txt, .data, "
        ".parquet, .pq, .arff, optionally with .gz",
    ),
    (
        "t.csv.gz",
        "a,b\n1,2\n",
        "t.csv.gz is not a complete gzip file: compress or copy it again",
    ),
    (
        "t.csv.gz",
        gzip.compress(b"a,b\n1,2\n" * 100, mtime=0)[:-20],
        "t.csv.gz is not a complete gzip file: compress or copy it again",
    ),
    ("t.parquet", "a,b\n1,2\n", "t.parquet is not a Parquet file: check the file type"),
    ("t.arff", "a,b\n1,2\n", "t.arff is not an ARFF file: it has no @data line"),
    (
        "t.arff",
        "@relation r\n@attribute a real\n@attribute b real\n@data\n",
        "t.arff has a header but no rows: add the data below @data",
    ),
    (
        "t.arff",
        "@relation r\n@attribute a\n@data\n1\n",
        "t.arff, line 2: expected '@attribute NAME TYPE'",
    ),
    (
        "t.arff",
        "@relation r\n@attribute a real\n@attribute a real\n@data\n1,2\n",
        "t.arff has duplicate column names 'a': rename them",
    ),
    (
        "t.arff",
        "@relation r\n@attribute a real\n@attribute b real\n@data\n1,2\n% note\n1,2,3\n",
        "t.arff, line 7: expected 2 values, found 3: correct the line, or quote values "
        "that contain ','",
    ),
    (
        "t.arff",
        "@relation r\n@attribute a real\n@attribute b real\n@data\n{0 1}\n{2 1}\n",
        "t.arff, line 6: attribute 2 where the header declares 0 to 1: correct the line",
    ),
]


@pytest.mark.parametrize(("name", "content", "message"), BAD)
def test_bad_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: str | bytes, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, name, content)
    with pytest.raises(InputError) as caught:
        read_table(Path(name))
    assert str(caught.value) == message


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    with pytest.raises(InputError, match=r"folder\.csv is a folder: name a file in it$"):
        read_table(folder)
    with pytest.raises(InputError, match=r"none\.csv does not exist: check the path$"):
        read_table(tmp_path / "none.csv")


def test_junk_is_refused_in_one_line(tmp_path: Path) -> None:
    for size in (10, 1000, 100_000):
        with pytest.raises(InputError) as caught:
            read_table(write(tmp_path, "t.csv", b"\x00" + os.urandom(size)))
        assert "\n" not in str(caught.value)


def test_names_and_parquet_do_not_mix(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has its own column names: leave out the column names$"):
        read_table(tmp_path / "t.parquet", ["a"])


def test_nested_columns_are_refused(tmp_path: Path) -> None:
    pl.DataFrame({"a": [[1, 2]], "b": [1]}).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(InputError) as caught:
        read_table(tmp_path / "t.parquet")
    assert str(caught.value) == (
        "column 'a' has type List(Int64): turn it into numbers, text or dates, or drop it from "
        "the table"
    )


def test_one_column_is_a_table_where_one_is_expected(tmp_path: Path) -> None:
    path = tmp_path / "molecules.csv"
    path.write_text("smiles\nCCO\nc1ccccc1O\n")
    assert read_table(path, least_columns=1).rows() == [("CCO",), ("c1ccccc1O",)]
    with pytest.raises(InputError, match="is not a table: line 1 has a single column"):
        read_table(path)
