"""``cotrain study``: published findings put to the test on your data. One command a study."""

from __future__ import annotations

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
from cotrain.cli.study_optimizers import optimizers
from cotrain.cli.study_scale import scale

study = typer.Typer(
    name="study",
    help="Put published findings on multi-task training to the test on your data.",
    no_args_is_help=True,
)
study.command()(optimizers)
study.command()(scale)

SharesOption = Annotated[
    str,
    typer.Option(
        "--weights",
        help="Weights of a pair's first target, the second has the rest. One half, and each target "
        "alone, are always trained.",
    ),
]
Widths = Annotated[str, typer.Option(help="Units in a hidden layer; every width with every depth.")]
Depths = Annotated[str, typer.Option(help="Hidden layers.")]
Rates = Annotated[str, typer.Option(help="Learning rates tried for every pair, weight and size.")]
MostPairs = Annotated[int, typer.Option(min=1, help="Of more pairs of targets so many are drawn.")]
StudySeeds = Annotated[
    int, typer.Option("--seeds", min=2, help="Seeds of every network, at least 2.")
]


@study.command()
def scalarization(
    data: Data,
    targets: Targets,
    ignore: Ignore = None,
    kind: Kinds = None,
    columns: Columns = None,
    smiles: Smiles = None,
    domain: Domain = None,
    split: Cut = "random",
    seed: Seed = 0,
    weights: SharesOption = "0.1,0.25,0.5,0.75,0.9",
    widths: Widths = "16,64,256",
    depths: Depths = "1,2",
    learning_rates: Rates = "1e-3,3e-3,1e-2",
    seeds: StudySeeds = 3,
    max_pairs: MostPairs = 10,
    float32: Float32 = False,
    out: Out = None,
    resume: Resume = False,
) -> None:
    """Pairs of targets, or domains, at many constant weights in networks of many sizes.

    Does the gain over single-task training grow with model size? Are the best weights of a small network
    also the best of a large one? Do conflicting gradients predict the gain? (Royer et al., NeurIPS 2023)
    """
    from cotrain.studies import Grid, study_scalarization

    grid = Grid(
        shares=options.numbers(weights, "--weights", float),
        widths=options.numbers(widths, "--widths", int),
        depths=options.numbers(depths, "--depths", int),
        learning_rates=options.numbers(learning_rates, "--learning-rates", float),
        seeds=seeds,
        most_pairs=max_pairs,
        seed=seed,
        low_precision=not float32,
    )
    folder = options.claim_folder(out or options.folder_name(data), resume=resume)
    frame, schema, cut = options.read(data, targets, ignore, kind, columns, smiles, split, domain)
    console, title = session.make_console(), options.title(data)
    splits = session.split_table(frame, schema, cut, seed, console)
    with session.watched(console, folder) as watch:
        found = study_scalarization(splits, out=folder, grid=grid, title=title, watch=watch)
    page, subject = folder / "study.html", "pairs, weights and model size"
    session.present(console, page, title, subject, str(found), found.sections())
