"""``cotrain study optimizers``: optimisers × methods of weighting × learning rates."""

from __future__ import annotations

from typing import Annotated

import typer

from cotrain.cli import options, session
from cotrain.cli.options import (
    Columns,
    Cut,
    Data,
    Domain,
    Ignore,
    Kinds,
    Out,
    Resume,
    Seed,
    Smiles,
    Targets,
)

Layers = Annotated[str, typer.Option("--widths", help="Units of the hidden layers.")]
Dropout = Annotated[float, typer.Option(min=0, max=1, help="Share of the network's dropout rates.")]
StudySeeds = Annotated[int, typer.Option("--seeds", min=2, help="Seeds of every network.")]


def optimizers(
    data: Data,
    targets: Targets,
    ignore: Ignore = None,
    kind: Kinds = None,
    columns: Columns = None,
    smiles: Smiles = None,
    split: Cut = "random",
    domain: Domain = None,
    seed: Seed = 0,
    widths: Layers = "64,64",
    dropout: Dropout = 0.3,
    seeds: StudySeeds = 3,
    out: Out = None,
    resume: Resume = False,
) -> None:
    """Five optimisers with eight methods of weighting, each tuned over eight learning rates.

    Does Adam beat SGD? Do gradients of tasks conflict more than those of samples, or differ in size? How
    sensitive is each to its learning rate? (Elich et al., 2023) Needs cotrain's extra torchjd.
    """
    from cotrain.artifacts import RunFolder
    from cotrain.reporting import render_study
    from cotrain.studies import OptimizerGrid, study_optimizers

    layers = options.numbers(widths, "--widths", int)
    grid = OptimizerGrid(widths=layers, dropout=dropout, seeds=seeds, seed=seed)
    folder = options.claim_folder(out or options.folder_name(data), resume=resume)
    frame, schema, cut = options.read(data, targets, ignore, kind, columns, smiles, split, domain)
    console, title = session.make_console(), options.title(data)
    splits = session.split_table(frame, schema, cut, seed, console)
    with session.watched(console, folder) as watch:
        found = study_optimizers(splits, out=folder, grid=grid, title=title, watch=watch)
    session.say(console, f"\n{found}")
    page = render_study(title, "optimisers and weighting", str(found), found.sections())
    RunFolder(folder).write_text("study.html", page)
    session.say(console, f"\nreport: {folder / 'study.html'}")
