"""What the verbs share: options, reading the table, claiming the run folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from cotrain.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from cotrain.data import Schema, Split
    from cotrain.engine.cohorts.workers import Cluster
    from cotrain.run.settings import Instrument, Settings
    from cotrain.weighting import PBT, LossWeighting, WeightSchedule


Number = TypeVar("Number", int, float)


_AGGREGATORS: dict[str, tuple[str, dict[str, float]]] = {
    "pcgrad": ("PCGrad", {}),
    "cagrad": ("CAGrad", {"c": 0.5}),  # the published radius for two and three tasks
    "aligned": ("AlignedMTL", {}),
    "mgda": ("MGDA", {}),
    "upgrad": ("UPGrad", {}),
}


class Trees(StrEnum):
    """The gradient-boosting baseline."""

    HIST = "hist"
    LIGHTGBM = "lightgbm"


class Executor(StrEnum):
    """Where populations are trained."""

    LOCAL = "local"
    RAY = "ray"


BUDGET_HELP = (
    "Total compute of the networks, as a multiple of one joint run. "
    "Default: what the full protocol needs, (tasks + 1 + groups) x (settings + seeds - 1) and what "
    "measuring takes (2 to 4, and as many as there are sampled task sets); with --encoder one more for "
    "every task, and --few-rows."
)
WITH_HELP = "Comma-separated or repeated: lookahead (always), gradients, datamap, sampled."
Data = Annotated[Path, typer.Argument(help="CSV, TSV, Parquet or ARFF, plain or .gz.")]
Targets = Annotated[
    list[str], typer.Option(help="Target column or glob; comma-separated or repeated.")
]
Ignore = Annotated[
    list[str] | None,
    typer.Option(
        help="Column or glob that is neither target nor input; a name outranks --targets."
    ),
]
Kinds = Annotated[
    list[str] | None,
    typer.Option(help="NAME=binary|multiclass|regression, if the inferred kind is wrong."),
]
Columns = Annotated[
    str | None, typer.Option(help="Comma-separated names, for a file without a header line.")
]
Smiles = Annotated[
    str | None, typer.Option(help="Column of SMILES, made into fingerprints (extra chem).")
]
DOMAIN_HELP = (
    "Column that names each row's domain: the one target becomes a task for every domain, all of them "
    "share a head, and weights are sampling rates."
)
Domain = Annotated[str | None, typer.Option(help=DOMAIN_HELP)]
Cut = Annotated[str, typer.Option(help="random | stratified | group:COLUMN | time:COLUMN")]
With = Annotated[list[str], typer.Option("--with", help=WITH_HELP)]
EncoderOption = Annotated[
    Path | None,
    typer.Option(
        help="Folder of cotrain pretrain: networks that start from its encoder are a further contender. "
        "What the encoder took is in the bill, but not within --budget."
    ),
]
AllowOverlap = Annotated[
    bool,
    typer.Option("--allow-overlap", help="Let the encoder have been trained on test rows' inputs."),
]
FEW_ROWS_HELP = (
    "With --encoder: training rows on which networks from it, fresh ones and trees are compared besides "
    "all rows, for the ten largest targets; or none. For each target and number 2 x (settings + seeds - 1) "
    "trainings, within --budget: half of all compute for 1,000 rows, an eighth for 6,000."
)
FewRows = Annotated[str, typer.Option(help=FEW_ROWS_HELP)]
Trainings = Annotated[
    int,
    typer.Option(
        min=1, help="Task sets that `sampled` trains (2 seeds), besides each alone and all."
    ),
]
Out = Annotated[Path | None, typer.Option(help="Run folder; cotrain-NAME unless given.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")]
Budget = Annotated[float | None, typer.Option(help=BUDGET_HELP, show_default=False)]
MaxGroups = Annotated[int, typer.Option(min=1, help="At most so many groups.")]
GROUP_BY_HELP = (
    "What decides the groups: lookahead, gradients, sampled or datamap (soft clusters). "
    "Default: sampled if measured, else lookahead."
)
WEIGHTS_HELP = (
    "A further contender, one network for all targets with other weights than uniform. Adaptive: random, "
    "uncertainty, optimal-uncertainty, imtl-l, dwa, geometric, famo; by gradients: it-mtl, and (extra "
    "torchjd) pcgrad, cagrad, aligned, mgda, upgrad; searched: pbt, pb2; given: FILE.json, weights.json "
    'of a search or {"target": weight, ...}.'
)
Weights = Annotated[str, typer.Option(help=WEIGHTS_HELP)]
PAIR_HELP = "Two targets A,B that {}; may be repeated."
GroupBy = Annotated[str | None, typer.Option(help=GROUP_BY_HELP, show_default=False)]
Together = Annotated[
    list[str] | None, typer.Option(help=PAIR_HELP.format("must be in the same groups"))
]
Apart = Annotated[list[str] | None, typer.Option(help=PAIR_HELP.format("no group may both have"))]
Seeds = Annotated[int, typer.Option(min=2, help="Seeds of every contender.")]
Seed = Annotated[int, typer.Option(min=0, help="Seeds the split, the row order and the bootstrap.")]
WhichTrees = Annotated[Trees, typer.Option(help="Trees to compare with (lightgbm: extra gbm).")]
Float32 = Annotated[bool, typer.Option("--float32", help="Never compute in bfloat16.")]

EXECUTOR_HELP = "Where populations are trained: in this process, or on a Ray cluster (extra ray)."
Where = Annotated[Executor, typer.Option("--executor", help=EXECUTOR_HELP)]
ADDRESS_HELP = (
    "Of the Ray cluster: auto (the default: the one that this machine belongs to), HOST:PORT, or local "
    "(start one here)."
)
Address = Annotated[str | None, typer.Option(help=ADDRESS_HELP, show_default=False)]


def read(
    data: Path,
    targets: list[str],
    ignore: list[str] | None,
    kind: list[str] | None,
    columns: str | None,
    smiles: str | None,
    split: str,
    domain: str | None,
) -> tuple[pl.DataFrame, Schema, Split]:
    """The table, what its columns are, and how its rows are split."""
    from cotrain.data import infer_domains, infer_schema, parse_split, read_table

    cut = parse_split(split)
    frame = read_table(data, columns.split(",") if columns else None)
    wanted, kinds = names(targets, frame.columns), _kinds(kind or [])
    left_out = names(ignore or [], frame.columns)
    if domain is None:
        schema = infer_schema(
            frame,
            targets=wanted,
            ignore=left_out,
            kinds=kinds,
            smiles=smiles,
            reserved=cut.reserved,
        )
        return frame, schema, cut
    if len(wanted) != 1 or set(kinds) - set(wanted):
        raise InputError(
            f"--domain goes with one target and its --kind, found {', '.join([*wanted, *kinds])}"
        )
    frame, schema = infer_domains(
        frame,
        target=wanted[0],
        domain=domain,
        kind=kinds.get(wanted[0]),
        ignore=left_out,
        smiles=smiles,
        reserved=cut.reserved,
    )
    return frame, schema, cut


def instruments(given: list[str]) -> tuple[Instrument, ...]:
    """The instruments of ``--with``, each once, in their own order."""
    from cotrain.run.settings import Instrument

    asked = {name.strip().lower() for text in given for name in text.split(",") if name.strip()}
    known = [instrument.value for instrument in Instrument]
    for name in sorted(asked - set(known)):
        raise InputError(f"--with {name!r}: there is {', '.join(known)}")
    return tuple(i for i in Instrument if i.value in asked or i is Instrument.LOOKAHEAD)


def instrument(name: str | None, option: str) -> Instrument | None:
    """The instrument that an option names."""
    from cotrain.run.settings import Instrument

    known = [instrument.value for instrument in Instrument]
    if name is not None and name.strip().lower() not in known:
        raise InputError(f"{option} {name!r}: there is {', '.join(known)}")
    return None if name is None else Instrument(name.strip().lower())


def weights(name: str, targets: Sequence[str]) -> LossWeighting | PBT | WeightSchedule | None:
    """The contender of ``--weights``, for these targets."""
    from cotrain import weighting

    if name.endswith(".json"):
        return weighting.WeightSchedule.load(name, targets)
    if name.strip().lower() in _AGGREGATORS:
        return _aggregated(*_AGGREGATORS[name.strip().lower()])
    known: dict[str, LossWeighting | PBT | None] = {
        "uniform": None,
        "it-mtl": weighting.ITMTL(),
        "random": weighting.Random(),
        "uncertainty": weighting.Uncertainty(),
        "optimal-uncertainty": weighting.OptimalUncertainty(),
        "imtl-l": weighting.IMTLL(),
        "dwa": weighting.DynamicAverage(),
        "geometric": weighting.GeometricMean(),
        "famo": weighting.FAMO(),
        "pbt": weighting.PBT(),
        "pb2": weighting.PB2(),
    }
    if name.strip().lower() not in known:
        every = ", ".join([*known, *_AGGREGATORS])
        raise InputError(f"--weights {name!r}: there is {every}, or a file that ends in .json")
    return known[name.strip().lower()]


def _aggregated(name: str, options: dict[str, float]) -> LossWeighting:
    from cotrain.weighting.aggregated import Aggregated, torchjd_aggregation

    return Aggregated(aggregator=getattr(torchjd_aggregation(), name)(**options))


def cluster(executor: Executor, address: str | None) -> Cluster:
    """Where ``--executor`` trains; a cluster is reached before anything is written."""
    from cotrain.engine.cohorts.local import LOCAL
    from cotrain.engine.cohorts.ray import AUTO, RayCluster

    if executor is Executor.LOCAL and address is not None:
        raise InputError("--address is the address of a Ray cluster: add --executor ray")
    if executor is Executor.LOCAL:
        return LOCAL
    found = RayCluster(address=address or AUTO)
    found.connect()
    return found


def pairs(given: list[str] | None, option: str) -> tuple[tuple[str, str], ...]:
    """The pairs of ``--together`` and ``--apart``."""
    found = []
    for text in given or []:
        names = [part.strip() for part in text.split(",")]
        if len(names) != 2 or not all(names):
            raise InputError(f"{option} {text!r}: write two targets, A,B")
        found.append((names[0], names[1]))
    return tuple(found)


def numbers(text: str, option: str, read: Callable[[str], Number]) -> tuple[Number, ...]:
    """The numbers of a comma-separated option."""
    try:
        return tuple(read(part) for part in text.split(","))
    except ValueError:
        whole = "whole numbers" if read is int else "numbers"
        raise InputError(f"{option} {text!r}: write {whole} with commas between") from None


def few_rows(text: str) -> tuple[int, ...]:
    """The numbers of ``--few-rows``."""
    return () if text.strip().lower() == "none" else numbers(text, "--few-rows", int)


def make_settings(*, trees: Trees = Trees.HIST, float32: bool = False, **given: Any) -> Settings:
    """Settings from the command line's options."""
    from cotrain.baselines.boosted import HistTrees, LightGBMTrees
    from cotrain.run.settings import Settings

    learner = HistTrees() if trees is Trees.HIST else LightGBMTrees()
    return Settings(trees=learner, low_precision=not float32, **given)


def folder_name(data: Path) -> Path:
    """``cotrain-NAME`` for a file NAME.csv.gz."""
    return Path(f"cotrain-{title(data)}")


def title(data: Path) -> str:
    """The file's name without its endings."""
    return data.name.split(".")[0]


def claim_folder(folder: Path, *, resume: bool) -> Path:
    """Refuse a run folder that holds something else or cannot be written; create nothing yet."""
    from cotrain.folder import RunFolder

    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {folder} is a file: choose a folder")
    if RunFolder(folder).holds_other_work():
        raise InputError(f"--out {folder} is not empty and holds no run: choose another folder")
    if folder.exists() and any(folder.iterdir()) and not resume:
        raise InputError(f"--out {folder} holds a run: add --resume, or choose another folder")
    parent = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
    if not parent.is_dir():
        raise InputError(f"--out {folder} cannot be made: {parent} is a file")
    if not _writable(parent):
        raise InputError(f"--out {folder} cannot be written: {parent} is read-only for you")
    return folder


def _writable(folder: Path) -> bool:
    import tempfile

    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def names(given: list[str], columns: list[str]) -> list[str]:
    """Split at commas, except where the text is a column's name as it stands."""
    return [
        name
        for text in given
        for name in ([text] if text in columns else [part.strip() for part in text.split(",")])
    ]


def _kinds(given: list[str]) -> dict[str, str]:
    kinds = {}
    for text in given:
        name, found, kind = text.rpartition("=")
        if not found:
            raise InputError(
                f"--kind {text!r}: write NAME=binary, NAME=multiclass or NAME=regression"
            )
        kinds[name] = kind
    return kinds
