"""``cotrain study scale``: more source tasks, or more related ones?"""

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
from cotrain.errors import InputError

HeldOut = Annotated[
    list[str],
    typer.Option(
        "--target",
        help="Held-out target, or with --domain a held-out domain; comma-separated or repeated. All other "
        "targets are sources.",
    ),
]
Groups = Annotated[
    list[str] | None,
    typer.Option("--group", help="NAME=PATTERN,PATTERN: a group of related tasks; repeated."),
]
Prefix = Annotated[
    str | None,
    typer.Option(help="Tasks whose names are alike up to this separator are a group."),
]
Draws = Annotated[int, typer.Option(min=1, help="Random orders in which sources are added.")]
Examples = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Labels of every set where their number is fixed. Default: those of the smallest source.",
        show_default=False,
    ),
]
Rows = Annotated[int | None, typer.Option(min=1, help="Training rows of a target. Default: all.")]
StageTwoSeeds = Annotated[
    int, typer.Option("--seeds", min=2, help="Seeds of every fine-tuning, at least 2.")
]
Widths = Annotated[str, typer.Option(help="Hidden widths of the encoder.")]
Overlap = Annotated[
    bool,
    typer.Option("--allow-overlap", help="Let test rows pass whose inputs sources learn from."),
]


def scale(
    data: Data,
    targets: Targets,
    target: HeldOut,
    group: Groups = None,
    group_prefix: Prefix = None,
    ignore: Ignore = None,
    kind: Kinds = None,
    columns: Columns = None,
    smiles: Smiles = None,
    domain: Domain = None,
    split: Cut = "random",
    seed: Seed = 0,
    draws: Draws = 5,
    examples: Examples = None,
    rows: Rows = None,
    seeds: StageTwoSeeds = 5,
    widths: Widths = "256,256",
    allow_overlap: Overlap = False,
    float32: Float32 = False,
    out: Out = None,
    resume: Resume = False,
) -> None:
    """Encoders of many sets of sources, and what they are worth to unseen targets.

    Do more source tasks help, also at the same number of examples? Is a small related set as good? Does a
    mismatched one hurt? Do more tasks lower the variance? (Padmakumar et al., NAACL 2022)
    """
    from cotrain.studies import ScaleGrid, by_pattern, by_prefix, study_scale

    if (group is None) == (group_prefix is None):
        raise InputError("say which tasks are related: --group NAME=PATTERN,… or --group-prefix _")
    patterns = None if group is None else _patterns(group)
    grid = ScaleGrid(
        draws=draws,
        examples=examples,
        rows=rows,
        seeds=seeds,
        widths=options.numbers(widths, "--widths", int),
        seed=seed,
        low_precision=not float32,
    )
    folder = options.claim_folder(out or options.folder_name(data), resume=resume)
    wanted = targets if domain else [*targets, *target]
    frame, schema, cut = options.read(data, wanted, ignore, kind, columns, smiles, split, domain)
    names = [task.name for task in schema.tasks]
    families = (
        by_prefix(names, group_prefix or "") if patterns is None else by_pattern(names, patterns)
    )
    console, title = session.make_console(), options.title(data)
    splits = session.split_table(frame, schema, cut, seed, console)
    with session.watched(console, folder) as watch:
        found = study_scale(
            splits,
            targets=options.names(target, names),
            families=families,
            out=folder,
            grid=grid,
            title=title,
            allow_overlap=allow_overlap,
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
