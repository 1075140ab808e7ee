"""``cotrain sources``: from the command to the page, and refused."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from end_to_end.command import cotrain, write_table

from cotrain.folder import RunFolder
from cotrain.transfer import load_encoder, read_choice


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
    options = (*OPTIONS, "--by", "gradients", "--share", "0.8")
    outcome = cotrain("sources", table, *options, "--out", folder)
    assert outcome.code == 0, outcome.err
    found = read_choice(RunFolder(folder))
    assert set(found.picked[:2]) == {"north", "south"}
    assert f"\n{found.ranking()}\n\n{found.answer()}\n" in outcome.out
    assert found.measuring + found.pretraining <= 0.8
    assert f"\nreport: {folder / 'sources.html'}\nthen: cotrain pretrain {table} " in outcome.out
    page = (folder / "sources.html").read_text()
    assert re.findall("<h2>(.*?)</h2>", page) == ["Answer", "Sources for new"]
    again = cotrain("sources", table, *options, "--out", folder, "--resume")
    assert again.out == outcome.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--target", "now"), "target 'now' is not a column: did you mean 'new'?"),
        (("--share", "1.5"), "share must be above 0 and at most 1, got 1.5"),
    ],
)
def test_bad_options(table: Path, tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    outcome = cotrain("sources", table, *OPTIONS, *options, "--out", tmp_path / "run")
    assert outcome.code == 2
    assert message in outcome.err


def test_from_the_choice_to_an_encoder(table: Path, tmp_path: Path) -> None:
    """A small share keeps the two shops that follow the rule; the encoder learns from these alone."""
    chosen, folder = tmp_path / "chosen", tmp_path / "encoder"
    outcome = cotrain("sources", table, *OPTIONS, "--share", "0.2", "--out", chosen)
    assert outcome.code == 0, outcome.err
    assert "chosen (*): 2, with 50 % of the rows" in outcome.out
    assert "compute: 2 epochs 17 %" in outcome.out
    same = ("--targets", "bad", "--domain", "shop", "--float32", "--chosen", chosen)
    outcome = cotrain("pretrain", table, *same, "--widths", "16", "--out", folder)
    assert outcome.code == 0, outcome.err
    facts = load_encoder(folder).facts
    assert {source.name for source in facts.sources} == {"north", "south"}
    assert facts.epochs_run == 2
    assert facts.examples == 2 * (facts.rows // 16 + 1) * 15  # batches of one size, of 16 at most
    other = ("--targets", "bad", "--float32", "--ignore", "shop", "--chosen", chosen)
    outcome = cotrain("pretrain", table, *other, "--out", tmp_path / "other")
    assert outcome.code == 2
    assert "is not among the targets: give the --targets" in outcome.err


def test_the_command_that_is_printed_works(table: Path, tmp_path: Path) -> None:
    """With odd names; the target is no input of the encoder. Another choice is other data."""
    frame = pl.read_csv(table)
    wide = frame.select(
        *"wxyz",
        pl.col("bad").alias("a 'b'"),
        (pl.col("x") + pl.col("w") > 0).alias("c,d"),
        (pl.col("w") + pl.col("y") > 0.2).alias("$new"),
    )
    odd, chosen, out = tmp_path / "odd table.csv", tmp_path / "my choice", tmp_path / "encoder"
    wide.write_csv(odd)
    asked = (
        "sources",
        odd,
        "--targets",
        "a 'b'",
        "--targets",
        "c,d",
        "--target",
        "$new",
        "--float32",
    )
    outcome = cotrain(*asked, "--out", chosen)
    assert outcome.code == 0, outcome.err
    line = next(line for line in outcome.out.splitlines() if line.startswith("then: cotrain "))
    pretrain = (*shlex.split(line)[2:], "--widths", "8", "--float32", "--out", out)
    outcome = cotrain(*pretrain)
    assert outcome.code == 0, outcome.err
    assert "inputs: 4 numbers" in outcome.out
    assert cotrain(*asked, "--share", "0.1", "--out", chosen, "--resume").code == 0
    outcome = cotrain(*pretrain, "--resume")
    assert outcome.code == 2
    assert "holds a run with other data" in outcome.err
    outcome = cotrain(*pretrain[:-2], "--chosen", tmp_path / "nowhere", "--out", tmp_path / "e")
    assert "holds no choice: give the --out folder of cotrain sources" in outcome.err
