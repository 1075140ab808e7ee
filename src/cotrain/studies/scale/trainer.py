"""The population engine as the trainer of a study of scale.

Where sources share rows, encoders of all sets with the same labels are one population. Where they are
domains, every encoder is trained on its own rows: weights are sampling rates there, and a side by side
population would let a small set read as many rows in an epoch as a large one. So is a brief run, whose few
batches should be full of its own rows.
Letters: X sets of sources, K seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cotrain.arrays import Array
from cotrain.data.dataset import FinishedDecision
from cotrain.engine.state import Tensors
from cotrain.folder import RunFolder
from cotrain.studies.scale.scores import StageOne
from cotrain.studies.scale.sets import ScaleGrid, SourceSet
from cotrain.studies.trainer import StudyTrainer
from cotrain.transfer import (
    Finetuned,
    Finetuning,
    Pretrained,
    Pretraining,
    finetune,
    mixture_weights,
    of_target,
    only_target,
    pretrain,
    source_sizes,
)
from cotrain.transfer.rows import first_rows, of_sources, rows_of, with_labels


@dataclass(frozen=True, kw_only=True)
class ScaleTrainer(StudyTrainer):
    """Pre-finetunes encoders on sets of sources, and fine-tunes and scores targets from them.

    Args:
        sources: ``[S]`` places of the sources among the tasks.
        grid: How it is trained.
    """

    sources: tuple[int, ...]
    grid: ScaleGrid
    _encoders: dict[SourceSet, Tensors] = field(default_factory=dict, init=False)

    def pretrain(self, sets: Sequence[SourceSet]) -> StageOne:
        """Train an encoder for every set, one population after the other."""
        cost: dict[SourceSet, tuple[float, ...]] = dict.fromkeys(sets, (0.0,) * 4)
        populations = self._populations(sets)
        for at, population in enumerate(populations):
            cost.update(self._population(at, population, len(populations)))
        examples, epoch_examples, seconds, epoch_seconds = np.array([cost[own] for own in sets]).T
        return StageOne(
            examples=examples,
            epoch_examples=epoch_examples,
            seconds=seconds,
            epoch_seconds=epoch_seconds,
        )

    def finetune(self, target: int, sets: Sequence[SourceSet]) -> Array:
        """``[X, K]`` validation scores of a target, all sets and settings side by side, seed by seed."""
        return self._order(self._finetuned(target, sets).valid, sets)

    def test(self, decision: FinishedDecision, target: int, sets: Sequence[SourceSet]) -> Array:
        """``[X, K]`` its test scores, of networks that are read back."""
        test = self.open_test(decision)
        return self._order(self._finetuned(target, sets).scores(only_target(test, target)), sets)

    def _populations(self, sets: Sequence[SourceSet]) -> list[list[SourceSet]]:
        trained = [own for own in sets if own.sources]
        if self.splits.development.train.domains:
            return [[own] for own in trained]
        by_labels: dict[int | None, list[SourceSet]] = {}
        for own in trained:
            if own.epochs is None:
                by_labels.setdefault(own.labels, []).append(own)
        return [*by_labels.values(), *([own] for own in trained if own.epochs is not None)]

    def _population(
        self, at: int, sets: Sequence[SourceSet], of: int
    ) -> dict[SourceSet, tuple[float, ...]]:
        used = sorted({s for own in sets for s in own.sources})
        data = of_sources(self.splits.development, [self.sources[s] for s in used])
        if sets[0].labels is not None:
            data = with_labels(data, sets[0].labels, self.grid.seed)
        places = {own: [used.index(s) for s in own.sources] for own in sets}
        if sets[0].rows is not None:
            data = first_rows(data, places[sets[0]], sets[0].rows)
        sizes = source_sizes(data.train)
        grid, epochs = self.grid, sets[0].epochs
        how = Pretraining(
            widths=grid.widths,
            setting=grid.settings[0],
            seed=grid.seed,
            low_precision=grid.low_precision,
        )
        found = pretrain(
            RunFolder(self.folder.path(f"population/sources-{at}")),
            data,
            {_name(n): mixture_weights(sizes, places[own]) for n, own in enumerate(sets)},
            how=how if epochs is None else how.brief(epochs),
            watch=self.called(f"pre-finetune {at + 1} of {of}"),
        )
        self._encoders.update({own: found.encoders[_name(n)] for n, own in enumerate(sets)})
        return _costs(found, sets, [rows_of(data.train, places[own]) for own in sets])

    def _finetuned(self, target: int, sets: Sequence[SourceSet]) -> Finetuned:
        grid = self.grid
        return finetune(
            RunFolder(self.folder.path(f"population/target-{target}")),
            of_target(self.splits.development, target),
            {_name(n): self._encoders[own] for n, own in enumerate(sets) if own.sources},
            how=Finetuning(
                settings=grid.settings,
                seeds=grid.seeds,
                rows=grid.rows,
                widths=grid.widths,
                low_precision=grid.low_precision,
            ),
            watch=self.called(f"fine-tune {self.splits.tasks[target].name}"),
        )

    def _order(self, scores: Array, sets: Sequence[SourceSet]) -> Array:
        """Scores in the order of the sets, from those of fine-tuning, whose baseline comes first."""
        trained = iter(scores[1:])
        return np.stack([next(trained) if own.sources else scores[0] for own in sets])


def _name(at: int) -> str:
    return f"set {at}"


def _costs(
    found: Pretrained, sets: Sequence[SourceSet], rows: Sequence[int]
) -> dict[SourceSet, tuple[float, ...]]:
    """Examples, those of an epoch, seconds, those of an epoch; seconds are shared by examples."""
    examples = found.examples.numpy().astype(float)
    seconds = found.seconds * examples / examples.sum()
    epochs = found.epochs_run.numpy()
    return {
        own: (examples[n], rows[n], seconds[n], seconds[n] / epochs[n])
        for n, own in enumerate(sets)
    }
