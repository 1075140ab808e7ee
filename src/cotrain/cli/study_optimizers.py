"""``cotrain study optimizers``: optimizers × methods of weighting × learning rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, TypeVar

from cotrain.cli import folders, session, table, values
from cotrain.cli.options import Output, Seeds, TableOptions, Widths, budget_option, trial_option
from cotrain.errors import InputError

if TYPE_CHECKING:
    from cotrain.studies import Contestant, Method

T = TypeVar("T", "Contestant", "Method")


@dataclass(frozen=True, kw_only=True)
class OptimizerOptions(Widths):
    """Which optimizers, methods of weighting and learning rates are trained, in which network."""

    optimizers: Annotated[
        str, trial_option(help="Some of SGD, Adam, AdamW, signSGD, task Adam.")
    ] = ""
    methods: Annotated[
        str,
        trial_option(
            help="Some of UW, RLW, IMTL-L, PCGrad, CAGrad, Aligned-MTL, IT-MTL; uniform always is one."
        ),
    ] = ""
    dropout: Annotated[
        float, trial_option(min=0, max=1, help="Share of the network's dropout rates.")
    ] = 0.3
    rates: Annotated[
        int,
        budget_option(min=1, max=8, help="Learning rates of each, √10 apart, about its middle."),
    ] = 8


TRIED = OptimizerOptions(widths="64,64")
THREE_SEEDS = Seeds(seeds=3)


def optimizers(
    given: TableOptions,
    *,
    tried: OptimizerOptions = TRIED,
    chance: Seeds = THREE_SEEDS,
    output: Output,
) -> None:
    """Five optimizers with eight methods of weighting, each tuned over eight learning rates.

    Does Adam beat SGD? Do gradients of tasks conflict more than those of samples, or differ in size? How
    sensitive is each to its learning rate? (Elich et al., 2023) Needs cotrain's extra torchjd.
    """
    folder = folders.claim(output, given.data)
    widths = values.numbers(tried.widths, "--widths", int)
    frame, schema, split = table.read(given)

    from cotrain.studies import OptimizerGrid, study_optimizers
    from cotrain.studies.optimizers.contestants import CONTESTANTS, published_methods

    uniform, *others = published_methods()
    grid = OptimizerGrid(
        contestants=tuple(
            replace(one, learning_rates=_middle(one.learning_rates, tried.rates))
            for one in _named(CONTESTANTS, tried.optimizers, "--optimizers")
        ),
        methods=(uniform, *_named(others, tried.methods, "--methods", besides=uniform.name)),
        widths=widths,
        dropout=tried.dropout,
        seeds=chance.seeds,
        seed=chance.seed,
    )
    console, title = session.make_console(), folders.title(given.data)
    splits = session.split_table(frame, schema, split, chance.seed, console)
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
