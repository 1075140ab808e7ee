"""``cotrain pretrain``: an encoder that has learned from many source targets."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import Annotated

import typer

from cotrain.cli import options, session
from cotrain.cli.options import (
    Columns,
    Cut,
    Data,
    Domain,
    Float32,
    Ignore,
    Kinds,
    Out,
    Resume,
    Seed,
    Smiles,
    Targets,
)
from cotrain.errors import InputError

SAMPLING_HELP = (
    "How sources count: size (every label alike), uniform (every source alike), or a temperature "
    "between, above 1."
)
Sampling = Annotated[str, typer.Option(help=SAMPLING_HELP)]
Widths = Annotated[str, typer.Option(help="Units in each hidden layer, with commas between.")]
WITHOUT_HELP = (
    "Table whose rows must not be trained on: rows of DATA with the same inputs stay out. Its column of "
    "molecules may have another name."
)
Chosen = Annotated[
    Path | None,
    typer.Option(
        help="Folder of `cotrain sources`: only what it chose, for as many epochs.",
        show_default=False,
    ),
]
EPOCHS_HELP = (
    "So many epochs over the rows, in a whole schedule of small batches; until early stopping if not "
    "given. Two cost a third of that or less, for a score within .007 where we measured."
)
Epochs = Annotated[int | None, typer.Option(min=1, help=EPOCHS_HELP, show_default=False)]
Without = Annotated[Path | None, typer.Option(help=WITHOUT_HELP)]


def pretrain(
    data: Data,
    targets: Targets,
    ignore: Ignore = None,
    kind: Kinds = None,
    columns: Columns = None,
    smiles: Smiles = None,
    domain: Domain = None,
    chosen: Chosen = None,
    epochs: Epochs = None,
    without: Without = None,
    split: Cut = "random",
    seed: Seed = 0,
    sampling: Sampling = "size",
    widths: Widths = "256,256",
    float32: Float32 = False,
    out: Out = None,
    resume: Resume = False,
) -> None:
    """Pre-finetune one encoder on all targets, for `cotrain run --encoder` or any PyTorch program."""
    from cotrain.data import from_table, read_table
    from cotrain.data.without import without_rows_of
    from cotrain.folder import RunFolder
    from cotrain.transfer import Pretraining, build_encoder, read_choice
    from cotrain.transfer.sources import follow

    temperature = _temperature(sampling)
    how = Pretraining(
        widths=options.numbers(widths, "--widths", int), seed=seed, low_precision=not float32
    )
    choice = None if chosen is None else read_choice(RunFolder(chosen))
    if choice is not None:
        epochs = epochs or choice.epochs
    if epochs is not None:
        how = how.brief(epochs)
    folder = options.claim_folder(
        out or Path(f"{options.folder_name(data)}-encoder"), resume=resume
    )
    frame, schema, cut = options.read(data, targets, ignore, kind, columns, smiles, split, domain)
    if choice is not None and choice.target in [one.name for one in schema.inputs]:
        raise InputError(f"{choice.target!r}, the target, would be an input: add it to --ignore")
    console = session.make_console()
    if without is not None:
        whole = len(frame)
        frame = without_rows_of(frame, read_table(without, None), schema.inputs)
        session.say(console, f"rows left out, also in {without.name}: {whole - len(frame):,}")
    splits = from_table(frame, schema, cut, seed, test=False)
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
            how=how,
            title=options.title(data),
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
