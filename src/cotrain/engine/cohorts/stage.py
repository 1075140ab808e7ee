"""One population of a run: its cohorts, their files in the run folder, and how far they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

from cotrain.engine.cohorts import checkpoint
from cotrain.engine.cohorts.workers import Report, Workers, WorkItem, advance
from cotrain.engine.member import Member
from cotrain.engine.recipe import Recipe, share_of
from cotrain.engine.trained import Trained, from_progress, merge
from cotrain.folder import RunFolder

SPARED = 10  # of the driver's time, checkpoints of many cohorts take about one part in so many


@dataclass(frozen=True, kw_only=True)
class Update:
    """News for whoever shows progress: ``done`` of ``total`` member-epochs of a stage."""

    stage: str
    done: int
    total: int
    loss: float  # weighted validation loss, averaged over members


Watch = Callable[[Update], None]


@dataclass(kw_only=True)
class Cohort:
    """Members that train side by side, and their two files.

    Args:
        folder: Of the run.
        name: Of the files.
        members: In their order.
        done: Member-epochs done; stopped members count with all their epochs.
        seconds: Time of computing so far.
        saved: When the last checkpoint was, on the clock of this process.
    """

    folder: RunFolder
    name: str
    members: tuple[Member, ...]
    done: int = 0
    seconds: float = 0.0
    saved: float = field(default_factory=time.monotonic)

    @property
    def result(self) -> str:
        """Name of the file of the finished cohort."""
        return f"{self.name}.safetensors"

    @property
    def partial(self) -> str:
        """Name of the file of the last checkpoint."""
        return f"{self.name}.checkpoint.safetensors"

    @property
    def finished(self) -> bool:
        """Whether the cohort has its result in the run folder."""
        return self.folder.has(self.result)

    def read(self) -> Trained:
        """The finished cohort, from the run folder."""
        progress, facts, _ = checkpoint.load(self.folder, self.result)
        return from_progress(self.members, progress, facts["seconds"])


@dataclass(kw_only=True)
class Stage:
    """Trains a population; what is finished is read back, what is begun goes on from its checkpoint.

    Args:
        name: Shown to whoever watches.
        cohorts: All members.
        recipe: How they train.
        workers: Who train them.
        watch: Called after every report.
        checkpoint_seconds: Time between checkpoints of an unfinished cohort, if there are few of them.
    """

    name: str
    cohorts: Sequence[Cohort]
    recipe: Recipe
    workers: Workers
    watch: Watch
    checkpoint_seconds: float
    _writing: float = 0.0  # seconds that the last checkpoint took

    def train(self) -> Trained:
        """Train the whole population, or read what is finished.

        Raises:
            LostError: If workers lost a cohort; another call goes on from the run folder.
        """
        parts = {at: own.read() for at, own in enumerate(self.cohorts) if own.finished}
        for at in parts:
            self.cohorts[at].done = self._epochs(self.cohorts[at])
        left = [at for at in range(len(self.cohorts)) if at not in parts]
        with closing(advance(self.workers, left, self._begin)) as reports:
            for at, report in reports:
                self._tell(self.cohorts[at], report)
                if report.over:
                    parts[at] = self._finish(self.cohorts[at], report)
                elif self._is_due(self.cohorts[at], len(self.cohorts) - len(parts)):
                    self._save(self.cohorts[at], report)
        return merge([parts[at] for at in range(len(self.cohorts))])

    def _recipe(self, cohort: Cohort) -> Recipe:
        share = cohort.members[0].epochs
        return self.recipe if share == 1 else share_of(self.recipe, share)

    def _epochs(self, cohort: Cohort) -> int:
        return len(cohort.members) * self._recipe(cohort).epochs

    def _begin(self, at: int) -> WorkItem:
        cohort = self.cohorts[at]
        recipe = self._recipe(cohort)
        work_item = WorkItem(members=cohort.members, recipe=recipe, until=recipe.epochs)
        cohort.saved, cohort.seconds = time.monotonic(), 0.0
        if not cohort.folder.has(cohort.partial):
            return work_item
        progress, facts, _ = checkpoint.load(cohort.folder, cohort.partial)
        cohort.seconds = facts["seconds"]
        return replace(work_item, shards=self.workers.put(progress, per_member=False))

    def _tell(self, cohort: Cohort, report: Report) -> None:
        stopped = len(cohort.members) - report.active
        cohort.done = stopped * self._recipe(cohort).epochs + report.active * report.epoch
        cohort.seconds += report.seconds
        done = sum(cohort.done for cohort in self.cohorts)
        total = sum(self._epochs(cohort) for cohort in self.cohorts)
        self.watch(Update(stage=self.name, done=done, total=total, loss=report.loss))

    def _finish(self, cohort: Cohort, report: Report) -> Trained:
        progress = self.workers.fetch(report.shards)
        checkpoint.save(cohort.folder, cohort.result, progress, seconds=cohort.seconds)
        cohort.folder.remove(cohort.partial)
        return from_progress(cohort.members, progress, cohort.seconds)

    def _is_due(self, cohort: Cohort, unfinished: int) -> bool:
        others = min(unfinished, self.workers.slots) - 1
        wait = max(self.checkpoint_seconds, SPARED * self._writing * others)
        return time.monotonic() - cohort.saved >= wait

    def _save(self, cohort: Cohort, report: Report) -> None:
        began = time.monotonic()
        progress = self.workers.fetch(report.shards)
        checkpoint.save(cohort.folder, cohort.partial, progress, seconds=cohort.seconds)
        cohort.saved = time.monotonic()
        self._writing = cohort.saved - began
