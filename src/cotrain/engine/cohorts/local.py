"""The worker that is this process: cohorts train one after the other, beside everything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from cotrain.engine.cohorts.shards import join, take
from cotrain.engine.cohorts.workers import (
    Partition,
    Report,
    Shard,
    WorkerContext,
    WorkItem,
    run_work_item,
)
from cotrain.engine.training import Progress


@dataclass(frozen=True, kw_only=True)
class LocalCluster:
    """Trains in this process: the default where no cluster is given."""

    def partition(self) -> Partition:
        """Cohorts of the engine's own size."""
        return Partition()

    def workers(self, context: WorkerContext) -> LocalWorkers:
        """A single worker: this process."""
        return LocalWorkers(context=context)


LOCAL = LocalCluster()


@dataclass(frozen=True, kw_only=True)
class LocalShard:
    """Some members of a progress that lies in this process."""

    progress: Progress
    rows: tuple[int, ...]


@dataclass(kw_only=True)
class LocalWorkers:
    """Trains one cohort at a time in this process, and pauses after every epoch."""

    context: WorkerContext
    slots: int = field(default=1, init=False)
    _next: tuple[int, WorkItem] | None = field(default=None, init=False)
    _paused: tuple[Shard, ...] = field(default=(), init=False)

    def submit(self, key: int, work_item: WorkItem) -> None:
        """Remember the work item; it runs when it is waited for."""
        self._next = key, work_item

    def wait(self) -> Sequence[tuple[int, Report]]:
        """Train the submitted work item for an epoch."""
        assert self._next is not None
        key, work_item = self._next
        progress, report = run_work_item(
            self.context, work_item, self._before(work_item), pause=0.0
        )
        self._paused = self.put(progress, per_member=work_item.per_member)
        return [(key, replace(report, shards=self._paused))]

    def _before(self, work_item: WorkItem) -> Progress | None:
        """The progress to go on from; a copy where other shards share it, as training changes it."""
        if not work_item.shards:
            return None
        if work_item.shards is self._paused or not work_item.per_member:
            return self.fetch(work_item.shards)
        return join([take(shard.progress, shard.rows) for shard in _merged(work_item.shards)])

    def put(self, progress: Progress, *, per_member: bool) -> tuple[Shard, ...]:
        """Shards of the very progress, which is not copied."""
        rows = range(len(progress.loss))
        alone = [(row,) for row in rows] if per_member else [tuple(rows)]
        return tuple(LocalShard(progress=progress, rows=own) for own in alone)

    def fetch(self, shards: Sequence[Shard]) -> Progress:
        """The progress that the shards were made of, if they are all of it; else a copy."""
        parts = _merged(shards)
        if len(parts) == 1 and parts[0].rows == tuple(range(len(parts[0].progress.loss))):
            return parts[0].progress
        return join([take(part.progress, part.rows) for part in parts])

    def cancel(self) -> None:
        """Nothing to stop: nothing goes on unless it is waited for."""


def _merged(shards: Sequence[LocalShard]) -> list[LocalShard]:
    """Neighbours of one progress as one shard."""
    runs = [list(run) for _, run in groupby(shards, key=lambda shard: id(shard.progress))]
    return [
        LocalShard(progress=run[0].progress, rows=tuple(row for shard in run for row in shard.rows))
        for run in runs
    ]
