"""One call of a long verb: what it prints, its progress, and how it stops."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    import polars as pl
    from rich.console import Console

    from cotrain.data import Preparation, Schema, Split
    from cotrain.data.dataset import Splits
    from cotrain.engine.engine import Watch
    from cotrain.figures.section import Section


def make_console() -> Console:
    """As wide as the terminal; 110 columns where nobody looks."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 110)


def split_table(
    frame: pl.DataFrame,
    schema: Schema,
    split: Split,
    seed: int,
    console: Console,
    like: Preparation | None = None,
) -> Splits:
    """Say what the columns are taken for, and cut the table; networks read it as ``like`` says."""
    from cotrain.data import from_table

    for line in schema.describe():
        say(console, line)
    splits = from_table(frame, schema, split, seed, like=like)
    for note in splits.notes:
        say(console, f"note: {note}")
    return splits


@contextmanager
def watched(console: Console, folder: Path) -> Iterator[Watch]:
    """Live progress; Ctrl-C says how to go on."""
    from cotrain.cli.progress import Display

    with Display(console) as display:
        try:
            yield display.update
        except KeyboardInterrupt:
            line = f"stopped; {folder} keeps what is done: repeat the command with --resume"
            console.print(line, markup=False)
            raise typer.Exit(130) from None


def present(
    console: Console, page: Path, title: str, subject: str, answer: str, sections: Sequence[Section]
) -> None:
    """Print an answer, and write it with its pictures as a page of the run folder."""
    from cotrain.folder import RunFolder
    from cotrain.reporting import render_study

    say(console, f"\n{answer}")
    written = render_study(title, subject, answer, sections)
    RunFolder(page.parent).write_text(page.name, written)
    say(console, f"\nreport: {page}")


def say(console: Console, line: str) -> None:
    """One line as it stands, but for characters that would steer the terminal."""
    from cotrain.figures.text import block

    console.print(block(line), highlight=False, markup=False, soft_wrap=True)
