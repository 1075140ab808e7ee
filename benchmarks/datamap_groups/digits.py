"""The 15 digits tasks: are the clusters the right ones, and what are their specialised models worth?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.common.networks import test_rows
from benchmarks.datamap_groups.clusterings import clusterings, part_of, summary
from benchmarks.datamap_groups.networks import (
    engine_for,
    everything,
    identity,
    member,
    trained_predictions,
)
from benchmarks.datamap_groups.trials import JOINT, SINGLE, Trial, verdicts
from cotrain import from_table, infer_schema
from cotrain.data import DIGITS_TARGETS, StratifiedSplit, digits_table
from cotrain.engine.engine import Engine
from cotrain.measure.datamaps.datamap import DataMap
from cotrain.measure.datamaps.recorder import DataMaps
from cotrain.measure.joint_run import Watchers, measure_joint_run
from cotrain.measure.transference.lookahead import Lookahead

DIGITS_CLUSTERS = 4
SNAPSHOTS = (4, 8, 16)  # and the last epoch


@dataclass(frozen=True, kw_only=True)
class Digits:
    """What is trained.

    Args:
        seeds: Of the data.
        trainings: Seeds of every network, for each of the data.
        epochs: At most; as many as a run has, if None.
    """

    seeds: int = 3
    trainings: int = 4
    epochs: int | None = None


QUICK_DIGITS = Digits(seeds=2, trainings=1, epochs=4)


def digits_part(plan: Digits | None = None) -> dict[str, Any]:
    """Clusters of several data seeds, and verdicts over them."""
    plan = plan or Digits()
    seeds = [digits_seed(seed, plan) for seed in range(plan.seeds)]
    return {
        "clusters": [clusters for clusters, _ in seeds],
        "verdicts": verdicts([trial for _, trial in seeds]),
        "test rows": [trial.truth.shape[1] for _, trial in seeds],
        "trainings": plan.trainings,
    }


def digits_seed(seed: int, plan: Digits) -> tuple[dict[str, Any], Trial]:
    """The clusters of one data seed, and what their specialised models predicted."""
    table = digits_table(seed)
    schema = infer_schema(table, targets=DIGITS_TARGETS)
    splits = from_table(table, schema, StratifiedSplit(), seed)
    development = splits.development
    with engine_for(development, seed=seed, epochs=plan.epochs) as engine:
        maps = digits_maps(engine)
        found = {
            f"{name}, {number}": each
            for number, clusters in (
                ("rule", None),
                (f"{DIGITS_CLUSTERS} clusters", DIGITS_CLUSTERS),
            )
            for name, each in clusterings(maps, clusters).items()
        }
        last = {
            f"{name}, {number}": each
            for number, clusters in (
                ("rule", None),
                (f"{DIGITS_CLUSTERS} clusters", DIGITS_CLUSTERS),
            )
            for name, each in clusterings(part_of(maps, slice(-1, None)), clusters).items()
        }
        tasks = len(splits.tasks)
        contenders = {SINGLE: identity(tasks), JOINT: everything(tasks)}
        contenders |= {name: each.membership() for name, each in found.items()}
        test = test_rows(splits, contenders)
        predicted = trained_predictions(engine, contenders, test, range(plan.trainings))
    print(f"digits {seed} done", flush=True)
    clusters = {
        "snapshots": {name: summary(each) for name, each in found.items()},
        "last epoch": {name: summary(each) for name, each in last.items()},
        "epochs": list(maps.epochs),
    }
    return clusters, Trial(truth=test.targets.numpy().T > 0.5, predicted=predicted)


def digits_maps(engine: Engine) -> DataMap:
    """The map of one joint run."""
    names = [task.name for task in engine.development.tasks]
    maps = DataMaps(names, rows=len(engine.development.train), snapshots=SNAPSHOTS)
    watchers = Watchers(lookahead=Lookahead(tasks=names), maps=maps)
    measure_joint_run(engine, member((1.0,) * len(names), 0), watchers)
    return maps.result()
