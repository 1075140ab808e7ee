"""The population engine as the trainer of a study of pairs: one engine for every network size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from cotrain.arrays import Array
from cotrain.data.dataset import FinishedDecision
from cotrain.engine.build import build_engine
from cotrain.engine.engine import Engine, Update, cohort_size
from cotrain.engine.member import Member
from cotrain.engine.recipe import recipe_for
from cotrain.engine.trained import Trained
from cotrain.engine.tuning import member_scores
from cotrain.folder import RunFolder
from cotrain.results import Cost
from cotrain.studies.redrawn import redrawn_scores
from cotrain.studies.scalarization.conflicts import conflict_shares
from cotrain.studies.scalarization.pairs import Grid, Pair, Size
from cotrain.studies.trainer import StudyTrainer


@dataclass(frozen=True, kw_only=True)
class PairTrainer(StudyTrainer):
    """Trains members of a size a cohort at a time, and scores them.

    Only scores are kept in memory; the models wait in the run folder until the test split is opened. Every
    size has a folder of its own, and is a stage to the watcher.

    Args:
        grid: Learning rates, seeds, ….
    """

    grid: Grid

    @cached_property
    def _engines(self) -> dict[Size, Engine]:
        return {size: self._engine(size) for size in self.grid.sizes}

    @property
    def engines(self) -> dict[str, str]:
        """Size → the executor that calibration chose."""
        return {str(size): engine.executor.name for size, engine in self._engines.items()}

    def parameters(self, size: Size) -> int:
        """Shared parameters of a network."""
        encoder = self._engines[size].architecture.build(seed=0).encoder
        return sum(p.numel() for p in encoder.parameters())

    def valid(self, size: Size, members: Sequence[Member]) -> Array:
        """``[M, T]`` validation scores, NaN for tasks of weight 0."""
        valid = self.splits.development.valid
        return np.concatenate(
            [member_scores(trained, valid) for trained in self._cohorts(size, members)]
        )

    def conflicts(self, size: Size, members: Sequence[Member], pairs: Sequence[Pair]) -> Array:
        """``[M]`` share of probes at which each member's two tasks conflict; trains them once more."""
        stage = f"conflicts {size}"

        def watch(done: int) -> None:
            self.say(stage, done, len(members))

        shares, self._costs[stage] = conflict_shares(self._engines[size], members, pairs, watch)
        return shares

    def test(
        self, decision: FinishedDecision, size: Size, members: Sequence[Member], rows: Sequence[int]
    ) -> Array:
        """``[1 + R, len(rows), T]`` test scores of some members, whose cohorts are read back."""
        test, wanted = self.open_test(decision), {members[row]: row for row in rows}
        found: dict[Member, Array] = {}
        for trained in self._cohorts(size, members):
            part = trained.select(wanted.__contains__)
            if part.members:
                outputs = self._engines[size].predict(part, test.inputs)
                scores = redrawn_scores(test, outputs, part.best_epoch > 0, seed=self.grid.seed)
                found |= dict(zip(part.members, scores.swapaxes(0, 1), strict=True))
        return np.stack([found[members[row]] for row in rows], axis=1)

    def _engine(self, size: Size) -> Engine:
        development = self.splits.development
        return build_engine(
            RunFolder(self.folder.path(f"population/{size}")),
            development,
            recipe_for(len(development.train), seed=self.grid.seed),
            widths=size.widths,
            low_precision=self.grid.low_precision,
            watch=self.watch,
        )

    def _cohorts(self, size: Size, members: Sequence[Member]) -> Iterator[Trained]:
        """The trained members, a cohort at a time."""
        engine = self._engines[size]
        epochs, most = engine.recipe.epochs, cohort_size(engine.architecture, engine.recipe)
        for at in range(0, len(members), most):

            def watch(news: Update, before: int = at * epochs) -> None:
                total, stage = len(members) * epochs, f"train {size}"
                self.watch(replace(news, stage=stage, done=before + news.done, total=total))

            trained = replace(engine, watch=watch).train(f"from-{at}", members[at : at + most])
            self._costs[f"{size} from {at}"] = Cost(
                trainings=len(trained.members),
                examples=engine.examples(trained),
                seconds=trained.seconds,
            )
            yield trained
