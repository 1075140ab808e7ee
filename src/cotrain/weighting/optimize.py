"""Searching weights with the population engine: copying a member is copying tensors.

All members train side by side on the same batches; the search costs what the population costs without it,
and a validation pass an interval. Letters: N members, T tasks.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, fields, replace
from itertools import accumulate

import numpy as np
import torch

from cotrain.arrays import Array
from cotrain.engine.cohorts import checkpoint
from cotrain.engine.cohorts.stage import SPARED
from cotrain.engine.cohorts.workers import Report, Shard, WorkItem, advance, repeated
from cotrain.engine.engine import Engine, Update
from cotrain.engine.member import Member, WeightSetting, indicator
from cotrain.engine.optimizers import ADAMW, Optimizer
from cotrain.engine.trained import Trained, from_progress
from cotrain.engine.training import Progress
from cotrain.weighting.search import (
    Move,
    Searcher,
    WeightSearch,
    search_weights,
)


def optimize_weights(
    engine: Engine,
    searcher: Searcher,
    *,
    stage: str,
    every: int,
    seed: int = 0,
    dropout: float = 1.0,
    optimizer: Optimizer = ADAMW,
) -> tuple[WeightSearch, Trained]:
    """Train a population whose weights are searched; an interrupted search goes on where it was.

    Args:
        engine: Trains. Nobody stops early: a member that stands still may be copied over.
        searcher: Proposes weights.
        stage: Names the files; a stage holds one search.
        every: Epochs from one proposal to the next.
        seed: Of all members: they start from the same parameters and see the same dropout.
        dropout: Share of the network's dropout rates.
        optimizer: Of all members.

    Returns:
        The lineage, and the trained population.

    Raises:
        InputError: If every member diverged.
    """
    weights = indicator(set(range(len(engine.development.tasks))), len(engine.development.tasks))
    base = Member(name=stage, weights=weights, seed=seed, dropout=dropout, optimizer=optimizer)
    return repeated(lambda: _search(engine, searcher, base, stage, every))


def _search(
    engine: Engine, searcher: Searcher, base: Member, stage: str, every: int
) -> tuple[WeightSearch, Trained]:
    tasks = [task.name for task in engine.development.tasks]
    trainer = _Trainer(engine=engine, base=base, stage=stage)
    history = search_weights(
        trainer,
        searcher,
        tasks,
        epochs=engine.recipe.epochs,
        every=every,
        history=trainer.resume(tasks),
        watch=trainer.save,
    )
    members = [
        replace(_with(base, setting), name=f"{stage}/{row}")
        for row, setting in enumerate(history.now())
    ]
    return history, from_progress(members, trainer.progress(), trainer.seconds)


def _with(base: Member, setting: WeightSetting) -> Member:
    return replace(
        base,
        weights=setting.weights,
        learning_rate=setting.learning_rate,
        weight_decay=setting.weight_decay,
    )


@dataclass(kw_only=True)
class _Trainer:
    """Trains interval after interval, and keeps every one. A member is a shard, so a copy moves nothing."""

    engine: Engine
    base: Member
    stage: str
    seconds: float = 0.0
    shards: Sequence[Shard] = ()
    saved: float = field(default_factory=time.monotonic)
    writing: float = 0.0  # seconds that others waited for the last checkpoint

    def resume(self, tasks: Sequence[str]) -> WeightSearch | None:
        """What was done before, if anything was."""
        if not self.engine.folder.has(self._file):
            return None
        progress, facts, beside = checkpoint.load(self.engine.folder, self._file)
        self.shards = self.engine.workers.put(progress, per_member=True)
        self.seconds = facts["seconds"]
        arrays = {name: tensor.numpy() for name, tensor in beside.items()}
        return WeightSearch(tasks=tuple(tasks), ends=tuple(facts["ends"]), **arrays)

    def save(self, history: WeightSearch) -> None:
        """Keep the end, and every now and then what is done so far."""
        began, over = time.monotonic(), history.ends[-1] == self.engine.recipe.epochs
        wait = max(self.engine.checkpoint_seconds, self.writing * SPARED)
        if not over and began - self.saved < wait:
            return
        beside = {
            part.name: torch.from_numpy(np.ascontiguousarray(getattr(history, part.name)))
            for part in fields(history)
            if part.name not in ("tasks", "ends")
        }
        facts = {"seconds": self.seconds, "ends": history.ends}
        checkpoint.save(self.engine.folder, self._file, self.progress(), beside, **facts)
        self.saved = time.monotonic()
        self.writing = self.saved - began if self.engine.partition.parts > 1 else 0.0

    def progress(self) -> Progress:
        """The progress of the whole population."""
        return self.engine.workers.fetch(self.shards)

    @property
    def _file(self) -> str:
        return f"population/{self.stage}.search.safetensors"

    def __call__(self, moves: Sequence[Move], until: int) -> Array:
        """Train the members of an interval, from their parents, and give their ``[N, T]`` scores."""
        engine = self.engine
        members = [_with(self.base, move.setting) for move in moves]
        before = [self.shards[move.parent] for move in moves] if self.shards else []
        cohorts = engine.cohorts(members)
        firsts = [0, *accumulate(len(cohort) for cohort in cohorts)]
        recipe = replace(engine.recipe, patience=engine.recipe.epochs + 1)

        def begin(at: int) -> WorkItem:
            return WorkItem(
                members=tuple(cohorts[at]),
                recipe=recipe,
                until=until,
                shards=tuple(before[firsts[at] : firsts[at + 1]]),
                per_member=True,
            )

        reports: dict[int, Report] = {}
        with closing(advance(engine.workers, range(len(cohorts)), begin)) as news:
            for at, report in news:
                reports[at] = report
                self.seconds += report.seconds
                self._tell(report)
        last = [reports[at] for at in range(len(cohorts))]
        self.shards = [shard for report in last for shard in report.shards]
        return np.concatenate([report.scores for report in last if report.scores is not None])

    def _tell(self, report: Report) -> None:
        total = self.engine.recipe.epochs
        self.engine.watch(
            Update(stage=self.stage, done=report.epoch, total=total, loss=report.loss)
        )
