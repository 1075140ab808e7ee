"""Pre-finetuning on ToxCast, fine-tuning on Tox21: few-shot curves, time and memory of 617 heads.

Sources are ToxCast's assays but those measured for Tox21; targets every second nuclear-receptor assay of
Tox21, cut by scaffold. No source molecule has a scaffold of the targets' validation or test molecules, so
none is one of them (needs the extra chem). One encoder counts every label alike, one every assay, both
trained as one population; each target is then fine-tuned from either and from scratch with the same sweep
and 5 seeds, which also draw the target's rows. The sweep is tuned on validation; test rows are scored once.

    python benchmarks/transfer.py [FOLDER]   # goes on in FOLDER; writes results/transfer.{json,md}
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from cotrain.run.stages import build_engine
from numpy.typing import NDArray

from cotrain import from_arrays
from cotrain.baselines.boosted import HistTrees
from cotrain.data import RandomSplit, Splits
from cotrain.data.dataset import Development, TaskData
from cotrain.engine.member import Member
from cotrain.engine.training import start, train_cohort
from cotrain.folder import RunFolder
from cotrain.results import Contender
from cotrain.run.selection import Choice
from cotrain.run.settings import Settings
from cotrain.stats import student_interval
from cotrain.tasks import score
from cotrain.transfer import (
    SCRATCH,
    UNIFORM,
    Finetuning,
    Pretraining,
    finetune,
    mixture_weights,
    of_target,
    only_target,
    pretrain,
    source_sizes,
)
from cotrain.transfer.few_rows import trees_predictions

DATA = Path(__file__).parents[2] / "shared" / "data"
RESULTS = Path(__file__).parent / "results"
ROWS = (16, 64, 256, None)
SEEDS = 5
LEAST = 20  # labels of either class that a source needs
TIMED_ROUNDS = 5

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Given:
    """A split that is known."""

    assignment: NDArray[np.int8]
    reserved: tuple[str, ...] = ()

    def assign(self, frame: pl.DataFrame, strata: Any, seed: int) -> NDArray[np.int8]:
        return self.assignment


def table(name: str, csv: str) -> tuple[Array, Array, list[str], list[str]]:
    """Fingerprints, labels (NaN where missing), task names, scaffolds."""
    file = np.load(DATA / name / "ecfp4_1024.npz")
    bits = np.unpackbits(file["fp_packed"], axis=1)[:, :1024].astype(np.float32)
    labels = np.where(file["y"] < 0, np.nan, file["y"]).astype(np.float32)
    smiles = pl.read_csv(DATA / name / csv, columns=["smiles"])["smiles"].to_list()
    return (
        bits,
        labels,
        [str(task) for task in file["tasks"]],
        [scaffold(smiles[row]) for row in file["row"]],
    )


def scaffold(smiles: str) -> str:
    """Bemis and Murcko's; a molecule without rings is its own."""
    from rdkit import Chem
    from rdkit.Chem.Scaffolds.MurckoScaffold import MurckoScaffoldSmiles

    molecule = Chem.MolFromSmiles(smiles)
    return MurckoScaffoldSmiles(mol=molecule) or Chem.MolToSmiles(molecule)


def by_scaffold(scaffolds: Sequence[str]) -> NDArray[np.int8]:
    """80/10/10 with every scaffold on one side; those of over 1 % of the molecules are for training."""
    names, place, sizes = np.unique(scaffolds, return_inverse=True, return_counts=True)
    order = np.random.default_rng(0).permutation(len(names))
    frequent = sizes[order] > 0.01 * len(scaffolds)
    order = np.concatenate([order[frequent], order[~frequent]])
    ends = np.cumsum(sizes[order]) / len(scaffolds)
    of = np.empty(len(names), dtype=np.int8)
    of[order] = np.digitize(ends, [0.8, 0.9])
    return of[place]


def data() -> tuple[Splits, Splits]:
    """The targets, and the sources that know nothing of their validation and test molecules."""
    x, y, names, scaffolds = table("mol_tox21", "tox21.csv.gz")
    labelled = ~np.isnan(y).all(axis=1)
    assignment = by_scaffold([s for s, known in zip(scaffolds, labelled, strict=True) if known])
    targets = from_arrays(x[labelled], y[labelled], names=names, split=Given(assignment))
    held = np.array(scaffolds)[labelled][assignment > 0]

    x, y, names, scaffolds = table("mol_toxcast617", "toxcast_data.csv.gz")
    rows = ~np.isin(scaffolds, held)
    x, y = x[rows], y[rows]
    enough = ((y == 0).sum(axis=0) >= LEAST) & ((y == 1).sum(axis=0) >= LEAST)
    own = [t for t, name in enumerate(names) if enough[t] and not name.startswith("TOX21")]
    sources = cut(x, y, names, own)
    judged = sources.development.valid.mask.any(dim=0).tolist()
    kept = [t for t, known in zip(own, judged, strict=True) if known]
    sources = sources if len(kept) == len(own) else cut(x, y, names, kept)
    return targets, sources


def cut(x: Array, y: Array, names: Sequence[str], tasks: Sequence[int]) -> Splits:
    """Sources of some of the columns, without test rows."""
    own = [names[t] for t in tasks]
    kinds = {"*": "binary"}
    return from_arrays(x, y[:, tasks], names=own, kinds=kinds, split=RandomSplit(), test=False)


def curves(targets: Splits, sources: Splits, folder: Path) -> dict[str, Any]:
    """Test scores of every start, target, number of rows and seed."""
    train = sources.development.train
    sizes = source_sizes(train)
    mixtures = {
        "by size": mixture_weights(sizes, range(len(sizes))),
        "uniform": mixture_weights(sizes, range(len(sizes)), temperature=UNIFORM),
    }
    found = pretrain(
        RunFolder(folder / "stage-1"), sources.development, mixtures, how=Pretraining()
    )
    print(f"stage 1: {found.seconds:.0f} s, {found.epochs_run.tolist()} epochs", flush=True)
    names = [task.name for task in targets.tasks]
    chosen = [t for t, name in enumerate(names) if name.startswith("NR-")][::2]
    served = (Contender.PRETRAINED,) * len(targets.tasks)
    test = targets.test.open_for(
        Choice(tasks=targets.tasks, served_by=served, network=served, valid=())
    )
    scores: dict[str, dict[str, list[list[float]]]] = {}
    settings: dict[str, dict[str, list[float]]] = {}
    whole = []
    for t in chosen:
        name, target = targets.tasks[t].name, of_target(targets.development, t)
        whole.append(len(target.train))
        for rows in ROWS:
            began = time.monotonic()
            how = Finetuning(rows=rows, seeds=SEEDS)
            tuned = finetune(
                RunFolder(folder / "stage-2"), target, found.encoders, how=how, stage=f"{t}-{rows}"
            )
            own = only_target(test, t)
            table_ = dict(zip(tuned.starts, tuned.scores(own).tolist(), strict=True))
            table_["trees"] = kept(
                folder / f"trees-{t}-{rows}.json",
                lambda a=target, b=own, c=how: trees_scores(a, b, c),
            )
            for start_, values in table_.items():
                scores.setdefault(start_, {}).setdefault(str(rows or "all"), []).append(values)
            settings.setdefault(name, {})[str(rows or "all")] = [
                f"{s.learning_rate:g}/{s.dropout:g}" for s in tuned.settings
            ]
            means = {start_: round(float(np.mean(v)), 3) for start_, v in table_.items()}
            print(f"{name} {rows or 'all'}: {means} {time.monotonic() - began:.0f} s", flush=True)
    return {
        "sources": len(sizes),
        "source rows": len(train),
        "source labels": sum(sizes),
        "targets": [targets.tasks[t].name for t in chosen],
        "rows": round(statistics.mean(whole)),
        "stage 1": {
            "seconds": found.seconds,
            "epochs": found.epochs_run.tolist(),
            "best": found.best_epoch.tolist(),
            "mean validation loss": [float(own[own.isfinite()].mean()) for own in found.loss],
        },
        "scores": scores,
        "settings": settings,
    }


def trees_scores(target: Development, test: TaskData, how: Finetuning) -> list[float]:
    """Test scores of each seed's trees."""
    _, labels = test.labels(0)
    found = trees_predictions(HistTrees(), target, test, how)
    return [score(test.tasks[0], own, labels) for own in found]


def kept(path: Path, make: Callable[[], list[float]]) -> list[float]:
    """What the file holds, or what is made and written to it."""
    if not path.exists():
        path.write_text(json.dumps(make()))
    return [float(value) for value in json.loads(path.read_text())]


def price(folder: Path) -> dict[str, Any]:
    """Seconds an epoch of all 617 heads and of one, measured in turns; both read the same rows."""
    x, y, names, _ = table("mol_toxcast617", "toxcast_data.csv.gz")
    many = cut(x, y, names, range(len(names))).development
    widest = int(many.train.mask.sum(dim=0).argmax())
    one = Development(train=only(many.train, widest), valid=only(many.valid, widest))
    times: dict[str, list[float]] = {"617 heads": [], "1 head": []}
    runs = {}
    for name, development in zip(times, (many, one), strict=True):
        recipe = Pretraining().recipe(len(development.train))
        engine = build_engine(
            RunFolder(folder / name), development, None, Settings(), recipe, lambda _: None
        )
        member = Member(
            name="all", weights=(1.0,) * len(development.tasks), learning_rate=3e-3, dropout=0.3
        )
        runs[name] = (engine, [member], start([member], engine.architecture, development))
    for epoch in range(TIMED_ROUNDS + 1):
        for name, (engine, members, progress) in runs.items():
            began = time.monotonic()
            train_cohort(
                members,
                progress,
                engine.executor,
                engine.development,
                replace(engine.recipe, patience=99),
                until=epoch + 1,
            )
            if epoch:  # the first warms up
                times[name].append(time.monotonic() - began)
    return {
        "rows": len(many.train),
        "threads": torch.get_num_threads(),
        "seconds an epoch": {name: statistics.median(own) for name, own in times.items()},
        "engines": {name: engine.executor.name for name, (engine, _, _) in runs.items()},
        "times": times,
    }


def only(data: Any, task: int) -> Any:
    """One task of the table, with all rows."""
    return replace(
        data, targets=data.targets[:, [task]], mask=data.mask[:, [task]], tasks=(data.tasks[task],)
    )


def page(found: dict[str, Any]) -> str:
    """The result in words and tables."""
    paid, curve, stage = found["price"], found["curves"], found["curves"]["stage 1"]
    seconds, spread = paid["seconds an epoch"], seed_spread(curve["scores"])
    pairs = zip(stage["epochs"], stage["best"], strict=True)
    epochs = " and ".join(f"{a} (best {b})" for a, b in pairs)
    return f"""# Transfer: pre-finetuning on ToxCast, fine-tuning on Tox21

`python benchmarks/transfer.py`; its text says what is done.

Sources: {curve["sources"]} assays, {curve["source rows"]:,} molecules, {curve["source labels"]:,} labels.
Targets: {", ".join(curve["targets"])}, cut by scaffold. {SEEDS} seeds. Mean test ROC AUC over the
targets, and what pre-finetuning adds, with its 95 % interval over seeds (rows drawn, initial parameters,
order, dropout; not over test molecules or targets).

| {" | ".join(HEADER)} |
|---:|---:|---:|---:|---:|---|---|---|---:|
{chr(10).join(table_row(curve, str(rows or "all")) for rows in ROWS)}

Standard deviation over seeds on all rows, mean over targets: {spread[SCRATCH]:.4f} from scratch,
{spread["by size"]:.4f} pre-finetuned. Stage 1 took {stage["seconds"]:.0f} s for both encoders; epochs:
{epochs}.

## 617 heads

One member, all of ToxCast ({paid["rows"]:,} training molecules, {paid["threads"]} thread(s), other
work on the machine): **{seconds["617 heads"]:.2f} s an epoch with 617 heads, {seconds["1 head"]:.2f} s with one**
({seconds["617 heads"] / seconds["1 head"]:.2f} times; medians of {TIMED_ROUNDS} epochs in turns, validation
included). Peak memory up to there {paid["peak memory in GB"]:.1f} GB, of the whole benchmark
{found["peak memory in GB"]:.1f} GB.
"""


HEADER = (
    "target rows",
    "scratch",
    "by size",
    "uniform",
    "trees",
    "by size - scratch",
    "uniform - scratch",
    "by size - trees",
    "targets that gain",
)


def table_row(curve: dict[str, Any], rows: str) -> str:
    """One number of training rows."""
    own = {name: np.array(values[rows]) for name, values in curve["scores"].items()}  # [T, S]
    means = {name: values.mean(axis=0) for name, values in own.items()}
    pairs = (("by size", SCRATCH), ("uniform", SCRATCH), ("by size", "trees"))
    gains = [student_interval(means[a] - means[b]) for a, b in pairs]
    better = int((own["by size"].mean(axis=1) > own[SCRATCH].mean(axis=1)).sum())
    label = f"all ({curve['rows']:,} in the mean)" if rows == "all" else rows
    cells = [f"{means[name].mean():.3f}" for name in (SCRATCH, "by size", "uniform", "trees")]
    cells += [f"{g.value:+.3f} [{g.low:+.3f}, {g.high:+.3f}]" for g in gains]
    return f"| {label} | {' | '.join(cells)} | {better} of {len(own[SCRATCH])} |"


def seed_spread(scores: dict[str, dict[str, list[list[float]]]]) -> dict[str, float]:
    """Start → standard deviation over seeds on all rows, mean over targets."""
    return {
        name: float(np.std(np.array(values["all"]), axis=1, ddof=1).mean())
        for name, values in scores.items()
    }


def main() -> None:
    RESULTS.mkdir(exist_ok=True)
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    folder.mkdir(exist_ok=True)
    found: dict[str, Any] = {"price": price(folder / "price")}
    print(found["price"]["seconds an epoch"], flush=True)
    found["price"]["peak memory in GB"] = peak()
    found["curves"] = curves(*data(), folder)
    found["peak memory in GB"] = peak()
    (RESULTS / "transfer.json").write_text(json.dumps(found, indent=1) + "\n")
    (RESULTS / "transfer.md").write_text(page(found))


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    main()
