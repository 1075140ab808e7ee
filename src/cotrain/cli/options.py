"""Every option that more than one command has, in groups; those of a single command stand in its file.

Defaults are those of :class:`cotrain.run.settings.Settings`, which loads neither torch nor polars.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from cotrain.run.settings import Settings

data_option = partial(typer.Option, rich_help_panel="Data")
trial_option = partial(typer.Option, rich_help_panel="What to try")
budget_option = partial(typer.Option, rich_help_panel="Budget and seeds")
place_option = partial(typer.Option, rich_help_panel="Where it runs")
output_option = partial(typer.Option, rich_help_panel="Output")


def listed(values: tuple[float, ...]) -> str:
    """Numbers as an option holds them.

    >>> listed((16, 64))
    '16,64'
    """
    return ",".join(f"{value:g}" for value in values)


class Trees(StrEnum):
    """The gradient-boosting baseline."""

    HIST = "hist"
    LIGHTGBM = "lightgbm"


class Executor(StrEnum):
    """Where populations are trained."""

    LOCAL = "local"
    RAY = "ray"


Columns = Annotated[
    str | None, data_option(help="Comma-separated names, for a file without a header line.")
]
AllowOverlap = Annotated[
    bool,
    trial_option(
        "--allow-overlap", help="Let test rows pass whose inputs the encoder has learned from."
    ),
]


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """The table, what its columns are, and how its rows are split."""

    data: Annotated[Path, typer.Argument(help="CSV, TSV, Parquet or ARFF, plain or .gz.")]
    targets: Annotated[
        list[str], data_option(help="Target column or glob; comma-separated or repeated.")
    ]
    ignore: Annotated[
        list[str] | None,
        data_option(
            help="Column or glob that is neither target nor input; a name outranks --targets."
        ),
    ] = None
    kind: Annotated[
        list[str] | None,
        data_option(help="NAME=binary|multiclass|regression, if the inferred kind is wrong."),
    ] = None
    columns: Columns = None
    smiles: Annotated[
        str | None, data_option(help="Column of SMILES, made into fingerprints (extra chem).")
    ] = None
    domain: Annotated[
        str | None,
        data_option(
            help="Column that names each row's domain: the one target becomes a task for every domain, "
            "all of them share a head, and weights are sampling rates."
        ),
    ] = None
    split: Annotated[str, data_option(help="random | stratified | group:COLUMN | time:COLUMN")] = (
        "random"
    )


@dataclass(frozen=True, kw_only=True)
class GroupCount:
    """How many groups there may be."""

    max_groups: Annotated[
        int, trial_option(min=1, help="At most so many groups, a model each.")
    ] = Settings.max_groups


@dataclass(frozen=True, kw_only=True)
class GroupDemands(GroupCount):
    """What decides the groups, and what they must keep."""

    group_by: Annotated[
        str | None,
        trial_option(
            help="What decides the groups: lookahead, gradients, sampled or datamap (soft clusters, which "
            "keep no demand but their number). Default: what has decided before; else sampled if "
            "measured, else lookahead.",
            show_default=False,
        ),
    ] = Settings.group_by
    together: Annotated[
        list[str] | None,
        trial_option(help="Two targets A,B that must be in the same groups; may be repeated."),
    ] = None
    apart: Annotated[
        list[str] | None,
        trial_option(help="Two targets A,B that no group may both have; may be repeated."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class Instruments:
    """What is measured of how the targets relate."""

    with_: Annotated[
        list[str],
        trial_option(
            "--with",
            help="Comma-separated or repeated: lookahead, gradients, datamap, sampled.",
        ),
    ] = field(default_factory=lambda: [",".join(Settings.instruments)])
    trainings: Annotated[
        int | None,
        trial_option(
            min=0,
            help="Task sets that `sampled` trains (2 seeds), besides each alone and all; by default two "
            "fewer than there are targets.",
            show_default=False,
        ),
    ] = Settings.trainings


@dataclass(frozen=True, kw_only=True)
class Widths:
    """The size of the network."""

    widths: Annotated[
        str, trial_option(help="Units in each hidden layer of the encoder, with commas between.")
    ] = listed(Settings.widths)


@dataclass(frozen=True, kw_only=True)
class Seed:
    """What seeds everything that is drawn."""

    seed: Annotated[
        int, budget_option(min=0, help="Seeds the split, the row order and the bootstrap.")
    ] = Settings.seed


@dataclass(frozen=True, kw_only=True)
class Seeds(Seed):
    """What seeds everything that is drawn, and from how many seeds networks are trained."""

    seeds: Annotated[
        int, budget_option(min=2, help="Seeds of every network that is compared, at least 2.")
    ] = Settings.seeds


@dataclass(frozen=True, kw_only=True)
class Precision:
    """How numbers are computed."""

    float32: Annotated[
        bool, place_option("--float32", help="Never compute in bfloat16.")
    ] = not Settings.low_precision


@dataclass(frozen=True, kw_only=True)
class Place(Precision):
    """How numbers are computed, and where populations are trained."""

    executor: Annotated[
        Executor,
        place_option(
            help="Where populations are trained: in this process, or on a Ray cluster (extra ray)."
        ),
    ] = Executor.LOCAL
    address: Annotated[
        str | None,
        place_option(
            help="Of the Ray cluster: auto (the default: the one that this machine belongs to), "
            "HOST:PORT, or local (start one here).",
            show_default=False,
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class Output:
    """The run folder."""

    out: Annotated[
        Path | None,
        output_option(
            help="Run folder. Default: cotrain-NAME, and of pretrain cotrain-NAME-encoder.",
            show_default=False,
        ),
    ] = None
    resume: Annotated[bool, output_option("--resume", help="Go on with an interrupted run.")] = (
        False
    )
