"""Searching weights with the population engine: copying a member is copying tensors.

All members train side by side on the same batches; the search costs what the population costs without it,
and a validation pass an interval. Letters: N members, T tasks.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np
import torch

from cotrain.population import checkpoint
from cotrain.population.engine import Engine, Update
from cotrain.population.member import Member, indicator
from cotrain.population.optimisers import ADAMW, Optimiser
from cotrain.population.trained import Trained, from_progress, task_scores
from cotrain.population.training import Progress, copied, predict_outputs, start, train_cohort
from cotrain.weighting.search import (
    Array,
    Move,
    Searcher,
    Setting,
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
    optimiser: Optimiser = ADAMW,
) -> tuple[WeightSearch, Trained]:
    """Train a population whose weights are searched; an interrupted search goes on where it was.

    Args:
        engine: Trains. Nobody stops early: a member that stands still may be copied over.
        searcher: Proposes weights.
        stage: Names the files; a stage holds one search.
        every: Rounds from one proposal to the next.
        seed: Of all members: they start from the same parameters and see the same dropout.
        dropout: Share of the network's dropout rates.
        optimiser: Of all members.

    Returns:
        The lineage, and the trained population.

    Raises:
        InputError: If every member diverged.
    """
    tasks = [task.name for task in engine.development.tasks]
    weights = indicator(set(range(len(tasks))), len(tasks))
    base = Member(name=stage, weights=weights, seed=seed, dropout=dropout, optimiser=optimiser)
    trainer = _Trainer(engine=engine, base=base, stage=stage)
    history = search_weights(
        trainer,
        searcher,
        tasks,
        rounds=engine.recipe.rounds,
        every=every,
        history=trainer.resume(tasks),
        watch=trainer.save,
    )
    members = [
        replace(_with(base, setting), name=f"{stage}/{row}")
        for row, setting in enumerate(history.now())
    ]
    assert trainer.progress is not None
    return history, from_progress(members, trainer.progress, trainer.seconds)


def _with(base: Member, setting: Setting) -> Member:
    return replace(
        base,
        weights=setting.weights,
        learning_rate=setting.learning_rate,
        weight_decay=setting.weight_decay,
    )


@dataclass(kw_only=True)
class _Trainer:
    """Trains interval after interval, and keeps every one."""

    engine: Engine
    base: Member
    stage: str
    seconds: float = 0.0
    progress: Progress | None = None
    saved: float = field(default_factory=time.monotonic)

    def resume(self, tasks: Sequence[str]) -> WeightSearch | None:
        """What was done before, if anything was."""
        if not self.engine.folder.has(self._file):
            return None
        self.progress, facts, beside = checkpoint.load(self.engine.folder, self._file)
        self.seconds = facts["seconds"]
        arrays = {name: tensor.numpy() for name, tensor in beside.items()}
        return WeightSearch(tasks=tuple(tasks), ends=tuple(facts["ends"]), **arrays)

    def save(self, history: WeightSearch) -> None:
        """Keep the end, and every now and then what is done so far."""
        assert self.progress is not None
        now, over = time.monotonic(), history.ends[-1] == self.engine.recipe.rounds
        if not over and now - self.saved < self.engine.checkpoint_seconds:
            return
        self.saved = now
        beside = {
            part.name: torch.from_numpy(np.ascontiguousarray(getattr(history, part.name)))
            for part in fields(history)
            if part.name not in ("tasks", "ends")
        }
        facts = {"seconds": self.seconds, "ends": history.ends}
        checkpoint.save(self.engine.folder, self._file, self.progress, beside, **facts)

    @property
    def _file(self) -> str:
        return f"population/{self.stage}.search.safetensors"

    def __call__(self, moves: Sequence[Move], until: int) -> Array:
        """See :data:`cotrain.weighting.search.Trainer`."""
        began, engine = time.monotonic(), self.engine
        members = [_with(self.base, move.setting) for move in moves]
        if self.progress is None:
            self.progress = start(members, engine.architecture, engine.development)
        else:
            self.progress = copied(self.progress, [move.parent for move in moves])
        train_cohort(
            members,
            self.progress,
            engine.executor,
            engine.development,
            replace(engine.recipe, patience=engine.recipe.rounds + 1),
            until=until,
            after_round=self._tell,
        )
        scores = self._scores(self.progress, len(members))
        self.seconds += time.monotonic() - began
        return scores

    def _scores(self, progress: Progress, members: int) -> Array:
        """``[N, T]`` of the members as they are now; NaN for those that diverged."""
        found = np.full((members, len(self.engine.development.tasks)), np.nan)
        if progress.active:
            valid = self.engine.development.valid
            outputs = predict_outputs(self.engine.executor, progress.state, valid.inputs)
            known = valid.mask.any(dim=0).expand(len(outputs), -1)
            found[progress.active] = task_scores(outputs, valid, known=known)
        return found

    def _tell(self, progress: Progress) -> None:
        total = self.engine.recipe.rounds
        loss = float(progress.loss[progress.active].mean()) if progress.active else float("nan")
        self.engine.watch(Update(stage=self.stage, done=progress.round, total=total, loss=loss))
