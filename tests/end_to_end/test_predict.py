"""A mixed table, trained once; then new rows through the shipped model."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from end_to_end.command import QUICK, cotrain, write_table
from polars.testing import assert_frame_equal

from cotrain import InputError, load

CLASSES = ["dear", "fair", "cheap"]
COLUMNS = ["buys", "level", "level=cheap", "level=dear", "level=fair", "price"]
PICKLE = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def mixed_table(rows: int = 300, seed: int = 0) -> pl.DataFrame:
    """Numbers, a category, a date and missing cells; a task of each kind, with missing labels."""
    generator = np.random.default_rng(seed)
    size, noise = generator.normal(size=(2, rows))
    city = generator.integers(0, 3, rows)
    day = generator.integers(0, 365, rows)
    value = size + (city - 1) + 0.1 * noise
    level = np.digitize(value, (-0.8, 0.8))
    missing = generator.random((3, rows)) < 0.1
    return pl.DataFrame(
        {
            "size": [None if gone else cell for gone, cell in zip(missing[0], size, strict=True)],
            "spare": generator.normal(size=rows),
            "city": [
                None if gone else ("Bern", "Oslo", "Rome")[cell]
                for gone, cell in zip(missing[1], city, strict=True)
            ],
            "when": [f"2024-{1 + at // 31:02d}-{1 + at % 28:02d}" for at in day],
            "buys": ["yes" if cell > 0 else "no" for cell in value],
            "level": [CLASSES[::-1][cell] for cell in level],
            "price": [
                None if gone else 5000 + 300 * cell
                for gone, cell in zip(missing[2], value, strict=True)
            ],
        }
    )


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A run on the mixed table, and new rows of the same origin."""

    folder: Path
    fresh: pl.DataFrame

    def predict(self, frame: pl.DataFrame, place: Path) -> pl.DataFrame:
        """What the command writes for a table."""
        table = write_table(place / "new.csv", frame)
        outcome = cotrain("predict", self.folder, table, "-o", place / "p.csv")
        assert outcome.code == 0, outcome.err
        assert f"{len(frame)} rows written to {place / 'p.csv'}" in outcome.out
        return pl.read_csv(place / "p.csv")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    place = tmp_path_factory.mktemp("mixed")
    table = write_table(place / "t.csv", mixed_table())
    targets = ("--targets", "buys,level,price")
    outcome = cotrain(
        "run", table, *targets, "--out", place / "run", *QUICK, "--split", "stratified"
    )
    assert outcome.code == 0, outcome.err
    assert "inputs: 1 category, 1 date, 2 numbers" in outcome.out
    return Finished(folder=place / "run", fresh=mixed_table(rows=200, seed=1))


def test_rows_columns_and_probabilities(finished: Finished, tmp_path: Path) -> None:
    found = finished.predict(finished.fresh, tmp_path)
    assert found.columns == COLUMNS
    assert len(found) == 200
    for name in ("buys", "level=cheap", "level=dear", "level=fair"):
        assert 0 <= found[name].min() <= found[name].max() <= 1  # type: ignore[operator]
    classes = found.select(COLUMNS[2:5]).to_numpy()
    np.testing.assert_allclose(classes.sum(axis=1), 1, atol=1e-6)
    names = np.array(["cheap", "dear", "fair"])
    assert found["level"].to_list() == names[classes.argmax(axis=1)].tolist()


def test_predictions_are_close_to_the_truth_in_its_own_units(
    finished: Finished, tmp_path: Path
) -> None:
    found = finished.predict(finished.fresh, tmp_path)
    known = finished.fresh["price"].is_not_null().to_numpy()
    price, truth = (frame["price"].to_numpy()[known] for frame in (found, finished.fresh))
    assert np.corrcoef(price, truth.astype(float))[0, 1] > 0.85
    assert abs(price.mean() - truth.mean()) < 0.15 * truth.std()
    assert price.std() > 0.6 * truth.std()
    assert (found["level"] == finished.fresh["level"]).mean() > 0.7  # type: ignore[operator]
    yes = (finished.fresh["buys"] == "yes").to_numpy()
    assert found["buys"].to_numpy()[yes].mean() > found["buys"].to_numpy()[~yes].mean() + 0.4


def test_order_and_further_columns_do_not_matter(finished: Finished, tmp_path: Path) -> None:
    found = finished.predict(finished.fresh, tmp_path)
    moved = finished.fresh.select(reversed(["size", "spare", "city", "when"])).with_columns(
        note=pl.lit("extra"), more=pl.lit(np.inf)
    )
    assert finished.predict(moved, tmp_path).equals(found)


def test_rows_do_not_depend_on_each_other(finished: Finished, tmp_path: Path) -> None:
    found = finished.predict(finished.fresh, tmp_path)
    part = finished.predict(finished.fresh[50:53], tmp_path)
    assert_frame_equal(part, found[50:53], rel_tol=0, abs_tol=1e-6 * 5000)


def test_unknown_categories_and_missing_cells_are_predicted(
    finished: Finished, tmp_path: Path
) -> None:
    rows = finished.fresh.head(40)
    unknown = finished.predict(rows.with_columns(city=pl.lit("Paris")), tmp_path)
    gaps = rows.with_columns(pl.lit(None).alias(name) for name in ("size", "spare", "city", "when"))
    empty = finished.predict(gaps, tmp_path)
    for found in (unknown, empty):
        assert found.columns == COLUMNS
        assert found.null_count().sum_horizontal().item() == 0
        assert np.isfinite(found.drop("level").to_numpy()).all()
    assert empty.n_unique() == 1
    assert unknown["price"].n_unique() > 30


def test_a_missing_column_is_named(finished: Finished, tmp_path: Path) -> None:
    table = write_table(tmp_path / "new.csv", finished.fresh.drop("city"))
    outcome = cotrain("predict", finished.folder, table, "-o", tmp_path / "p.csv")
    assert (outcome.code, outcome.err) == (
        2,
        "error: the table lacks the input column 'city': add them, empty cells are allowed\n",
    )


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_python_and_command_agree(finished: Finished, tmp_path: Path, suffix: str) -> None:
    table = write_table(tmp_path / "new.csv", finished.fresh)
    output = tmp_path / f"p{suffix}"
    assert cotrain("predict", finished.folder, table, "-o", output).code == 0
    separator = "\t" if suffix == ".tsv" else ","
    written = (
        pl.read_parquet(output)
        if suffix == ".parquet"
        else pl.read_csv(output, separator=separator)
    )
    found = load(finished.folder).predict(finished.fresh)
    assert_frame_equal(written, found, rel_tol=1e-6, abs_tol=1e-6)


def test_a_fresh_process_predicts_the_same_numbers(finished: Finished, tmp_path: Path) -> None:
    finished.fresh.write_parquet(tmp_path / "new.parquet")
    code = (
        "import sys, torch, polars, cotrain; torch.set_num_threads(1); "
        "frame = polars.read_parquet(sys.argv[2]); "
        "cotrain.load(sys.argv[1]).predict(frame).write_parquet(sys.argv[3])"
    )
    files = (tmp_path / "new.parquet", tmp_path / "p.parquet")
    subprocess.run([sys.executable, "-c", code, finished.folder, *files], check=True)
    assert pl.read_parquet(files[1]).equals(load(finished.folder).predict(finished.fresh))


def test_no_file_is_a_pickle(finished: Finished) -> None:
    files = [path for path in finished.folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".json", ".safetensors", ".skops", ".model", ".html"}
    zips = [path for path in files if zipfile.is_zipfile(path)]
    assert finished.folder / "preparation" / "preparation.skops" in zips
    for path in files:
        assert not path.read_bytes().startswith(PICKLE), path
    for path in zips:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            assert "schema.json" in names
            for name in names:
                content = archive.read(name)
                if name == "schema.json":
                    json.loads(content)
                else:
                    assert name.endswith(".npy"), name
                    assert content.startswith(b"\x93NUMPY")
                    assert b"'O'" not in content[:128]


def tampered(finished: Finished, tmp_path: Path, name: str, content: bytes) -> Path:
    """A copy of the run with one file replaced."""
    folder = tmp_path / "copy"
    shutil.copytree(finished.folder, folder)
    assert (folder / name).exists()
    (folder / name).write_bytes(content)
    return folder


FILES = (
    "result.json",
    "model/networks.safetensors",
    "preparation/preparation.json",
    "preparation/preparation.skops",
)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x80\x04\x95junk.", b"{}"])
def test_a_damaged_file_is_named(
    finished: Finished, tmp_path: Path, name: str, content: bytes
) -> None:
    folder = tampered(finished, tmp_path, name, content)
    if name == "result.json":
        from cotrain.folder import RunFolder
        from cotrain.run.result_file import read_result

        with pytest.raises(InputError, match=r"result\.json"):
            read_result(RunFolder(folder))
        return
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        load(folder)
    table = write_table(tmp_path / "new.csv", finished.fresh)
    outcome = cotrain("predict", folder, table, "-o", tmp_path / "p.csv")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)


@pytest.mark.parametrize("name", FILES[1:])
def test_a_lost_file_is_named(finished: Finished, tmp_path: Path, name: str) -> None:
    folder = tampered(finished, tmp_path, name, b"")
    (folder / name).unlink()
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        load(folder)


def test_a_preparation_with_foreign_code_is_not_loaded(finished: Finished, tmp_path: Path) -> None:
    """A skops file may name any function; only those that cotrain writes are trusted."""
    folder = tampered(finished, tmp_path, FILES[3], b"")
    with zipfile.ZipFile(finished.folder / FILES[3]) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = members["schema.json"].replace(b'"NearRange"', b'"system"')
    schema = schema.replace(b'"cotrain.data.features.bins"', b'"os"')
    assert schema != members["schema.json"]
    with zipfile.ZipFile(folder / FILES[3], "w") as archive:
        for name, content in {**members, "schema.json": schema}.items():
            archive.writestr(name, content)
    with pytest.raises(InputError, match="was not written by cotrain, do not trust it"):
        load(folder)


def test_a_damaged_tree_file_is_named(finished: Finished, tmp_path: Path) -> None:
    trees = sorted((finished.folder / "model").glob("trees-*.model"))
    if not trees:
        pytest.skip("no task of this run is served by trees")
    for content in (b"", b"nonsense", b"\x80\x04\x95junk."):
        folder = tampered(finished, tmp_path, f"model/{trees[0].name}", content)
        with pytest.raises(InputError, match=trees[0].name.replace(".", r"\.")):
            load(folder)
        shutil.rmtree(folder)
