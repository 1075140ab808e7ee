"""``cotrain study``: published findings put to the test on your data. One command a study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from cotrain.cli import folders, session, table, values
from cotrain.cli.compose import from_groups
from cotrain.cli.options import Output, Precision, Seeds, TableOptions, budget_option, trial_option
from cotrain.cli.study_optimizers import optimizers
from cotrain.cli.study_scale import scale

study = typer.Typer(
    name="study",
    help="Put published findings on multi-task training to the test on your data.",
    no_args_is_help=True,
)


@dataclass(frozen=True, kw_only=True)
class GridOptions:
    """Which pairs, weights, sizes and learning rates are trained."""

    constant_weights: Annotated[
        str,
        trial_option(
            help="Weights of a pair's first target, the second has the rest. One half, and each target "
            "alone, are always trained."
        ),
    ] = "0.1,0.25,0.5,0.75,0.9"
    units: Annotated[
        str, trial_option(help="Units in a hidden layer; every number with every depth.")
    ] = "16,64,256"
    depths: Annotated[str, trial_option(help="Hidden layers.")] = "1,2"
    learning_rates: Annotated[
        str, trial_option(help="Learning rates tried for every pair, weight and size.")
    ] = "1e-3,3e-3,1e-2"
    max_pairs: Annotated[
        int, budget_option(min=1, help="Of more pairs of targets so many are drawn.")
    ] = 10


THREE_SEEDS = Seeds(seeds=3)


def scalarization(
    given: TableOptions,
    tried: GridOptions,
    *,
    chance: Seeds = THREE_SEEDS,
    precision: Precision,
    output: Output,
) -> None:
    """Pairs of targets, or domains, at many constant weights in networks of many sizes.

    Does the gain over single-task training grow with model size? Are the best weights of a small network
    also the best of a large one? Do conflicting gradients predict the gain? (Royer et al., NeurIPS 2023)
    """
    folder = folders.claim(output, given.data)
    shares = values.numbers(tried.constant_weights, "--constant-weights", float)
    widths = values.numbers(tried.units, "--units", int)
    depths = values.numbers(tried.depths, "--depths", int)
    learning_rates = values.numbers(tried.learning_rates, "--learning-rates", float)
    frame, schema, split = table.read(given)

    from cotrain.studies import Grid, study_scalarization

    grid = Grid(
        shares=shares,
        widths=widths,
        depths=depths,
        learning_rates=learning_rates,
        seeds=chance.seeds,
        most_pairs=tried.max_pairs,
        seed=chance.seed,
        low_precision=not precision.float32,
    )
    console, title = session.make_console(), folders.title(given.data)
    splits = session.split_table(frame, schema, split, chance.seed, console)
    with session.watched(console, folder) as watch:
        found = study_scalarization(splits, out=folder, grid=grid, title=title, watch=watch)
    page, subject = folder / "study.html", "pairs, weights and model size"
    session.present(console, page, title, subject, str(found), found.sections())


study.command()(from_groups(optimizers))
study.command()(from_groups(scale))
study.command()(from_groups(scalarization))
