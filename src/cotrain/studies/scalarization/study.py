"""What is trained, and the result, from data to :class:`ScalarizationStudy`.

Departures from the paper: networks are the built-in MLP; the learning rate of every pair, weight and size
is chosen on validation from one small grid; gains by size and the regret of weights found at another size
are measured on the sealed test split, opened once; every task of every network speaks from its own best
epoch on validation. Where tasks are domains, weights are the rates at which they are sampled, as in the
paper.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from cotrain.data.dataset import Splits
from cotrain.engine.engine import Watch
from cotrain.errors import InputError
from cotrain.folder import RunFolder
from cotrain.results import Cost
from cotrain.stats import finite_mean
from cotrain.studies.finding import Finding, Section
from cotrain.studies.scalarization import sections
from cotrain.studies.scalarization.estimates import (
    Estimates,
    best_weights,
    gains,
    numbers_and_draws,
    with_intervals,
)
from cotrain.studies.scalarization.findings import findings
from cotrain.studies.scalarization.pairs import UNIFORM, Grid, draw_pairs
from cotrain.studies.scalarization.scores import PairScores, collect
from cotrain.studies.scalarization.trainer import EngineTrainer

DEFAULTS = Grid()
RESULT = "study.json"


@dataclass(frozen=True, kw_only=True)
class ScalarizationStudy:
    """What the study found; it prints itself.

    Args:
        title: Name of the data set.
        sizes: ``[S]`` network sizes, ``WIDTHxDEPTH``, by growing number of parameters.
        parameters: ``[S]`` shared parameters.
        pairs: ``[P]`` names of the two tasks.
        of_pairs: How many pairs there are, of which these were trained.
        weights: ``[W]`` weights of a pair's first task.
        seeds: Of every member.
        estimates: The numbers, with intervals.
        best: ``[S][P]`` weight of the first task with the best validation score.
        conflict: ``[S][P]`` share of conflicting gradients under uniform weights.
        gain: ``[S][P]`` mean validation gain of uniform weights.
        engines: Size → what computed it.
        cost: What all trainings took.
        notes: What the user should know about the data.
    """

    title: str
    sizes: tuple[str, ...]
    parameters: tuple[int, ...]
    pairs: tuple[tuple[str, str], ...]
    of_pairs: int
    weights: tuple[float, ...]
    seeds: int
    estimates: Estimates
    best: tuple[tuple[float, ...], ...]
    conflict: tuple[tuple[float, ...], ...]
    gain: tuple[tuple[float, ...], ...]
    engines: dict[str, str]
    cost: Cost
    notes: tuple[str, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The three published findings and what these data say of them."""
        return findings(self.estimates)

    def sections(self) -> tuple[Section, ...]:
        """The three pictures with their numbers."""
        return sections.sections(self)

    def __str__(self) -> str:
        """What was trained, and the verdicts."""
        return "\n".join([sections.trained(self), *map(str, self.findings)])


def study_scalarization(
    splits: Splits,
    *,
    out: str | Path,
    grid: Grid = DEFAULTS,
    title: str = "tasks",
    watch: Watch = lambda _: None,
) -> ScalarizationStudy:
    """Train pairs of tasks at many weights and sizes, and see which of the three findings hold.

    Args:
        splits: Training and validation rows and the sealed test rows, from :mod:`cotrain.data`.
        out: The run folder; an interrupted study of the same data and grid is continued.
        grid: What is trained.
        title: Name of the data set.
        watch: Called with progress updates.

    Raises:
        InputError: If the folder holds something else, or there is only one task.
    """
    folder, train = RunFolder(Path(out)), splits.development.train
    pairs = draw_pairs(train, most=grid.most_pairs, seed=grid.seed)
    folder.claim(
        splits.identity(verb="study scalarization", title=title, settings=dataclasses.asdict(grid))
    )
    if folder.has(RESULT):
        folder.drop_working_files()
        return read_scalarization(folder)
    trainer = EngineTrainer(splits=splits, folder=folder, grid=grid, watch=watch)
    scores = collect(trainer, splits.tasks, pairs, grid)
    scores.write(folder)
    tasks = len(splits.tasks)
    study = ScalarizationStudy(
        title=title,
        sizes=tuple(map(str, scores.sizes)),
        parameters=scores.parameters,
        pairs=scores.pairs,
        of_pairs=tasks * (tasks - 1) // 2,
        weights=scores.weights,
        seeds=grid.seeds,
        estimates=with_intervals(numbers_and_draws(scores, seed=grid.seed)),
        engines=trainer.engines,
        cost=trainer.cost(),
        notes=splits.notes,
        **_by_pair(scores),
    )
    folder.write_json(RESULT, dataclasses.asdict(study))
    folder.drop_working_files()
    return read_scalarization(folder)


def read_scalarization(folder: RunFolder) -> ScalarizationStudy:
    """The result of a finished study.

    Raises:
        InputError: If there is none, or the file is not what cotrain wrote.
    """
    try:
        return TypeAdapter(ScalarizationStudy).validate_python(folder.read_json(RESULT))
    except ValidationError as error:
        raise InputError(f"{folder.path(RESULT)} is damaged: {error.errors()[0]['msg']}") from error


def _by_pair(scores: PairScores) -> dict[str, tuple[tuple[float, ...], ...]]:
    """What the pictures show of every size and pair."""
    best = best_weights(scores.valid, scores.weights)
    uniform = gains(scores.valid)[:, :, scores.weights.index(UNIFORM)]
    conflict, gain = finite_mean(scores.conflict, axis=2), finite_mean(uniform, axis=(2, 3))
    return {
        "best": tuple(tuple(scores.weights[at] for at in row) for row in best),
        "conflict": tuple(map(tuple, conflict.tolist())),
        "gain": tuple(map(tuple, gain.tolist())),
    }
