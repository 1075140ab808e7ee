"""The real driver's loop with workers that compute nothing and keep a clock."""

from __future__ import annotations

import heapq
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np

from benchmarks.ray_scaling.problem import COHORT, ROUNDS, TASKS, TURN_SECONDS, make_engine, members
from cotrain.engine.cohorts import checkpoint
from cotrain.engine.cohorts.packing import pack, size
from cotrain.engine.cohorts.shards import split
from cotrain.engine.cohorts.workers import Partition, Report, Shard, WorkerContext, WorkItem
from cotrain.engine.engine import Engine
from cotrain.engine.training import Progress
from cotrain.folder import RunFolder
from cotrain.weighting import PBT, optimize_weights

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
            pieces = (
                tuple((key, row) for row in range(count)) if turn.per_member else ((key, None),)
            )
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
    """A population with constant weights."""
    engine.train("x", members(count))


def searched(engine: Engine, count: int) -> None:
    """A search of weights."""
    optimize_weights(engine, PBT(members=count), stage="s", every=1)


def writing(cohort: Progress) -> float:
    """The driver's seconds to write the result of a cohort."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        for at in range(20):
            checkpoint.save(RunFolder(Path(folder)), f"{at}", cohort, seconds=0.0)
        return (time.process_time() - began) / 20
