"""``cotrain demo``: the main job on scikit-learn's digits as 15 tasks."""

from __future__ import annotations

from pathlib import Path

from cotrain.cli import folders
from cotrain.cli.options import Output
from cotrain.cli.run import run_table
from cotrain.run.settings import LOOKING_ON, Settings

DEMO = Output(out=Path("cotrain-demo"))


def demo(output: Output = DEMO) -> None:
    """Run on bundled data: ten one-vs-rest digits, four attributes and a random-label control."""
    from cotrain.data import DIGITS_TARGETS, RandomSplit, digits_table, infer_schema
    from cotrain.engine.cohorts.local import LOCAL

    folder = folders.claim(output, Path("demo"))
    frame = digits_table()
    schema = infer_schema(frame, targets=DIGITS_TARGETS)
    settings = Settings(instruments=LOOKING_ON)
    run_table(frame, schema, RandomSplit(), settings, folder, "digits", LOCAL)
