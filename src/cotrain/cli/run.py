"""``cotrain run``: from a table to the answer, the proof and the trained models."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from cotrain.cli import options, session
from cotrain.cli.options import (
    Address,
    AllowOverlap,
    Apart,
    Budget,
    Columns,
    Cut,
    Data,
    Domain,
    EncoderOption,
    Executor,
    FewRows,
    Float32,
    GroupBy,
    Ignore,
    Kinds,
    MaxGroups,
    Out,
    Resume,
    Seed,
    Seeds,
    Smiles,
    Targets,
    Together,
    Trainings,
    Trees,
    Weights,
    Where,
    WhichTrees,
    With,
)
from cotrain.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from cotrain.data import Schema, Split
    from cotrain.engine.cohorts.workers import Cluster
    from cotrain.run.settings import Settings
    from cotrain.transfer import EncoderFile


def run(
    data: Data,
    targets: Targets,
    ignore: Ignore = None,
    kind: Kinds = None,
    columns: Columns = None,
    smiles: Smiles = None,
    domain: Domain = None,
    split: Cut = "random",
    seed: Seed = 0,
    seeds: Seeds = 5,
    budget: Budget = None,
    max_groups: MaxGroups = 3,
    group_by: GroupBy = None,
    together: Together = None,
    apart: Apart = None,
    weights: Weights = "uniform",
    with_: With = ("lookahead",),  # type: ignore[assignment]
    trainings: Trainings = 10,
    trees: WhichTrees = Trees.HIST,
    encoder: EncoderOption = None,
    allow_overlap: AllowOverlap = False,
    few_rows: FewRows = "16,64,256",
    float32: Float32 = False,
    executor: Where = Executor.LOCAL,
    address: Address = None,
    out: Out = None,
    resume: Resume = False,
) -> None:
    """Find out which targets to train together, prove it against the baselines, ship the models."""
    folder = options.claim_folder(out or options.folder_name(data), resume=resume)
    frame, schema, cut = options.read(data, targets, ignore, kind, columns, smiles, split, domain)
    settings = options.make_settings(
        seed=seed,
        seeds=seeds,
        budget=budget,
        max_groups=max_groups,
        group_by=options.instrument(group_by, "--group-by"),
        together=options.pairs(together, "--together"),
        apart=options.pairs(apart, "--apart"),
        weights=options.weights(weights, [task.name for task in schema.tasks]),
        instruments=options.instruments(with_),
        trainings=trainings,
        few_rows=options.few_rows(few_rows),
        trees=trees,
        float32=float32,
    )
    run_table(
        frame,
        schema,
        cut,
        settings,
        folder,
        options.title(data),
        options.cluster(executor, address),
        pretrained=None if encoder is None else _read_encoder(encoder),
        allow_overlap=allow_overlap,
    )


def run_table(
    frame: pl.DataFrame,
    schema: Schema,
    split: Split,
    settings: Settings,
    folder: Path,
    title: str,
    cluster: Cluster,
    *,
    pretrained: EncoderFile | None = None,
    allow_overlap: bool = False,
) -> None:
    """Run on a table that has been read, printing what happens, and write the report."""
    from cotrain import plan
    from cotrain.contenders.weighted import read_search
    from cotrain.folder import RunFolder
    from cotrain.reporting import print_result, render_html
    from cotrain.run.decision import read_stability
    from cotrain.run.measured import read_measured
    from cotrain.transfer.few_shot import read_few_shot

    console = session.make_console()
    like = None if pretrained is None else pretrained.preparation
    splits = session.split_table(frame, schema, split, settings.seed, console, like)
    if pretrained is not None:
        session.say(console, str(pretrained.facts))
    with session.watched(console, folder) as watch:
        result, _ = plan(
            splits,
            out=folder,
            pretrained=pretrained,
            allow_overlap=allow_overlap,
            settings=settings,
            title=title,
            watch=watch,
            cluster=cluster,
        )
    print_result(result, console)
    run = RunFolder(folder)
    further = (
        *read_few_shot(run),
        *read_stability(run),
        *read_measured(run).further(),
        *read_search(run),
    )
    for curves in read_few_shot(run):
        session.say(console, f"\n{curves.title}\n{curves}")
    run.write_text("report.html", render_html(result, further))
    quoted = shlex.quote(str(folder))
    session.say(console, f"predict with: cotrain predict {quoted} NEWDATA -o preds.csv")
    session.say(console, f"report: {folder / 'report.html'}")


def _read_encoder(folder: Path) -> EncoderFile:
    """An encoder for tables.

    Raises:
        InputError: If the folder holds none.
    """
    from cotrain.transfer import load_encoder

    found = load_encoder(folder)
    if found.preparation is None or found.facts.widths is None:
        raise InputError(
            f"--encoder {folder} reads arrays or is a network of your own: use cotrain.plan (an encoder "
            "for tables has a folder preparation: copy it, too)"
        )
    return found
