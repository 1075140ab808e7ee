"""``cotrain sources``: which tasks to pre-finetune on for a target."""

from __future__ import annotations

import shlex
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from cotrain.transfer import AnyRanker, ShortRun


class By(StrEnum):
    """Who ranks."""

    PROBE = "probe"
    LOOKAHEAD = "lookahead"
    GRADIENTS = "gradients"
    REPRESENTATION = "representation"
    SAMPLED = "sampled"


Target = Annotated[
    str,
    typer.Option(help="The target, or with --domain its domain; all other targets are sources."),
]
Ranks = Annotated[By, typer.Option("--by", help="What ranks the sources.")]
Share = Annotated[
    float,
    typer.Option(help="Share of the compute of pre-finetuning on all sources, measuring included."),
]
Most = Annotated[
    int | None, typer.Option(min=1, help="At most so many sources.", show_default=False)
]


def sources(
    data: Data,
    targets: Targets,
    target: Target,
    by: Ranks = By.PROBE,
    share: Share = 0.35,
    max_sources: Most = None,
    ignore: Ignore = None,
    kind: Kinds = None,
    columns: Columns = None,
    smiles: Smiles = None,
    domain: Domain = None,
    split: Cut = "random",
    seed: Seed = 0,
    float32: Float32 = False,
    out: Out = None,
    resume: Resume = False,
) -> None:
    """Rank sources for a target and pick a set under a share of the compute, before any encoder is trained."""
    from cotrain.figures.section import Section
    from cotrain.transfer import ShortRun, choose_sources
    from cotrain.transfer.source_choice import MOST_LINES

    folder = options.claim_folder(out or options.folder_name(data), resume=resume)
    wanted = targets if domain else [*targets, target]
    frame, schema, cut = options.read(data, wanted, ignore, kind, columns, smiles, split, domain)
    console, title = session.make_console(), options.title(data)
    splits = session.split_table(frame, schema, cut, seed, console)
    with session.watched(console, folder):
        found = choose_sources(
            splits,
            target=target,
            out=folder,
            by=_ranker(by, ShortRun(seed=seed, low_precision=not float32)),
            share=share,
            most=max_sources,
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
        given = {
            "--targets": targets,
            "--ignore": [*(ignore or []), *([] if domain else [found.target])],
            "--kind": kind or [],
            "--columns": [columns] if columns else [],
            "--smiles": [smiles] if smiles else [],
            "--domain": [domain] if domain else [],
            "--split": [] if split == "random" else [split],
            "--chosen": [str(folder)],
        }
        words = [word for name, values in given.items() for one in values for word in (name, one)]
        session.say(console, f"then: {shlex.join(['cotrain', 'pretrain', str(data), *words])}")
        session.say(
            console, "with --without TABLE if the rows of the target's own TABLE are among these"
        )


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
