"""The 15 digits tasks: are the clusters the right ones, and what are their specialised models worth?"""

from __future__ import annotations

from typing import Any

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
from cotrain.run.selection import settled

SNAPSHOTS = (4, 8, 16)  # and the last epoch
DIGITS_SEEDS, DIGITS_TRAININGS, DIGITS_CLUSTERS = 3, 4, 4


def digits_part() -> dict[str, Any]:
    seeds = [digits_seed(seed) for seed in range(DIGITS_SEEDS)]
    return {
        "clusters": [clusters for clusters, _ in seeds],
        "verdicts": verdicts([trial for _, trial in seeds]),
        "test rows": [trial.truth.shape[1] for _, trial in seeds],
    }


def digits_seed(seed: int) -> tuple[dict[str, Any], Trial]:
    """The clusters of one data seed, and what their specialised models predicted."""
    table = digits_table(seed)
    schema = infer_schema(table, targets=DIGITS_TARGETS)
    splits = from_table(table, schema, StratifiedSplit(), seed)
    development = splits.development
    test = splits.test.open_for(settled(splits.tasks))
    with engine_for(development, seed=seed) as engine:
        maps = digits_maps(engine)
        found = {
            f"{name}, {number}": each
            for number, clusters in (("rule", None), (f"{DIGITS_CLUSTERS} clusters", 4))
            for name, each in clusterings(maps, clusters).items()
        }
        last = {
            f"{name}, {number}": each
            for number, clusters in (("rule", None), (f"{DIGITS_CLUSTERS} clusters", 4))
            for name, each in clusterings(part_of(maps, slice(-1, None)), clusters).items()
        }
        tasks = len(splits.tasks)
        contenders = {SINGLE: identity(tasks), JOINT: everything(tasks)}
        contenders |= {name: each.membership() for name, each in found.items()}
        predicted = trained_predictions(engine, contenders, test, range(DIGITS_TRAININGS))
    print(f"digits {seed} done", flush=True)
    clusters = {
        "snapshots": {name: summary(each) for name, each in found.items()},
        "last epoch": {name: summary(each) for name, each in last.items()},
        "epochs": list(maps.epochs),
    }
    return clusters, Trial(truth=test.targets.numpy().T > 0.5, predicted=predicted)


def digits_maps(engine: Engine) -> DataMap:
    names = [task.name for task in engine.development.tasks]
    maps = DataMaps(names, rows=len(engine.development.train), snapshots=SNAPSHOTS)
    watchers = Watchers(lookahead=Lookahead(tasks=names), maps=maps)
    measure_joint_run(engine, member((1.0,) * len(names), 0), watchers)
    return maps.result()
