"""When does pre-finetuning pay? A target's score over the number of its training rows.

Letters: R numbers of rows, T targets, C contenders, S seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from cotrain.artifacts import RunFolder
from cotrain.baselines.trees import TreeLearner, tree_data
from cotrain.contenders import START, Setting
from cotrain.data.taskdata import Development, TaskData
from cotrain.figures.series import Series, series_figure
from cotrain.measure.measurement import Measurement
from cotrain.population.engine import Engine
from cotrain.result import Interval
from cotrain.settings import Encoder, Settings
from cotrain.tasks import score
from cotrain.transfer.finetune import SCRATCH, Finetuning, finetune
from cotrain.transfer.targets import of_target, only_target, with_rows

if TYPE_CHECKING:
    from cotrain.figures.style import Figure

Array = NDArray[np.float64]
FEW_SHOT = "few_shot.safetensors"
ROWS = (16, 64, 256)
MOST_TARGETS = 10
CONTENDERS = (SCRATCH, START, "trees")
NAMES = {SCRATCH: "from scratch", START: "pre-finetuned", "trees": "trees"}


@dataclass(frozen=True, kw_only=True)
class FewShot(Measurement):
    """Test scores of networks from scratch, pre-finetuned ones and trees, all trained on few rows.

    Args:
        rows: ``[R]`` training rows of the target, growing; the last number is all rows, and their mean
            number over the targets.
        scores: ``[R, T, C, S]`` test scores, C in the order of ``CONTENDERS``; NaN where a target has too
            few rows.
        trainings: Networks trained for the curves.
        examples: Training rows they processed.
        seconds: What they took.
    """

    title: ClassVar[str] = "Few rows: when does pre-finetuning pay?"
    about: ClassVar[str] = (
        "Mean test score over the targets, each trained alone on so many of its rows: from scratch, from "
        "the pre-finetuned encoder, and by trees. Intervals are over seeds, which draw the rows and "
        "everything random. Settings are tuned, and training is stopped, on all validation rows."
    )

    rows: tuple[int, ...]
    scores: Array
    trainings: int
    examples: int
    seconds: float

    def mean(self, contender: str) -> list[Interval]:
        """``[R]`` mean score over targets, with its interval over seeds."""
        return [over_seeds(own) for own in self._means()[:, CONTENDERS.index(contender)]]

    def gain(self, over: str) -> list[Interval]:
        """``[R]`` what starting from the encoder adds to a contender's mean score."""
        means = self._means()
        difference = means[:, CONTENDERS.index(START)] - means[:, CONTENDERS.index(over)]
        return [over_seeds(own) for own in difference]

    def __str__(self) -> str:
        """A line for every number of rows, and one that answers."""
        lines = [f"{'rows':>8}  {'from scratch':>12}  {'pre-finetuned':>13}  {'trees':>6}  gain"]
        means = {name: self.mean(name) for name in CONTENDERS}
        for at, (rows, gain) in enumerate(zip(self.rows, self.gain(SCRATCH), strict=True)):
            values = [means[name][at].value for name in CONTENDERS]
            lines.append(
                f"{rows:>8,}  {values[0]:>12.3f}  {values[1]:>13.3f}  {values[2]:>6.3f}  "
                f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]"
            )
        return "\n".join([*lines, self.verdict()])

    def verdict(self) -> str:
        """At which numbers of rows pre-finetuning is proven to pay, or to cost."""
        gains = self.gain(SCRATCH)
        said = []
        for word, picked in (
            ("pays", [n for n, g in zip(self.rows, gains, strict=True) if g.low > 0]),
            ("costs", [n for n, g in zip(self.rows, gains, strict=True) if g.high < 0]),
        ):
            if picked:
                said.append(f"{word} at {', '.join(f'{n:,}' for n in picked)} rows")
        found = " and ".join(said) or "makes no proven difference over starting from scratch"
        count = f"{len(self.tasks)} target{'s' * (len(self.tasks) > 1)}"
        return f"Pre-finetuning {found} (mean test score, {count}; intervals over seeds alone)."

    def figure(self) -> Figure:
        """Mean scores over the number of rows."""
        series = [Series(name=NAMES[c], x=self.rows, y=self.mean(c)) for c in CONTENDERS]
        return series_figure(
            series, x_title="training rows", y_title="mean test score", x_logarithmic=True
        )

    def _means(self) -> Array:
        """``[R, C, S]`` means over the targets that have a score from every contender and seed."""
        known = [np.isfinite(own).all(axis=(1, 2)) for own in self.scores]
        return np.array(
            [
                own[at].mean(axis=0) if at.any() else np.full(own.shape[1:], np.nan)
                for own, at in zip(self.scores, known, strict=True)
            ]
        )


def over_seeds(values: Array) -> Interval:
    """Mean of ``[S]`` values with Student's 95 % interval.

    >>> over_seeds(np.array([1.0, 2.0, 3.0]))
    Interval(value=2.0, low=-0.48413771175033..., high=4.48413771175033...)
    """
    mean = float(values.mean())
    half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
    return Interval(value=mean, low=mean - half, high=mean + half)


def few_shot(
    engine: Engine,
    test: TaskData,
    settings: Settings,
    grid: Sequence[Setting],
    encoder: Encoder | None = None,
) -> FewShot:
    """Train targets on few and on all rows, and score them on the test rows, on which nothing is chosen.

    Args:
        engine: Of a run whose architecture has the encoder among its starts; its executor and folder are
            used.
        test: The opened test rows.
        settings: Seeds, widths, trees.
        grid: Settings tried for both starts; of the trees as many.
        encoder: Of the run; the built-in MLP unless given.
    """
    targets = largest_targets(engine.development.train)
    folder = RunFolder(engine.folder.path("population/few-shot"))
    folder.write_json("engine.json", engine.folder.read_json("engine.json"))
    sizes = (*ROWS, None)
    trainings, examples, seconds = 0, 0, 0.0
    scores = np.full((len(sizes), len(targets), len(CONTENDERS), settings.seeds), np.nan)
    for at, t in enumerate(targets):
        target, own_test = of_target(engine.development, t), only_target(test, t)
        for r, rows in enumerate(sizes):
            least = max(2, len(target.tasks[0].classes))
            if rows is not None and not least <= rows < len(target.train):
                continue
            how = Finetuning(
                settings=tuple(grid),
                seeds=settings.seeds,
                rows=rows,
                widths=settings.widths,
                low_precision=settings.low_precision,
            )
            name = f"few-shot-{t}-{rows or 'all'}"
            found = finetune(
                folder,
                target,
                engine.architecture.starts,
                how=how,
                encoder=encoder,
                watch=engine.watch,
                stage=name,
            )
            trainings += found.trainings
            examples += int(found.examples.sum())
            seconds += float(found.seconds.sum())
            scores[r, at, :2] = found.scores(own_test)
            scores[r, at, 2] = trees_scores(settings.trees, target, own_test, how)
    whole = round(np.mean([len(of_target(engine.development, t).train) for t in targets]))
    kept = [r for r in range(len(sizes)) if np.isfinite(scores[r]).any()]
    return FewShot(
        tasks=tuple(engine.development.tasks[t].name for t in targets),
        rows=tuple((*ROWS, whole)[r] for r in kept),
        scores=scores[kept],
        trainings=trainings,
        examples=examples,
        seconds=seconds,
    )


def read_few_shot(folder: RunFolder) -> tuple[FewShot, ...]:
    """The curves of a run that was given an encoder."""
    return (FewShot.load(folder.path(FEW_SHOT)),) if folder.has(FEW_SHOT) else ()


def largest_targets(train: TaskData) -> list[int]:
    """The targets with the most training labels, at most ``MOST_TARGETS``, in the table's order."""
    sizes = train.mask.sum(dim=0).tolist()
    order = sorted(range(len(sizes)), key=lambda t: -sizes[t])
    return sorted(order[:MOST_TARGETS])


def trees_scores(
    learner: TreeLearner, target: Development, test: TaskData, how: Finetuning
) -> Array:
    """``[S]`` test scores of trees, tuned on validation from seed 0 as the networks are."""

    def fitted(seed: int, candidate: dict[str, object]) -> object:
        data = tree_data(with_rows(target, how.rows, seed), 0)
        return learner.fit(data, candidate, seed)

    def quality(model: object, data: TaskData) -> float:
        rows, labels = data.labels(0)
        return score(
            data.tasks[0], learner.predict(data.tasks[0], model, data.columns[rows]), labels
        )

    tried = [(fitted(0, own), own) for own in learner.candidates[: len(how.settings)]]
    first, best = max(tried, key=lambda pair: quality(pair[0], target.valid))
    models = [first, *(fitted(seed, best) for seed in range(1, how.seeds))]
    return np.array([quality(model, test) for model in models])
