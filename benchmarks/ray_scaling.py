"""How far does one driver reach? Ray with one and two workers, the driver's loop with up to a thousand.

    python benchmarks/ray_scaling.py    # writes benchmarks/results/ray_scaling.{json,md}

First real: a population in this process and on local Ray workers, and what Ray's own calls take of the
driver's processor time. Then the real driver's loop (`Engine.train`, `optimize_weights`) drives simulated
workers, which compute nothing and keep a clock. The driver is charged its processor time, and Ray's calls
as measured before; writing what is finished is measured apart.
"""

from __future__ import annotations

import heapq
import json
import logging
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from cotrain import RayCluster
from cotrain.data.dataset import Development, TaskData
from cotrain.engine.cohorts import checkpoint
from cotrain.engine.cohorts.local import LOCAL
from cotrain.engine.cohorts.packing import pack, size
from cotrain.engine.cohorts.shards import split
from cotrain.engine.cohorts.workers import (
    Cluster,
    Partition,
    Report,
    Shard,
    WorkerContext,
    WorkItem,
)
from cotrain.engine.engine import Engine
from cotrain.engine.executors.calibrate import Calibration
from cotrain.engine.executors.fused import FusedMLPExecutor
from cotrain.engine.member import Member, Recipe
from cotrain.engine.models.losses import starting_bias
from cotrain.engine.models.mlp import MLP
from cotrain.engine.models.multitask import Architecture
from cotrain.engine.training import Progress, start, train_cohort
from cotrain.folder import RunFolder
from cotrain.tasks import Kind, Task
from cotrain.weighting import PBT, optimize_weights

RESULTS = Path(__file__).parent / "results"
INPUTS, TASKS, ROWS, COHORT = 200, 12, 2000, 8
ROUNDS, TURN_SECONDS = 8, 2.0
WORKERS = (1, 10, 100, 1000)
RECIPE = Recipe(epochs=ROUNDS, patience=ROUNDS + 1)


def make_data(rows: int, seed: int) -> TaskData:
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(rows, INPUTS)).astype(np.float32)
    targets = inputs @ rng.normal(size=(INPUTS, TASKS)).astype(np.float32) > 0
    return TaskData(
        inputs=torch.from_numpy(inputs),
        targets=torch.from_numpy(targets.astype(np.float32)),
        mask=torch.ones(rows, TASKS, dtype=torch.bool),
        tasks=tuple(
            Task(name=f"t{t}", kind=Kind.BINARY, classes=("no", "yes")) for t in range(TASKS)
        ),
        columns=inputs.astype(np.float64),
        categorical=np.zeros(INPUTS, dtype=bool),
    )


DEVELOPMENT = Development(train=make_data(ROWS, 0), valid=make_data(ROWS // 2, 1))


def encoder() -> MLP:
    return MLP(INPUTS, widths=(256, 256))


ARCHITECTURE = Architecture(
    encoder=encoder,
    sample=DEVELOPMENT.train.inputs[:1],
    bias=starting_bias(DEVELOPMENT.train.tasks, DEVELOPMENT.train.targets, DEVELOPMENT.train.mask),
)


def members(count: int) -> list[Member]:
    return [
        Member(name=f"m{at}", weights=tuple(1.0 + 0.01 * at for _ in range(TASKS)), seed=at)
        for at in range(count)
    ]


def make_engine(folder: str, cluster: Cluster, partition: Partition, recipe: Recipe = RECIPE) -> Engine:
    executor = FusedMLPExecutor(ARCHITECTURE.build(seed=0))
    return Engine(
        architecture=ARCHITECTURE,
        development=DEVELOPMENT,
        recipe=recipe,
        executor=executor,
        calibration=Calibration(chosen=executor.name, trials=()),
        folder=RunFolder(Path(folder)),
        checkpoint_seconds=1e9,
        cluster=cluster,
        partition=partition,
    )


def a_cohort() -> Progress:
    """Eight members after an epoch, as large as they come."""
    cohort = members(COHORT)
    progress = start(cohort, ARCHITECTURE, DEVELOPMENT)
    executor = FusedMLPExecutor(ARCHITECTURE.build(seed=0))
    return train_cohort(cohort, progress, executor, DEVELOPMENT, RECIPE, until=1)


# Real workers


def real(count: int | None) -> dict[str, float]:
    """Seconds of a population of 32 in cohorts of 8: in this process (None), or on local workers."""
    import ray

    if count is not None:
        ray.init(address="local", num_cpus=count, include_dashboard=False, log_to_driver=False)
    cluster: Cluster = LOCAL if count is None else RayCluster()
    partition = Partition(parts=4)
    seconds = []
    for _ in range(4):  # the first wakes the workers
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            make_engine(folder, cluster, partition).train("x", members(32))
            seconds.append(time.perf_counter() - began)
    found = {"first": seconds[0], "median_after": float(np.median(seconds[1:]))}
    if count == 2:
        found |= calls()
    if count is not None:
        ray.shutdown()
    return found


def calls() -> dict[str, float]:
    """Driver's processor seconds of Ray's calls: a turn, and what each piece in and out adds.

    All threads of the driver's process count. The work is empty; 400 turns are in flight.
    """
    import ray

    @ray.remote
    def nothing(turn: WorkItem, *pieces: Any) -> tuple[Any, ...]:
        out = max(1, len(pieces))
        return (REPORT, *([None] * out))

    turn, held = WorkItem(members=tuple(members(COHORT)), recipe=RECIPE, until=ROUNDS), ray.put(0)

    def spent(pieces: int, turns: int = 400) -> float:
        began = time.process_time()
        flying = {
            nothing.options(num_returns=1 + pieces, memory=1000).remote(turn, *[held] * pieces)[
                0
            ]: 0
            for _ in range(turns)
        }
        while flying:
            ray.wait(list(flying), num_returns=1, fetch_local=False)
            ready, _ = ray.wait(list(flying), num_returns=len(flying), timeout=0, fetch_local=False)
            ray.get(ready)
            for reference in ready:
                flying.pop(reference)
        return (time.process_time() - began) / turns

    spent(1)
    one, many = min(spent(1) for _ in range(3)), min(spent(COHORT) for _ in range(3))
    return {"turn": one, "piece": max(0.0, (many - one) / (COHORT - 1))}


# Simulated workers

REPORT = Report(epoch=1, active=COHORT, loss=0.5, over=False, seconds=TURN_SECONDS, scores=None)


@dataclass(kw_only=True)
class Clock:
    """Time of the simulation, the driver's own included, and what moves.

    Args:
        turn: Seconds of the driver that Ray takes for a turn.
        piece: And for each of its pieces.
        now: Simulated seconds.
        driver: Seconds the driver was busy, Ray's calls included.
        turns: Turns taken.
        through_driver: Bytes of turns and reports.
        through_store: Bytes that workers put into the object store.
        copied: Bytes of members that go on in another cohort than the one that they were in.
    """

    turn: float
    piece: float
    now: float = 0.0
    driver: float = 0.0
    turns: int = 0
    through_driver: int = 0
    through_store: int = 0
    copied: int = 0
    woke: float = field(default_factory=time.process_time)

    def charge(self, seconds: float) -> None:
        self.driver += seconds
        self.now += seconds

    def driver_did(self) -> None:
        """Count the processor time since the simulated workers last worked."""
        self.charge(time.process_time() - self.woke)

    def go_on(self) -> None:
        self.woke = time.process_time()


@dataclass(kw_only=True)
class Simulated:
    """Workers that compute nothing, and their cluster. An epoch takes them two seconds."""

    slots: int
    clock: Clock
    cohort: Progress
    piece_bytes: int
    ends: list[tuple[float, int]] = field(default_factory=list)
    turns: dict[int, WorkItem] = field(default_factory=dict)
    epochs: dict[int, int] = field(default_factory=dict)

    def partition(self) -> Partition:
        return Partition(parts=self.slots)

    def workers(self, context: WorkerContext) -> Simulated:
        return self

    def submit(self, key: int, work_item: WorkItem) -> None:
        import ray.cloudpickle as cloudpickle

        self.clock.driver_did()
        pieces = len(work_item.members) if work_item.per_member else 1
        self.clock.charge(self.clock.turn + pieces * self.clock.piece)
        self.clock.through_driver += len(cloudpickle.dumps(replace(work_item, shards=())))
        foreign = sum(piece[0] != key for piece in work_item.shards)
        self.clock.copied += foreign * self.piece_bytes
        self.clock.turns += 1
        self.turns[key] = work_item
        late = 1 + 0.1 * np.random.default_rng((key, self.clock.turns)).random()
        heapq.heappush(self.ends, (self.clock.now + late * TURN_SECONDS, key))
        self.clock.go_on()

    def wait(self) -> Sequence[tuple[int, Report]]:
        import ray.cloudpickle as cloudpickle

        self.clock.driver_did()
        self.clock.now = max(self.clock.now, self.ends[0][0])
        found = []
        while self.ends and self.ends[0][0] <= self.clock.now:
            _, key = heapq.heappop(self.ends)
            turn = self.turns[key]
            count = len(turn.members)
            done = self.epochs.get(key, 0) + 1
            self.epochs[key] = done
            over, scores = done >= turn.until, None
            if over and turn.per_member:
                scores = np.random.default_rng((key, done)).random((count, TASKS))
            report = replace(REPORT, epoch=done, active=count, over=over, scores=scores)
            self.clock.through_driver += len(cloudpickle.dumps(report))
            self.clock.through_store += count * self.piece_bytes
            pieces = tuple((key, row) for row in range(count)) if turn.per_member else ((key, None),)
            found.append((key, replace(report, shards=pieces)))
        self.clock.go_on()
        return found

    def put(self, progress: Progress, *, per_member: bool) -> tuple[Shard, ...]:
        raise NotImplementedError

    def fetch(self, shards: Sequence[Shard]) -> Progress:
        return self.cohort

    def cancel(self) -> None: ...


def simulate(
    workers: int, costs: dict[str, float], cohort: Progress, run: Callable[[Engine, int], object]
) -> dict[str, float]:
    clock = Clock(turn=costs["turn"], piece=costs["piece"])
    piece = size(pack(split(cohort)[0]))
    cluster = Simulated(slots=workers, clock=clock, cohort=cohort, piece_bytes=piece)
    folder = tempfile.TemporaryDirectory()
    with folder, patch.object(checkpoint, "save"):
        engine = make_engine(folder.name, cluster, cluster.partition())
        clock.go_on()
        run(engine, COHORT * workers)
        clock.driver_did()
    return {
        "workers": workers,
        "members": COHORT * workers,
        "turns": clock.turns,
        "driver_ms_per_turn": 1e3 * clock.driver / clock.turns,
        "driver_s_per_round": clock.driver / ROUNDS,
        "elapsed_s": clock.now,
        "driver_busy": clock.driver / clock.now,
        "workers_busy": clock.turns * 1.05 * TURN_SECONDS / workers / clock.now,
        "driver_kb_per_round": clock.through_driver / ROUNDS / 1e3,
        "store_mb_per_round": clock.through_store / ROUNDS / 1e6,
        "copied_mb_per_round": clock.copied / ROUNDS / 1e6,
    }


def plain(engine: Engine, count: int) -> None:
    engine.train("x", members(count))


def searched(engine: Engine, count: int) -> None:
    optimize_weights(engine, PBT(members=count), stage="s", every=1)


def writing(cohort: Progress) -> float:
    """The driver's seconds to write the result of a cohort."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        for at in range(20):
            checkpoint.save(RunFolder(Path(folder)), f"{at}", cohort, seconds=0.0)
        return (time.process_time() - began) / 20


COLUMNS = (
    ("workers", "workers", 1, 0),
    ("members", "members", 1, 0),
    ("driver, ms a turn", "driver_ms_per_turn", 1, 2),
    ("driver, s an epoch", "driver_s_per_round", 1, 3),
    ("driver busy", "driver_busy", 100, 1),
    ("workers busy", "workers_busy", 100, 0),
    ("through the driver, KB an epoch", "driver_kb_per_round", 1, 0),
    ("through the store, MB an epoch", "store_mb_per_round", 1, 0),
    ("of it copies from cohort to cohort, MB", "copied_mb_per_round", 1, 0),
)


def table(rows: Sequence[dict[str, float]]) -> list[str]:
    lines = ["| " + " | ".join(name for name, *_ in COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    for row in rows:
        shown = [
            f"{factor * row[key]:.{digits}f}" + (" %" if factor == 100 else "")
            for _, key, factor, digits in COLUMNS
        ]
        lines.append(f"| {' | '.join(shown)} |")
    return lines


def page(result: dict[str, Any]) -> str:
    calls, last, sought = result["ray_calls_s"], result["population"][-1], result["search"][-1]
    reach = 1e3 * TURN_SECONDS / last["driver_ms_per_turn"]
    lines = [
        f"MLP 256-256 on {INPUTS} inputs, {TASKS} tasks, cohorts of {COHORT} members, {ROUNDS} epochs; "
        f"{result['cores']} cores, load {result['load'][0]:.1f} when this began.",
        "",
        "## Real workers on this machine",
        "",
        "Seconds for a population of 32, one thread a process; the first run starts the workers. Where the "
        "load above is well above 1, others shared the cores and nothing can be said of a speed-up.",
        "",
        "| where | first | later, median of 3 |",
        "|---|---|---|",
        *(
            f"| {name} | {own['first']:.1f} | {own['median_after']:.1f} |"
            for name, own in result["real"].items()
        ),
        "",
        f"Ray's calls take {1e6 * calls['turn']:.0f} µs of the driver's processor a turn and "
        f"{1e6 * calls['piece']:.0f} µs more for each further piece (empty work, 400 turns in flight).",
        "",
        "## The driver's loop with simulated workers",
        "",
        f"A worker comes back every {TURN_SECONDS:.0f} s (up to a tenth later), after one epoch. A "
        "population:",
        "",
        *table(result["population"]),
        "",
        "A search (PBT, which waits for everybody in each epoch and keeps a piece a member):",
        "",
        *table(result["search"]),
        "",
        f"The driver's time a turn hardly depends on the number of workers, so its time an epoch grows "
        f"with them: at {last['driver_ms_per_turn']:.2f} ms a turn it is busy all the time with about "
        f"{reach:.0f} workers that come back every {TURN_SECONDS:.0f} s (`RayCluster(pause=…)` moves "
        f"that). A search asks more of it ({sought['driver_ms_per_turn']:.2f} ms: {COHORT} pieces instead "
        "of one, and the searcher), all at once while the workers wait. In an epoch no tensors pass "
        "through the driver, but those of networks below 100 KB, which Ray hands around with the task.",
        "",
        f"At the end the result of every cohort does: {1e3 * result['write_cohort_s']:.0f} ms of the "
        f"driver's processor to write {last['store_mb_per_round'] / last['workers']:.0f} MB, "
        f"{last['workers'] * result['write_cohort_s']:.0f} s for {last['workers']:.0f} cohorts. "
        "That, and not the epochs, limits short trainings first. Checkpoints of many cohorts take at most "
        "about a tenth of the driver's time.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    logging.disable()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    torch.set_num_threads(1)
    here, one, two = real(None), real(1), real(2)
    cohort = a_cohort()
    costs = {name: two.pop(name) for name in ("turn", "piece")}
    result = {
        "load": os.getloadavg(),
        "cores": os.cpu_count(),
        "real": {"this process": here, "Ray, 1 worker": one, "Ray, 2 workers": two},
        "ray_calls_s": costs,
        "write_cohort_s": writing(cohort),
        "population": [simulate(w, costs, cohort, plain) for w in WORKERS],
        "search": [simulate(w, costs, cohort, searched) for w in WORKERS],
    }
    print(page(result))
    (RESULTS / "ray_scaling.md").write_text(page(result))
    (RESULTS / "ray_scaling.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
