"""``cotrain demo``: the main job on scikit-learn's digits as 15 tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cotrain.cli.options import Resume, claim_folder, instruments, make_settings
from cotrain.cli.run import run_table


def demo(
    out: Annotated[Path, typer.Option(help="Run folder.")] = Path("cotrain-demo"),
    resume: Resume = False,
) -> None:
    """Run on bundled data: ten one-vs-rest digits, four attributes and a random-label control."""
    from cotrain.data import DIGITS_TARGETS, RandomSplit, digits_table, infer_schema
    from cotrain.engine.cohorts.local import LOCAL

    folder = claim_folder(out, resume=resume)
    frame = digits_table()
    schema = infer_schema(frame, targets=DIGITS_TARGETS)
    settings = make_settings(instruments=instruments(["gradients", "datamap"]))
    run_table(frame, schema, RandomSplit(), settings, folder, "digits", LOCAL)
