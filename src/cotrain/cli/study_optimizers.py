"""``cotrain study optimizers``: optimizers × methods of weighting × learning rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, TypeVar

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
from cotrain.errors import InputError

if TYPE_CHECKING:
    from cotrain.studies import Contestant, Method

T = TypeVar("T", "Contestant", "Method")
Layers = Annotated[str, typer.Option("--widths", help="Units of the hidden layers.")]
Optimizers = Annotated[str, typer.Option(help="Some of SGD, Adam, AdamW, signSGD, task Adam.")]
MethodNames = Annotated[
    str,
    typer.Option(
        help="Some of UW, RLW, IMTL-L, PCGrad, CAGrad, Aligned-MTL, IT-MTL; uniform always is one."
    ),
]
HowMany = Annotated[
    int, typer.Option(min=1, max=8, help="Learning rates of each, √10 apart, about its middle.")
]
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
    optimizers: Optimizers = "",
    methods: MethodNames = "",
    rates: HowMany = 8,
    widths: Layers = "64,64",
    dropout: Dropout = 0.3,
    seeds: StudySeeds = 3,
    out: Out = None,
    resume: Resume = False,
) -> None:
    """Five optimizers with eight methods of weighting, each tuned over eight learning rates.

    Does Adam beat SGD? Do gradients of tasks conflict more than those of samples, or differ in size? How
    sensitive is each to its learning rate? (Elich et al., 2023) Needs cotrain's extra torchjd.
    """
    from cotrain.studies import OptimizerGrid, study_optimizers
    from cotrain.studies.optimizers.contestants import CONTESTANTS, published_methods

    uniform, *others = published_methods()
    grid = OptimizerGrid(
        contestants=tuple(
            replace(one, learning_rates=_middle(one.learning_rates, rates))
            for one in _named(CONTESTANTS, optimizers, "--optimizers")
        ),
        methods=(uniform, *_named(others, methods, "--methods", besides=uniform.name)),
        widths=options.numbers(widths, "--widths", int),
        dropout=dropout,
        seeds=seeds,
        seed=seed,
    )
    folder = options.claim_folder(out or options.folder_name(data), resume=resume)
    frame, schema, cut = options.read(data, targets, ignore, kind, columns, smiles, split, domain)
    console, title = session.make_console(), options.title(data)
    splits = session.split_table(frame, schema, cut, seed, console)
    with session.watched(console, folder) as watch:
        found = study_optimizers(splits, out=folder, grid=grid, title=title, watch=watch)
    page, subject = folder / "study.html", "optimizers and weighting"
    session.present(console, page, title, subject, str(found), found.sections())


def _named(every: Sequence[T], names: str, option: str, besides: str = "") -> list[T]:
    """Those of the names, in their own order; all if there are none."""
    asked = {name.strip().lower() for name in names.split(",") if name.strip()}
    known = {one.name.lower(): one for one in every}
    for name in sorted(asked - set(known) - {besides}):
        raise InputError(f"{option} {name!r}: there is {', '.join(one.name for one in every)}")
    return [one for name, one in known.items() if name in asked or not asked]


def _middle(rates: tuple[float, ...], count: int) -> tuple[float, ...]:
    first = (len(rates) - count) // 2
    return rates[first : first + count]
