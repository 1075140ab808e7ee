"""``cotrain run``: from a table to the answer, its evaluation and the trained models."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cotrain.cli import folders, session, table, values
from cotrain.cli.options import (
    AllowOverlap,
    GroupDemands,
    Instruments,
    Output,
    Place,
    Seeds,
    TableOptions,
    Trees,
    budget_option,
    listed,
    trial_option,
)
from cotrain.errors import InputError
from cotrain.run.settings import Settings

if TYPE_CHECKING:
    import polars as pl

    from cotrain.data import Schema, Split
    from cotrain.engine.cohorts.workers import Cluster
    from cotrain.transfer import EncoderFile


@dataclass(frozen=True, kw_only=True)
class Contenders:
    """Who is compared with single-task networks, one joint network and the groups."""

    weights: Annotated[
        str,
        trial_option(
            help="A further contender, one network for all targets with other weights than uniform. "
            "Adaptive: random, uncertainty, optimal-uncertainty, imtl-l, dwa, geometric, famo; by "
            "gradients: it-mtl, and (extra torchjd) pcgrad, cagrad, aligned, mgda, upgrad; searched: pbt, "
            'pb2; given: FILE.json, weights.json of a search or {"target": weight, ...}.'
        ),
    ] = "uniform"
    trees: Annotated[Trees, trial_option(help="Trees to compare with (lightgbm: extra gbm).")] = (
        Trees.HIST
    )
    encoder: Annotated[
        Path | None,
        trial_option(
            help="Folder of cotrain pretrain: networks that start from its encoder are a further "
            "contender. What the encoder took is in the bill, but not within --budget."
        ),
    ] = None
    allow_overlap: AllowOverlap = False
    few_rows: Annotated[
        str,
        trial_option(
            help="With --encoder: training rows on which networks from it, fresh ones and trees are "
            "compared besides all rows, for the ten largest targets; or none. For each target and number "
            "2 x (settings + seeds - 1) trainings, within --budget: half of all compute for 1,000 rows, "
            "an eighth for 6,000."
        ),
    ] = listed(Settings.few_rows)
    ship: Annotated[
        str,
        trial_option(
            help="What ships: best, the best mixture of all, or the name of one contender."
        ),
    ] = Settings.ship
    max_models: Annotated[
        int | None,
        trial_option(
            min=0, help="At most so many networks in the mixture that ships.", show_default=False
        ),
    ] = Settings.max_models


@dataclass(frozen=True, kw_only=True)
class Budget(Seeds):
    """How much may be computed, and how often everything is trained."""

    budget: Annotated[
        float | None,
        budget_option(
            help="Total compute of the networks, as a multiple of one joint run. Default: what the full "
            "protocol needs, seeds x (tasks + 1 + groups), the settings tried, and two for every sampled "
            "task set; with --encoder one more for every task, and --few-rows. For more than 40 tasks "
            "fewer, 60 to 130: some tasks are trained alone then, not all.",
            show_default=False,
        ),
    ] = Settings.budget


def run(
    given: TableOptions,
    contenders: Contenders,
    measuring: Instruments,
    demands: GroupDemands,
    budget: Budget,
    place: Place,
    output: Output,
) -> None:
    """Find out which targets to train together, prove it against the baselines, ship the models."""
    folder = folders.claim(output, given.data)
    group_by = values.instrument(demands.group_by, "--group-by")
    together = values.pairs(demands.together, "--together")
    apart = values.pairs(demands.apart, "--apart")
    instruments = values.instruments(measuring.with_)
    few_rows = values.few_rows(contenders.few_rows)
    frame, schema, split = table.read(given)

    from cotrain.weighting.named import named_weighting

    settings = Settings(
        max_groups=demands.max_groups,
        budget=budget.budget,
        seeds=budget.seeds,
        seed=budget.seed,
        trees=values.boosted_trees(contenders.trees),
        low_precision=not place.float32,
        instruments=instruments,
        trainings=measuring.trainings,
        group_by=group_by,
        together=together,
        apart=apart,
        few_rows=few_rows,
        ship=contenders.ship,
        max_models=contenders.max_models,
        weights=named_weighting(contenders.weights, [task.name for task in schema.tasks]),
    )
    run_table(
        frame,
        schema,
        split,
        settings,
        folder,
        folders.title(given.data),
        values.cluster(place),
        pretrained=None if contenders.encoder is None else _read_encoder(contenders.encoder),
        allow_overlap=contenders.allow_overlap,
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
