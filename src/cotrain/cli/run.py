"""``cotrain run``: from a table to the answer, the proof and the trained models."""

from __future__ import annotations

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cotrain.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from cotrain.data import Schema, Split
    from cotrain.settings import Settings


class Trees(StrEnum):
    """The gradient-boosting baseline."""

    HIST = "hist"
    LIGHTGBM = "lightgbm"


BUDGET_HELP = (
    "Total compute of the networks, as a multiple of one joint run. "
    "Default: what the full protocol needs, (tasks + 1 + groups) x (settings + seeds - 1) + 3, "
    "more for many tasks."
)
Out = Annotated[Path | None, typer.Option(help="Run folder; cotrain-NAME unless given.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")]
Budget = Annotated[float | None, typer.Option(help=BUDGET_HELP, show_default=False)]
MaxGroups = Annotated[int, typer.Option(min=1, help="At most so many groups.")]
Seeds = Annotated[int, typer.Option(min=2, help="Seeds of every contender.")]
Seed = Annotated[int, typer.Option(min=0, help="Seeds the split, the row order and the bootstrap.")]
WhichTrees = Annotated[Trees, typer.Option(help="Trees to compare with (lightgbm: extra gbm).")]
Float32 = Annotated[bool, typer.Option("--float32", help="Never compute in bfloat16.")]


def run(
    data: Annotated[Path, typer.Argument(help="CSV, TSV, Parquet or ARFF, plain or .gz.")],
    targets: Annotated[
        list[str], typer.Option(help="Target column or glob; comma-separated or repeated.")
    ],
    ignore: Annotated[
        list[str] | None, typer.Option(help="Column or glob that is neither target nor input.")
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(help="NAME=binary|multiclass|regression, if the inferred kind is wrong."),
    ] = None,
    columns: Annotated[
        str | None, typer.Option(help="Comma-separated names, for a file without a header line.")
    ] = None,
    smiles: Annotated[
        str | None, typer.Option(help="Column of SMILES, made into fingerprints (extra chem).")
    ] = None,
    split: Annotated[
        str, typer.Option(help="random | stratified | group:COLUMN | time:COLUMN")
    ] = "random",
    seed: Seed = 0,
    seeds: Seeds = 5,
    budget: Budget = None,
    max_groups: MaxGroups = 3,
    trees: WhichTrees = Trees.HIST,
    float32: Float32 = False,
    out: Out = None,
    resume: Resume = False,
) -> None:
    """Find out which targets to train together, prove it against the baselines, ship the models."""
    from cotrain.data import infer_schema, parse_split, read_table

    cut = parse_split(split)
    folder = claim_folder(out or Path(f"cotrain-{data.name.split('.')[0]}"), resume=resume)
    frame = read_table(data, columns.split(",") if columns else None)
    schema = infer_schema(
        frame,
        targets=_names(targets, frame.columns),
        ignore=_names(ignore or [], frame.columns),
        kinds=_kinds(kind or []),
        smiles=smiles,
        reserved=cut.reserved,
    )
    settings = make_settings(seed, seeds, budget, max_groups, trees, float32)
    run_table(frame, schema, cut, settings, folder, data.name.split(".")[0])


def run_table(
    frame: pl.DataFrame,
    schema: Schema,
    split: Split,
    settings: Settings,
    folder: Path,
    title: str,
) -> None:
    """Run on a table that has been read, printing what happens, and write the report."""
    from rich.console import Console

    from cotrain import plan
    from cotrain.artifacts import RunFolder
    from cotrain.cli.progress import Display
    from cotrain.data import from_table
    from cotrain.reporting import print_result, render_html

    console = Console(width=None if sys.stdout.isatty() else 110)
    for line in schema.describe():
        console.print(line, highlight=False, markup=False)
    splits = from_table(frame, schema, split, settings.seed)
    for note in splits.notes:
        console.print(f"note: {note}", highlight=False, markup=False)
    with Display(console) as display:
        try:
            result, _ = plan(
                splits, out=folder, settings=settings, title=title, watch=display.update
            )
        except KeyboardInterrupt:
            console.print(
                f"stopped; {folder} keeps what is done: repeat the command with --resume",
                markup=False,
            )
            raise typer.Exit(130) from None
    print_result(result, console)
    RunFolder(folder).write_text("report.html", render_html(result))
    console.print(
        f"predict with: cotrain predict {shlex.quote(str(folder))} NEWDATA -o preds.csv",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    console.print(
        f"report: {folder / 'report.html'}", highlight=False, markup=False, soft_wrap=True
    )


def make_settings(
    seed: int, seeds: int, budget: float | None, max_groups: int, trees: Trees, float32: bool
) -> Settings:
    """Settings from the command line's options."""
    from cotrain.baselines.trees import HistTrees, LightGBMTrees
    from cotrain.settings import Settings

    learner = HistTrees() if trees is Trees.HIST else LightGBMTrees()
    return Settings(
        seed=seed,
        seeds=seeds,
        budget=budget,
        max_groups=max_groups,
        trees=learner,
        low_precision=not float32,
    )


def claim_folder(folder: Path, *, resume: bool) -> Path:
    """Refuse a run folder that holds something else or cannot be written; create nothing yet."""
    from cotrain.artifacts import RunFolder

    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {folder} is a file: choose a folder")
    if RunFolder(folder).holds_other_work():
        raise InputError(f"--out {folder} is not empty and holds no run: choose another folder")
    if folder.exists() and any(folder.iterdir()) and not resume:
        raise InputError(f"--out {folder} holds a run: add --resume, or choose another folder")
    parent = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
    if not parent.is_dir():
        raise InputError(f"--out {folder} cannot be made: {parent} is a file")
    if not _writable(parent):
        raise InputError(f"--out {folder} cannot be written: {parent} is read-only for you")
    return folder


def _writable(folder: Path) -> bool:
    import tempfile

    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _names(given: list[str], columns: list[str]) -> list[str]:
    """Split at commas, except where the text is a column's name as it stands."""
    return [
        name
        for text in given
        for name in ([text] if text in columns else [part.strip() for part in text.split(",")])
    ]


def _kinds(given: list[str]) -> dict[str, str]:
    kinds = {}
    for text in given:
        name, found, kind = text.rpartition("=")
        if not found:
            raise InputError(
                f"--kind {text!r}: write NAME=binary, NAME=multiclass or NAME=regression"
            )
        kinds[name] = kind
    return kinds
