"""Workers on the machines of a Ray cluster (extra ``ray``).

The data and the network travel once to each machine, through Ray's object store. A cohort's progress stays
in the store between its turns: the driver hands references around, and the tensors go straight from the
worker that made them to the one that goes on, if that is another machine at all. Ray places a turn where
the memory that it needs is free, and runs it again from the same references if its worker dies. References
that are lost with their machine are made again from those before; what even that cannot mend goes on from
the run folder.
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
from cotrain.engine.cohorts.workers import Cut, LostError, Piece, Report, Site, Turn, take_turn
from cotrain.engine.executors.calibrate import named
from cotrain.engine.models.multitask import Architecture
from cotrain.engine.training import Progress
from cotrain.errors import InputError

AUTO, LOCAL = "auto", "local"
RETRIES = 3  # of a turn whose worker died
COPIES = 3  # a worker has a cohort's progress as it came, as it trains, and as it leaves
QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
_PROBE = f"import sys, ray; ray.init(address=sys.argv[1], **{QUIET})"


@dataclass(frozen=True, kw_only=True)
class RayCluster:
    """A Ray cluster. See :class:`~cotrain.engine.cohorts.workers.Cluster`.

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
        if self.address == LOCAL:
            ray.init(address=LOCAL, include_dashboard=False, **QUIET)
        else:
            self._reach()
            ray.init(address=self.address, **QUIET)
        return ray

    def _reach(self) -> None:
        """Try it in a process of its own: Ray waits for minutes, and then ends its process."""
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

    def cut(self) -> Cut:
        """A worker for each processor, and for each the same share of its machine's memory."""
        machines = _machines(self.connect())
        return Cut(
            room=min(int(m["memory"] / m["CPU"]) for m in machines) // COPIES,
            parts=sum(int(m["CPU"]) for m in machines),
        )

    def workers(self, site: Site) -> RayWorkers:
        """All of them."""
        return RayWorkers(self.connect(), site, self.pause)


class RayWorkers:
    """See :class:`~cotrain.engine.cohorts.workers.Workers`; pieces are references into the object store."""

    def __init__(self, ray: Any, site: Site, pause: float) -> None:
        self._ray, self._pause = ray, pause
        machines = _machines(ray)
        self._most = min(int(machine["memory"]) for machine in machines)
        self.slots = sum(int(machine["CPU"]) for machine in machines)
        self._architecture = site.architecture
        self._site = ray.put(pack(_Travelling.of(site)))
        self._turn = ray.remote(_turn)
        self._member: dict[tuple[int, int], int] = {}
        self._flying: dict[Any, tuple[int, tuple[Piece, ...]]] = {}

    def submit(self, key: int, turn: Turn) -> None:
        """Ray finds a worker."""
        options = {
            "num_returns": 1 + (len(turn.members) if turn.apart else 1),
            "memory": min(self._most, COPIES * len(turn.members) * self._member_bytes(turn)),
            "num_cpus": 1,
            "max_retries": RETRIES,
        }
        task = self._turn.options(**options)
        given = replace(turn, pieces=())
        report, *pieces = task.remote([self._site], self._pause, given, *turn.pieces)
        self._flying[report] = key, tuple(pieces)

    def done(self) -> Sequence[tuple[int, Report]]:
        """All that is ready, in one question: asking takes time for each that is not."""
        flying = list(self._flying)
        self._ray.wait(flying, num_returns=1, fetch_local=False)
        ready, _ = self._ray.wait(flying, num_returns=len(flying), timeout=0, fetch_local=False)
        found = []
        for reference, report in zip(ready, self._get(ready), strict=True):
            key, pieces = self._flying.pop(reference)
            found.append((key, replace(report, pieces=pieces)))
        return found

    def hold(self, progress: Progress, *, apart: bool) -> tuple[Piece, ...]:
        """Into the object store."""
        parts = split(progress) if apart else [progress]
        return tuple(self._ray.put(pack(part)) for part in parts)

    def fetch(self, pieces: Sequence[Piece]) -> Progress:
        """To the driver."""
        return join([unpack(packed) for packed in self._get(list(pieces))])

    def cancel(self) -> None:
        """Interrupts the workers that are at it; they stay."""
        for reference in self._flying:
            self._ray.cancel(reference)
        self._flying.clear()

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

    def _member_bytes(self, turn: Turn) -> int:
        key = turn.recipe.batch_size, gradients_kept(turn.members[0])
        if key not in self._member:
            self._member[key] = member_bytes(self._architecture, turn.recipe, key[1])
        return self._member[key]


@dataclass(frozen=True, kw_only=True)
class _Travelling:
    """A site without what a worker makes itself, or does not read."""

    architecture: Architecture
    development: Development
    executor: str

    @classmethod
    def of(cls, site: Site) -> _Travelling:
        data = site.development
        return cls(
            architecture=site.architecture,
            development=replace(
                data, train=_without_trees(data.train), valid=_without_trees(data.valid)
            ),
            executor=site.executor.name,
        )

    def unpacked(self) -> Site:
        return Site(
            architecture=self.architecture,
            development=self.development,
            executor=named(self.architecture, self.executor),
        )


def _without_trees(data: TaskData) -> TaskData:
    return replace(data, columns=data.columns[:, :0], categorical=data.categorical[:0])


_sites: dict[Any, Site] = {}  # of a worker's process: the one that it works for


def _turn(site: list[Any], pause: float, turn: Turn, *pieces: Packed) -> tuple[Any, ...]:
    """What a worker does; ``site`` holds a reference, which Ray leaves alone."""
    if site[0] not in _sites:
        import ray

        _sites.clear()
        _sites[site[0]] = unpack(ray.get(site[0])).unpacked()
    before = join([unpack(packed) for packed in pieces]) if pieces else None
    progress, report = take_turn(_sites[site[0]], turn, before, pause=pause)
    parts = split(progress) if turn.apart else [progress]
    return report, *(pack(part) for part in parts)


def _machines(ray: Any) -> list[dict[str, float]]:
    found = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    found = [resources for resources in found if resources.get("CPU", 0) >= 1]
    if not found:
        raise InputError("the Ray cluster has no processors: add a machine with `ray start`")
    return found
