"""Workers on the machines of a Ray cluster (extra ``ray``).

The data and the network travel once to each machine, through Ray's object store. A cohort's progress
stays in the store between its work items: the driver hands references around, and the tensors go straight
from the worker that made them to the one that goes on, if that is another machine at all. Ray places a
work item where the memory that it needs is free, and runs it again from the same references if its worker
dies. References that are lost with their machine are made again from those before; what even that cannot
mend goes on from the run folder.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from cotrain.data.dataset import Development, TaskData
from cotrain.engine.cohorts.memory import gradients_kept, member_bytes
from cotrain.engine.cohorts.packing import Packed, pack, unpack
from cotrain.engine.cohorts.shards import join, split
from cotrain.engine.cohorts.workers import (
    LostError,
    Partition,
    Report,
    Shard,
    WorkerContext,
    WorkItem,
    run_work_item,
)
from cotrain.engine.executors.calibrate import executor_by_name
from cotrain.engine.models.multitask import Architecture
from cotrain.engine.training import Progress
from cotrain.errors import InputError

AUTO, START_HERE = "auto", "local"
RETRIES = 3  # of a work item whose worker died
COPIES = 3  # a worker has a cohort's progress as it came, as it trains, and as it leaves
QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
_PROBE = f"import sys, ray; ray.init(address=sys.argv[1], **{QUIET})"


@dataclass(frozen=True, kw_only=True)
class RayCluster:
    """Finds a worker for each processor of a Ray cluster.

    A process that is connected already (``ray.init``) stays with that cluster, whatever the address.

    Args:
        address: ``auto`` for the cluster that this machine belongs to, ``HOST:PORT``, or ``local`` to start
            one on this machine.
        patience: Seconds until a cluster counts as unreachable.
        pause: Seconds of training between reports; a killed worker repeats as much.
    """

    address: str = AUTO
    patience: float = 15.0
    pause: float = 2.0

    def connect(self) -> Any:
        """The module ``ray``, connected.

        Raises:
            InputError: If Ray is not installed, or the cluster cannot be reached.
        """
        if importlib.util.find_spec("ray") is None:
            raise InputError("Ray is not installed: pip install 'cotrain[ray]'")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        import ray

        if ray.is_initialized():
            return ray
        if self.address == START_HERE:
            ray.init(address=START_HERE, include_dashboard=False, **QUIET)
        else:
            self._reach()
            ray.init(address=self.address, **QUIET)
        return ray

    def _reach(self) -> None:
        """Try to connect in a process of its own: Ray waits for minutes, and then ends its process."""
        try:
            probe = subprocess.run(
                [sys.executable, "-c", _PROBE, self.address],
                capture_output=True,
                timeout=self.patience,
                check=False,
            )
        except subprocess.TimeoutExpired:
            reached = False
        else:
            reached = probe.returncode == 0
        if not reached:
            raise InputError(
                f"no Ray cluster can be reached at {self.address!r}: start one with "
                "`ray start --head` and give its HOST:PORT (with RAY_AUTH_MODE=token set, if it asks for a "
                "token), or give `local` for this machine alone"
            )

    def partition(self) -> Partition:
        """A worker for each processor, and for each the same share of its machine's memory."""
        machines = _machines(self.connect())
        return Partition(
            memory_budget=min(int(m["memory"] / m["CPU"]) for m in machines) // COPIES,
            parts=sum(int(m["CPU"]) for m in machines),
        )

    def workers(self, context: WorkerContext) -> RayWorkers:
        """One worker for each of the cluster's processors."""
        return RayWorkers(self.connect(), context, self.pause)


class RayWorkers:
    """Trains cohorts as tasks of Ray; a shard is a reference into the object store."""

    def __init__(self, ray: Any, context: WorkerContext, pause: float) -> None:
        self._ray, self._pause = ray, pause
        machines = _machines(ray)
        self._most = min(int(machine["memory"]) for machine in machines)
        self.slots = sum(int(machine["CPU"]) for machine in machines)
        self._architecture = context.architecture
        self._context = ray.put(pack(_PackedContext.of(context)))
        self._work_item = ray.remote(_work_item)
        self._member: dict[tuple[int, int], int] = {}
        self._in_flight: dict[Any, tuple[int, tuple[Shard, ...]]] = {}

    def submit(self, key: int, work_item: WorkItem) -> None:
        """Start a task of Ray, which finds a worker with enough memory."""
        options = {
            "num_returns": 1 + (len(work_item.members) if work_item.per_member else 1),
            "memory": min(
                self._most, COPIES * len(work_item.members) * self._member_bytes(work_item)
            ),
            "num_cpus": 1,
            "max_retries": RETRIES,
        }
        task = self._work_item.options(**options)
        given = replace(work_item, shards=())
        report, *shards = task.remote([self._context], self._pause, given, *work_item.shards)
        self._in_flight[report] = key, tuple(shards)

    def wait(self) -> Sequence[tuple[int, Report]]:
        """Wait for one, and give all that are ready, in one question: asking takes time for each."""
        in_flight = list(self._in_flight)
        self._ray.wait(in_flight, num_returns=1, fetch_local=False)
        ready, _ = self._ray.wait(
            in_flight, num_returns=len(in_flight), timeout=0, fetch_local=False
        )
        found = []
        for reference, report in zip(ready, self._get(ready), strict=True):
            key, shards = self._in_flight.pop(reference)
            found.append((key, replace(report, shards=shards)))
        return found

    def put(self, progress: Progress, *, per_member: bool) -> tuple[Shard, ...]:
        """Put a progress into the object store."""
        parts = split(progress) if per_member else [progress]
        return tuple(self._ray.put(pack(part)) for part in parts)

    def fetch(self, shards: Sequence[Shard]) -> Progress:
        """Bring the progress of the shards to the driver, as one cohort."""
        return join([unpack(packed) for packed in self._get(list(shards))])

    def cancel(self) -> None:
        """Interrupt the tasks that are running; their workers stay."""
        for reference in self._in_flight:
            self._ray.cancel(reference)
        self._in_flight.clear()

    def _get(self, references: list[Any]) -> list[Any]:
        errors = self._ray.exceptions
        try:
            found: list[Any] = self._ray.get(references)
        except errors.RayTaskError as error:
            raise self._reason(error) from error
        except errors.RayError as error:
            raise LostError(
                f"Ray workers died {RETRIES + 1} times over the same work, or their machine is gone "
                f"({type(error).__name__}): see Ray's logs, then go on with --resume"
            ) from error
        return found

    def _reason(self, error: Any) -> Exception:
        """What the work itself raised, as it would have here."""
        cause: Exception = error.cause
        if not isinstance(cause, self._ray.exceptions.RayError):
            return cause
        last = str(cause).strip().splitlines()[-1]
        return InputError(
            f"a Ray worker cannot read its work ({last}): install the module on every machine of the "
            "cluster, or call ray.init with a runtime_env that has it before the run"
        )

    def _member_bytes(self, work_item: WorkItem) -> int:
        key = work_item.recipe.batch_size, gradients_kept(work_item.members[0])
        if key not in self._member:
            self._member[key] = member_bytes(self._architecture, work_item.recipe, key[1])
        return self._member[key]


@dataclass(frozen=True, kw_only=True)
class _PackedContext:
    """What travels of a context: all but what a worker makes itself, or does not read."""

    architecture: Architecture
    development: Development
    executor: str

    @classmethod
    def of(cls, context: WorkerContext) -> _PackedContext:
        data = context.development
        return cls(
            architecture=context.architecture,
            development=replace(
                data, train=_without_trees(data.train), valid=_without_trees(data.valid)
            ),
            executor=context.executor.name,
        )

    def unpacked(self) -> WorkerContext:
        return WorkerContext(
            architecture=self.architecture,
            development=self.development,
            executor=executor_by_name(self.architecture, self.executor),
        )


def _without_trees(data: TaskData) -> TaskData:
    return replace(data, columns=data.columns[:, :0], categorical=data.categorical[:0])


_contexts: dict[Any, WorkerContext] = {}  # of a worker's process: the one that it works for


def _work_item(
    context: list[Any], pause: float, work_item: WorkItem, *shards: Packed
) -> tuple[Any, ...]:
    """Runs a work item in a worker's process; ``context`` holds a reference, which Ray leaves alone."""
    if context[0] not in _contexts:
        import ray

        _contexts.clear()
        _contexts[context[0]] = unpack(ray.get(context[0])).unpacked()
    before = join([unpack(packed) for packed in shards]) if shards else None
    progress, report = run_work_item(_contexts[context[0]], work_item, before, pause=pause)
    parts = split(progress) if work_item.per_member else [progress]
    return report, *(pack(part) for part in parts)


def _machines(ray: Any) -> list[dict[str, float]]:
    found = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    found = [resources for resources in found if resources.get("CPU", 0) >= 1]
    if not found:
        raise InputError("the Ray cluster has no processors: add a machine with `ray start`")
    return found
