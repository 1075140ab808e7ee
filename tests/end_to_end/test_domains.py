"""``cotrain run --domain``: one target, rows of several domains, from the command to the predictor."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from end_to_end.command import QUICK, cotrain, write_table

from cotrain import Settings, load, plan
from cotrain.data import from_domains
from cotrain.weighting import PBT


def shops(rows: int = 240) -> pl.DataFrame:
    """Two shops of three follow the same rule, the third the opposite one."""
    draw = np.random.default_rng(3)
    x = draw.normal(size=(rows, 4))
    shop = np.arange(rows) % 3
    bad = (x[:, 0] + 0.1 * draw.normal(size=rows)) * np.where(shop == 2, -1, 1) > 0
    return pl.DataFrame(x, schema=list("wxyz")).with_columns(
        shop=pl.Series(["north", "south", "odd"])[shop.tolist()], bad=pl.Series(bad)
    )


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_table(tmp_path_factory.mktemp("domains") / "shops.csv", shops())


def test_a_run_over_domains(table: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    options = ("--targets", "bad", "--domain", "shop", "--split", "stratified", *QUICK)
    outcome = cotrain("run", table, *options, "--out", folder)
    assert outcome.code == 0, outcome.err
    assert "odd: binary, positive class 'true'" in outcome.out
    result = json.loads((folder / "result.json").read_text())
    assert [task["name"] for task in result["tasks"]] == ["north", "odd", "south"]
    assert result["settings"]["weights"] == "the rates at which batches sample the domains"
    for task in result["tasks"]:
        assert task["train_labels"] in (72, 73)  # nine tenths: all but the test rows decide
    assert result["tasks"][1]["test"]["single"] > result["tasks"][1]["test"]["joint"]
    found = load(folder).predict(shops(60))
    assert found.columns == ["north", "odd", "south"]
    north, odd = found["north"].to_numpy(), found["odd"].to_numpy()
    assert np.corrcoef(north, odd)[0, 1] < -0.5  # opposite rules


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--targets", "bad,w", "--domain", "shop"), "--domain goes with one target"),
        (("--targets", "bad", "--domain", "shopp"), "'shopp' is not a column: did you mean 'shop'"),
    ],
)
def test_bad_options(table: Path, tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    outcome = cotrain("run", table, *options, "--out", tmp_path / "run")
    assert outcome.code == 2
    assert message in outcome.err


def test_measuring_domains(table: Path, tmp_path: Path) -> None:
    folder = tmp_path / "measured"
    options = ("--targets", "bad", "--domain", "shop", "--split", "stratified", "--float32")
    outcome = cotrain("measure", table, *options, "--with", "gradients", "--out", folder)
    assert outcome.code == 0, outcome.err
    assert "shops" in (folder / "measure.html").read_text()
    assert "odd" in outcome.out


def test_searchers_drive_sampling_rates(tmp_path: Path) -> None:
    frame = shops()
    parts = {
        str(shop): (own.select(*"wxyz").to_numpy(), own["bad"].to_numpy())
        for (shop,), own in frame.group_by("shop", maintain_order=True)
    }
    settings = Settings(
        seeds=2, max_groups=1, budget=10.0, weights=PBT(members=4), low_precision=False
    )
    result, predictor = plan(from_domains(parts), out=tmp_path / "run", settings=settings)
    assert "weighted" in result.mean_test
    assert predictor.predict(np.zeros((2, 4))).columns == list(parts)
