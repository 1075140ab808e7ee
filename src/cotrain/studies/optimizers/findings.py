"""Verdicts on the findings of Elich et al. (2023) from the study's scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cotrain.engine.optimizers import SGD, Adam
from cotrain.figures.text import percent
from cotrain.results import Interval
from cotrain.stats import student_interval
from cotrain.studies.findings import Finding, Verdict, level
from cotrain.studies.optimizers import estimates as numbers
from cotrain.studies.optimizers.estimates import pareto_optimal
from cotrain.studies.optimizers.scores import OptimizerScores

ADAPTIVE, PLAIN = Adam.__name__, SGD.__name__
COSINE, CONFLICT, MAGNITUDE = range(3)


def findings(study: OptimizerScores) -> tuple[Finding, ...]:
    """The published findings that the study has numbers for, with their verdicts."""
    found = []
    if {ADAPTIVE, PLAIN} <= set(study.rules):
        found.append(_adam(study))
    if looked_at(study).any():  # tasks of domains share no sample
        found += [_direction(study), _magnitude(study)]
    if study.image_sets:
        found.append(_robustness(study))
    return tuple(found)


def written(found: Interval, unit: str = "") -> str:
    """A difference and its interval with two digits.

    >>> written(Interval(value=-2.04, low=-3.0, high=-1.0), " %")
    '-2.04 % [-3.00, -1.00]'
    """
    return level(found, 2, sign="+", unit=unit)


def rivals(study: OptimizerScores) -> tuple[int, int]:
    """Places of Adam and of SGD, whatever they are called; of several the first."""
    return study.rules.index(ADAPTIVE), study.rules.index(PLAIN)


def advantage(study: OptimizerScores) -> Interval:
    """Δm of Adam less that of SGD, mean over the methods."""
    delta = study.losses.mean(axis=(2, 4))  # [D, O, S]
    first, second = (delta[:, o] for o in rivals(study))
    return numbers.estimate(first - second)


def _alone(study: OptimizerScores) -> Interval:
    """Adam less SGD where each task is trained alone: what of it has nothing to do with many tasks."""
    delta = study.alone_losses.mean(axis=-1)
    first, second = (delta[:, study.lone.index(o)] for o in rivals(study))
    return numbers.estimate(first - second)


def duel(study: OptimizerScores) -> tuple[tuple[int, int], tuple[int, int]]:
    """Pareto-optimal runs of Adam and of SGD among those of the two: tuned on test, all on validation."""
    pair = list(rivals(study))
    first, second = numbers.fronts(study.losses[:1, pair].mean(axis=3))[0]
    runs = study.valid_losses[pair].reshape(-1, len(study.tasks))
    every = pareto_optimal(runs).reshape(2, -1).sum(axis=1)
    return (int(first), int(second)), (int(every[0]), int(every[1]))


def looked_at(study: OptimizerScores) -> NDArray[np.bool_]:
    """``[O]``: optimizers under which gradients could be compared in every run."""
    return np.asarray(np.isfinite(study.gradients).all(axis=(1, 2, 3)))


def apart(study: OptimizerScores, what: int) -> Interval:
    """Between tasks less between samples, mean over optimizers, with its interval over seeds.

    It holds for these optimizers: runs of one are alike, so optimizers are no further runs to count.
    """
    gradients = study.gradients[looked_at(study)].mean(axis=0)  # [S, 2, 3]
    return student_interval(gradients[:, 0, what] - gradients[:, 1, what])


def _adam(study: OptimizerScores) -> Finding:
    gain = advantage(study)
    delta = study.losses[0].mean(axis=(2, 3))
    rows = rivals(study)
    better = int((delta[rows[0]] < delta[rows[1]]).sum())
    tuned, every = duel(study)
    return Finding(
        claim="Adam beats SGD with momentum in multi-task learning",
        verdict=Verdict.below_zero(gain),
        evidence=(
            f"Δm of Adam less that of SGD, mean over the methods: {written(gain, ' %')}; Adam is better "
            f"with {better} of {len(study.methods)} methods; Pareto-optimal among the two, Adam against "
            f"SGD: {tuned[0]}-{tuned[1]} of the tuned runs on test, {every[0]}-{every[1]} of the runs at "
            f"all rates on validation. Of each task alone: {written(_alone(study), ' %')}"
        ),
    )


def _direction(study: OptimizerScores) -> Finding:
    difference = apart(study, CONFLICT)
    tasks, samples = study.gradients[looked_at(study), ..., CONFLICT].mean(axis=(0, 1))
    return Finding(
        claim="gradients of two tasks conflict no more than those of two samples of a task",
        verdict=Verdict.of(difference.high <= 0, difference.low > 0),
        evidence=(
            f"on one sample two tasks conflict in {percent(tasks)}, two samples of a task in "
            f"{percent(samples)} of the cases looked at: {written(difference)} over seeds, for these "
            f"optimizers; mean cosines differ by {written(apart(study, COSINE))}"
        ),
    )


def _magnitude(study: OptimizerScores) -> Finding:
    difference = apart(study, MAGNITUDE)
    tasks, samples = study.gradients[looked_at(study), ..., MAGNITUDE].mean(axis=(0, 1))
    return Finding(
        claim="the sizes of gradients differ more between tasks than between samples of a task",
        verdict=Verdict.below_zero(difference),
        evidence=(
            f"magnitude similarity (1 for equal lengths) is {tasks:.2f} between tasks and {samples:.2f} "
            f"between samples: {written(difference)} over seeds, for these optimizers"
        ),
    )


def _robustness(study: OptimizerScores) -> Finding:
    losses = study.corrupted_losses.mean(axis=-1)
    clean, harmed = losses[..., 0], losses[..., 1:].mean(axis=2)
    gain = numbers.estimate(harmed)
    return Finding(
        claim="features learned together stand image corruptions better than those learned alone",
        verdict=Verdict.below_zero(gain),
        evidence=(
            f"refitted heads on features of uniform weights with {study.steady} against those of each task "
            f"alone: Δm {written(gain, ' %')} over all corruptions and severities, "
            f"{written(numbers.estimate(clean), ' %')} on clean images, "
            f"{written(numbers.estimate(harmed - clean), ' %')} beyond that"
        ),
    )
