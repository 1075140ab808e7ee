"""``cotrain study scale``: more source tasks, or more related ones?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cotrain.cli import folders, session, table, values
from cotrain.cli.options import (
    AllowOverlap,
    Output,
    Precision,
    Seeds,
    TableOptions,
    Widths,
    budget_option,
    data_option,
    trial_option,
)
from cotrain.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Sources(Widths):
    """Who learns from whom, and how many sets of sources are tried."""

    target: Annotated[
        list[str],
        data_option(
            help="Held-out target, or with --domain a held-out domain; comma-separated or repeated. All "
            "other targets are sources."
        ),
    ]
    group: Annotated[
        list[str] | None,
        data_option(help="NAME=PATTERN,PATTERN: a group of related tasks; repeated."),
    ] = None
    group_prefix: Annotated[
        str | None,
        data_option(help="Tasks whose names are alike up to this separator are a group."),
    ] = None
    draws: Annotated[int, trial_option(min=1, help="Random orders in which sources are added.")] = 5
    examples: Annotated[
        int | None,
        budget_option(
            min=1,
            help="Labels of every set where their number is fixed. Default: those of the smallest source.",
            show_default=False,
        ),
    ] = None
    rows: Annotated[
        int | None, budget_option(min=1, help="Training rows of a target. Default: all.")
    ] = None
    allow_overlap: AllowOverlap = False


def scale(
    given: TableOptions, sources: Sources, chance: Seeds, precision: Precision, output: Output
) -> None:
    """Encoders of many sets of sources, and what they are worth to unseen targets.

    Do more source tasks help, also at the same number of examples? Is a small related set as good? Does a
    mismatched one hurt? Do more tasks lower the variance? (Padmakumar et al., NAACL 2022)
    """
    if (sources.group is None) == (sources.group_prefix is None):
        raise InputError("say which tasks are related: --group NAME=PATTERN,… or --group-prefix _")
    patterns = None if sources.group is None else _patterns(sources.group)
    widths = values.numbers(sources.widths, "--widths", int)
    folder = folders.claim(output, given.data)
    frame, schema, split = table.read(given, [] if given.domain else sources.target)
    names = [task.name for task in schema.tasks]

    from cotrain.studies import ScaleGrid, by_pattern, by_prefix, study_scale

    grid = ScaleGrid(
        draws=sources.draws,
        examples=sources.examples,
        rows=sources.rows,
        seeds=chance.seeds,
        widths=widths,
        seed=chance.seed,
        low_precision=not precision.float32,
    )
    prefix = sources.group_prefix or ""
    families = by_prefix(names, prefix) if patterns is None else by_pattern(names, patterns)
    console, title = session.make_console(), folders.title(given.data)
    splits = session.split_table(frame, schema, split, chance.seed, console)
    with session.watched(console, folder) as watch:
        found = study_scale(
            splits,
            targets=table.names(sources.target, names),
            families=families,
            out=folder,
            grid=grid,
            title=title,
            allow_overlap=sources.allow_overlap,
            watch=watch,
        )
    page, subject = folder / "study.html", "scale and relatedness of sources"
    session.present(console, page, title, subject, str(found), found.sections())


def _patterns(given: list[str]) -> dict[str, tuple[str, ...]]:
    found = {}
    for text in given:
        name, _, patterns = text.partition("=")
        if not name or not patterns:
            raise InputError(f"--group {text!r}: write NAME=PATTERN,PATTERN")
        if name in found:
            raise InputError(f"--group {name!r} is given twice")
        found[name] = tuple(part.strip() for part in patterns.split(","))
    return found
