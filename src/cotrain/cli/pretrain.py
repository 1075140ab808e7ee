"""``cotrain pretrain``: an encoder that has learned from many source targets."""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cotrain.cli import folders, session, table, values
from cotrain.cli.options import (
    Output,
    Precision,
    Seed,
    TableOptions,
    Widths,
    data_option,
    trial_option,
)
from cotrain.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Pretrain(Widths):
    """What the encoder learns from, and how long."""

    chosen: Annotated[
        Path | None,
        trial_option(
            help="Folder of `cotrain sources`: only what it chose, for as many epochs.",
            show_default=False,
        ),
    ] = None
    epochs: Annotated[
        int | None,
        trial_option(
            min=1,
            help="So many epochs, in a whole schedule of small batches; until early stopping if not "
            "given. Two cost a third of that or less, for a score within .007 where we measured.",
            show_default=False,
        ),
    ] = None
    without: Annotated[
        Path | None,
        data_option(
            help="Table whose rows must not be trained on: rows of DATA with the same inputs stay out. "
            "Its column of molecules may have another name."
        ),
    ] = None
    sampling: Annotated[
        str,
        trial_option(
            help="How sources count: size (every label alike), uniform (every source alike), or a "
            "temperature between, above 1."
        ),
    ] = "size"


def pretrain(
    given: TableOptions,
    how: Pretrain,
    chance: Seed,
    precision: Precision,
    output: Output,
) -> None:
    """Pre-finetune one encoder on all targets, for `cotrain run --encoder` or any PyTorch program."""
    temperature, widths = _temperature(how.sampling), values.numbers(how.widths, "--widths", int)
    folder = folders.claim(output, given.data, "-encoder")
    frame, schema, split = table.read(given)

    from cotrain.data import from_table
    from cotrain.data.without import without_rows_of
    from cotrain.folder import RunFolder
    from cotrain.transfer import Pretraining, build_encoder, read_choice
    from cotrain.transfer.sources import follow

    choice = None if how.chosen is None else read_choice(RunFolder(how.chosen))
    training = Pretraining(widths=widths, seed=chance.seed, low_precision=not precision.float32)
    epochs = how.epochs or (None if choice is None else choice.epochs)
    if epochs is not None:
        training = training.brief(epochs)
    if choice is not None and choice.target in [one.name for one in schema.inputs]:
        raise InputError(f"{choice.target!r}, the target, would be an input: add it to --ignore")
    console = session.make_console()
    if how.without is not None:
        whole = len(frame)
        frame = without_rows_of(frame, table.read_file(how.without, None), schema.inputs)
        session.say(console, f"rows left out, also in {how.without.name}: {whole - len(frame):,}")
    splits = from_table(frame, schema, split, chance.seed, test=False)
    if choice is not None:
        splits = follow(choice, splits)
    session.say(console, schema.describe()[-1])
    for note in splits.notes:
        session.say(console, f"note: {note}")
    with session.watched(console, folder) as watch:
        found = build_encoder(
            splits,
            out=folder,
            temperature=temperature,
            how=training,
            title=folders.title(given.data),
            watch=watch,
        )
    session.say(console, str(found.facts))
    session.say(
        console, f"start from it with: cotrain run DATA --encoder {shlex.quote(str(folder))}"
    )


def _temperature(text: str) -> float:
    known = {"size": 1.0, "uniform": math.inf}
    try:
        value = known[text] if text in known else float(text)
    except ValueError:
        value = math.nan
    if not value >= 1:
        raise InputError(f"--sampling {text!r}: write size, uniform, or a number from 1 on")
    return value
