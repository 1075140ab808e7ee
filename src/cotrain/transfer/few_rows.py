"""Targets trained on few of their rows, from a pre-finetuned encoder, from scratch, and by trees.

Letters: R numbers of rows, T targets, C contenders, S seeds, N test rows, B bootstrap draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cotrain.arrays import Array
from cotrain.baselines.boosted import TreeLearner, fit_task, tree_data
from cotrain.data.dataset import Development, TaskData
from cotrain.engine.build import Encoder
from cotrain.engine.engine import Engine, Update, Watch
from cotrain.engine.recipe import Recipe, recipe_for
from cotrain.folder import RunFolder
from cotrain.stats import draw_rows
from cotrain.tasks import score
from cotrain.transfer.few_shot import FewShot, mean_over_targets
from cotrain.transfer.finetune import SWEEP, Finetuning, finetune
from cotrain.transfer.rows import of_target, only_target, with_rows

MOST_TARGETS = 10
REPLICATES = 100
ALL_ROWS = ("single", "pretrained", "trees")  # C: a run's contenders, as trained on all rows


@dataclass(frozen=True, kw_only=True)
class FewRows:
    """How targets are trained on few rows.

    Args:
        rows: Numbers of training rows.
        tried: Settings tried for either start, and for the trees.
        seeds: S.
        seed: Of the bootstrap.
        learner: The trees.
        widths: Hidden widths of the built-in encoder.
        low_precision: Let calibration choose bfloat16 products where they are faster and agree.
    """

    rows: tuple[int, ...]
    tried: int
    seeds: int
    seed: int
    learner: TreeLearner
    widths: tuple[int, ...]
    low_precision: bool

    def finetuning(self, rows: int, length: float) -> Finetuning:
        """How the networks are fine-tuned on one number of rows."""
        return Finetuning(
            settings=SWEEP[: self.tried],
            seeds=self.seeds,
            rows=rows,
            length=length,
            widths=self.widths,
            low_precision=self.low_precision,
        )


def few_shot(
    engine: Engine,
    test: TaskData,
    on_test: Sequence[Mapping[str, Array]],
    how: FewRows,
    *,
    full_epochs: int,
    encoder: Encoder | None = None,
) -> FewShot:
    """Train targets on few rows, and score them on the test rows, on which nothing is chosen.

    Args:
        engine: Of a run whose architecture has the encoder among its starts; its executor and folder are
            used.
        test: The opened test rows, N of them.
        on_test: For each task, contender → ``[S, N, ...]`` predictions after training on all rows.
        how: Numbers of rows, seeds, widths, trees.
        full_epochs: Epochs of a full joint run; where the engine's has fewer, so have these trainings.
        encoder: Of the run; the built-in MLP unless given.
    """
    train = engine.development.train
    targets, sizes = largest_targets(train), sorted(set(how.rows))
    folder = RunFolder(engine.folder.path("population/few-shot"))
    folder.write_json("engine.json", engine.folder.read_json("engine.json"))
    trainings, examples, seconds = 0, 0, 0.0
    found: dict[tuple[int, int], Array] = {}  # place of the rows, target → [C, S, n, ...]
    for at, t in enumerate(targets):
        watch = _watch(engine, f"few rows, target {at + 1} of {len(targets)}")
        target, own_test = of_target(engine.development, t), only_target(test, t)
        places = test.labels(t)[0]
        found[len(sizes), t] = np.stack([on_test[t][c][:, places] for c in ALL_ROWS])
        for r, rows in enumerate(sizes):
            if rows not in usable(train, t, sizes):
                continue
            finetuning = how.finetuning(rows, engine.recipe.epochs / full_epochs)
            tuned = finetune(
                folder,
                target,
                engine.architecture.starts,
                how=finetuning,
                encoder=encoder,
                watch=watch,
                stage=f"few-shot-{t}-{rows}",
            )
            trainings += tuned.trainings
            examples += int(tuned.examples.sum())
            seconds += float(tuned.seconds.sum())
            trees = trees_predictions(how.learner, target, own_test, finetuning)
            found[r, t] = np.stack([*tuned.predict(own_test.inputs), trees])
    kept = sorted({r for r, _ in found})
    whole = round(np.mean([len(train.labels(t)[0]) for t in targets]))
    rng = np.random.default_rng(how.seed)
    draws = [draw_rows(rng, len(test)) for _ in range(REPLICATES)]
    redrawn = [mean_over_targets(_scores(found, test, targets, count)).mean(-1) for count in draws]
    return FewShot(
        tasks=tuple(train.tasks[t].name for t in targets),
        rows=tuple((*sizes, whole)[r] for r in kept),
        scores=_scores(found, test, targets, np.ones(len(test), dtype=np.intp))[kept],
        redrawn=np.stack(redrawn)[:, kept],
        trainings=trainings,
        examples=examples,
        joint_runs=examples / (full_epochs * engine.examples_in_epoch),
        seconds=seconds,
    )


def few_shot_cost(
    train: TaskData, few_rows: Sequence[int], recipe: Recipe, fold_rows: int
) -> float:
    """Joint runs that both starts take at most for one candidate or seed, on every target and few rows."""
    examples = sum(
        rows * recipe_for(rows, seed=0).epochs
        for t in largest_targets(train)
        for rows in usable(train, t, sorted(set(few_rows)))
    )
    return 2 * examples / (fold_rows * recipe.epochs)


def largest_targets(train: TaskData) -> list[int]:
    """The targets with the most training labels, at most ``MOST_TARGETS``, in the table's order."""
    sizes = train.mask.sum(dim=0).tolist()
    order = sorted(range(len(sizes)), key=lambda t: -sizes[t])
    return sorted(order[:MOST_TARGETS])


def usable(train: TaskData, target: int, sizes: Sequence[int]) -> list[int]:
    """The numbers of rows that show every class of a target and are not all it has."""
    classes = len(train.tasks[target].classes)
    return [rows for rows in sizes if max(2, classes) <= rows < int(train.mask[:, target].sum())]


def trees_predictions(
    learner: TreeLearner, target: Development, test: TaskData, how: Finetuning
) -> Array:
    """``[S, n, ...]`` predictions of trees, tuned on validation from seed 0 as the networks are."""
    task = target.tasks[0]
    models = fit_task(
        learner,
        lambda seed: tree_data(with_rows(target, how.rows, seed), 0),
        candidates=len(how.settings),
        seeds=how.seeds,
    )
    return np.stack([learner.predict(task, model, test.columns) for model in models])


def _watch(engine: Engine, stage: str) -> Watch:
    def watch(news: Update) -> None:
        engine.watch(replace(news, stage=stage))

    return watch


def _scores(
    found: Mapping[tuple[int, int], Array],
    test: TaskData,
    targets: Sequence[int],
    count: NDArray[np.intp],
) -> Array:
    """``[R, T, C, S]`` scores of predictions when each of ``[N]`` test rows is there so often."""
    rows = 1 + max(r for r, _ in found)
    scores = np.full((rows, len(targets), *next(iter(found.values())).shape[:2]), np.nan)
    for (r, t), predicted in found.items():
        places, labels = test.labels(t)
        drawn = np.repeat(np.arange(len(places)), count[places])
        scores[r, targets.index(t)] = [
            [score(test.tasks[t], one[drawn], labels[drawn]) for one in own] for own in predicted
        ]
    return scores
