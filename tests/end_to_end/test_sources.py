"""``cotrain sources``: from the command to the page, and refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from end_to_end.command import cotrain, write_table

from cotrain.artifacts import RunFolder
from cotrain.transfer import read_choice


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four shops; two follow the rule of the new one."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(4000, 4))
    shop = np.arange(4000) % 5
    rule = np.where(shop < 3, x[:, 0], x[:, 3])
    names = pl.Series(["new", "north", "south", "odd", "strange"])[shop.tolist()]
    frame = pl.DataFrame(x, schema=list("wxyz")).with_columns(
        shop=names, bad=pl.Series(rule + 0.1 * draw.normal(size=4000) > 0)
    )
    return write_table(tmp_path_factory.mktemp("sources") / "shops.csv", frame)


OPTIONS = ("--targets", "bad", "--domain", "shop", "--target", "new", "--float32")


def test_sources_for_a_new_shop(table: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    options = (*OPTIONS, "--by", "gradients", "--budget", "0.8")
    outcome = cotrain("sources", table, *options, "--out", folder)
    assert outcome.code == 0, outcome.err
    found = read_choice(RunFolder(folder))
    assert set(found.picked[:2]) == {"north", "south"}
    assert f"\n{found}\n" in outcome.out
    assert found.measuring + found.pretraining <= 0.8
    assert outcome.out.endswith(f"\nreport: {folder / 'sources.html'}\n")
    page = (folder / "sources.html").read_text()
    assert re.findall("<h2>(.*?)</h2>", page) == ["Answer", "Sources for new"]
    again = cotrain("sources", table, *options, "--out", folder, "--resume")
    assert again.out == outcome.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--target", "now"), "target 'now' is not a column: did you mean 'new'?"),
        (("--budget", "1.5"), "budget must be above 0 and at most 1, got 1.5"),
        (("--budget", "0.05"), "raise the budget"),
    ],
)
def test_bad_options(table: Path, tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    outcome = cotrain("sources", table, *OPTIONS, *options, "--out", tmp_path / "run")
    assert outcome.code == 2
    assert message in outcome.err
