"""``cotrain sources``: which tasks to pre-finetune on for a target."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from cotrain.cli import folders, session, table
from cotrain.cli.options import (
    Output,
    Precision,
    Seed,
    TableOptions,
    budget_option,
    data_option,
    trial_option,
)

if TYPE_CHECKING:
    from pathlib import Path

    from cotrain.transfer import AnyRanker, ShortRun, SourceChoice


class By(StrEnum):
    """What ranks the sources."""

    PROBE = "probe"
    LOOKAHEAD = "lookahead"
    GRADIENTS = "gradients"
    REPRESENTATION = "representation"
    SAMPLED = "sampled"


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Whom the sources are for, and how they are chosen."""

    target: Annotated[
        str,
        data_option(help="The target, or with --domain its domain; all other targets are sources."),
    ]
    by: Annotated[By, trial_option(help="What ranks the sources.")] = By.PROBE
    max_sources: Annotated[
        int | None, trial_option(min=1, help="At most so many sources.", show_default=False)
    ] = None
    share: Annotated[
        float,
        budget_option(
            help="Share of the compute of pre-finetuning on all sources, measuring included."
        ),
    ] = 0.35


def sources(
    given: TableOptions,
    ranking: Ranking,
    chance: Seed,
    precision: Precision,
    output: Output,
) -> None:
    """Rank sources for a target and pick a set under a budget, before any encoder is trained."""
    folder = folders.claim(output, given.data)
    frame, schema, split = table.read(given, [] if given.domain else [ranking.target])

    from cotrain.figures.section import Section
    from cotrain.transfer import ShortRun, choose_sources
    from cotrain.transfer.source_choice import MOST_LINES

    console, title = session.make_console(), folders.title(given.data)
    splits = session.split_table(frame, schema, split, chance.seed, console)
    with session.watched(console, folder):
        found = choose_sources(
            splits,
            target=ranking.target,
            out=folder,
            by=_ranker(ranking.by, ShortRun(seed=chance.seed, low_precision=not precision.float32)),
            share=ranking.share,
            most=ranking.max_sources,
            title=title,
        )
    section = Section(
        title=f"Sources for {found.target}",
        about=f"What the ranking by {found.by} found of every source for the target; 0 or less is not "
        "expected to help. Scores of one ranker compare sources, and have no error bars: other rows, or "
        "another --seed, may exchange neighbours. Rows are read in this order, as far as the share goes.",
        text=found.ranking(),
        drawing=found.figure(),
    )
    page, subject = folder / "sources.html", f"sources for {found.target}"
    session.say(console, f"\n{found.ranking(MOST_LINES)}")
    session.present(console, page, title, subject, found.answer(), [section])
    if found.picked:
        session.say(console, f"then: {_next_command(given, found, folder)}")
        session.say(
            console, "with --without TABLE if the rows of the target's own TABLE are among these"
        )


def _next_command(given: TableOptions, found: SourceChoice, folder: Path) -> str:
    """The ``cotrain pretrain`` that follows the choice, to be pasted."""
    options = {
        "--targets": given.targets,
        "--ignore": [*(given.ignore or []), *([] if given.domain else [found.target])],
        "--kind": given.kind or [],
        "--columns": [given.columns] if given.columns else [],
        "--smiles": [given.smiles] if given.smiles else [],
        "--domain": [given.domain] if given.domain else [],
        "--split": [] if given.split == TableOptions.split else [given.split],
        "--chosen": [str(folder)],
    }
    words = [word for name, chosen in options.items() for one in chosen for word in (name, one)]
    return shlex.join(["cotrain", "pretrain", str(given.data), *words])


def _ranker(by: By, run: ShortRun) -> AnyRanker:
    from dataclasses import replace

    from cotrain.transfer import (
        ByGradients,
        ByLinearProbe,
        ByLookahead,
        ByRepresentation,
        BySampling,
    )

    rankers: dict[By, AnyRanker] = {
        By.PROBE: ByLinearProbe(widths=run.widths, seed=run.seed),
        By.LOOKAHEAD: ByLookahead(run=run),
        By.GRADIENTS: ByGradients(run=run),
        By.REPRESENTATION: ByRepresentation(run=run),
        By.SAMPLED: BySampling(run=replace(run, epochs=BySampling().run.epochs)),
    }
    return rankers[by]
