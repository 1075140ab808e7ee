"""Four rankers that score sources by a short joint run with the target; a linear probe needs none.

A ranker measures and gives every source a score: higher is better, and 0 or less means that the source is
not expected to help. What measuring takes is part of the answer, in training examples.
Letters: S sources, T = S + 1 tasks (the target last), N rows of the target, C and K outputs, M sets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeAlias

import numpy as np

from cotrain.arrays import Array
from cotrain.data.dataset import Development, TaskData
from cotrain.engine.directions import join
from cotrain.engine.member import Member
from cotrain.engine.tuning import UNTUNED
from cotrain.folder import RunFolder
from cotrain.measure.gains.gains import Gains
from cotrain.measure.gains.sets import Sets
from cotrain.measure.gains.surrogate import Surrogate
from cotrain.measure.gradients.similarity import compared
from cotrain.measure.schedule import FORWARD
from cotrain.stats import finite_mean
from cotrain.transfer.rankers.alignment import aligned
from cotrain.transfer.rankers.base import Ranked
from cotrain.transfer.rankers.linear_probe import ByLinearProbe
from cotrain.transfer.rankers.short_run import ShortRun, Snapshot, train_probed
from cotrain.transfer.rows import rows_of

TRIES = 20  # draws of a set that must not be there yet


@dataclass(frozen=True, kw_only=True)
class ByLookahead:
    """Lookahead transference to the target along a short joint run (Fifty et al. 2020, arXiv 2010.15413).

    The relative drop of the target's loss after one step for a source. Departure: the step comes from rows
    of the source, and the target is judged on rows of its own, the same before and after.

    Args:
        run: The run.
        step_size: Of the lookahead.
    """

    run: ShortRun = field(default_factory=ShortRun)
    step_size: float = 0.1

    def __call__(self, folder: RunFolder, joint: Development) -> Ranked:
        """Measure the drops along the run, and score each source by their mean."""
        target, drops, cost = len(joint.tasks) - 1, list[list[float]](), 0.0

        def probe(held: Snapshot) -> None:
            nonlocal cost
            before = held.loss(target)
            moves = [held.gradient(s).scaled(-self.step_size) for s in range(target)]
            drops.append([1 - held.loss(target, move) / before for move in moves])
            cost += sum(held.rows[:-1]) + (target + 1) * FORWARD * held.rows[-1]

        _, trained = train_probed(self.run.engine(folder, joint), joint.train, probe, self.run.seed)
        return Ranked(score=_mean(drops), examples=trained + cost)


@dataclass(frozen=True, kw_only=True)
class ByGradients:
    """Mean cosine of the source's and the target's gradients of the encoder along a short joint run.

    Args:
        run: The run.
    """

    run: ShortRun = field(default_factory=ShortRun)

    def __call__(self, folder: RunFolder, joint: Development) -> Ranked:
        """Measure the cosines along the run, and score each source by their mean."""
        target, cosines, cost = len(joint.tasks) - 1, list[list[float]](), 0.0

        def probe(held: Snapshot) -> None:
            nonlocal cost
            gradients = join([held.gradient(t) for t in range(target + 1)])
            gram = gradients.inner(gradients).double().numpy()
            cosines.append(compared(gram)[-1, :-1, 0].tolist())
            cost += sum(held.rows)

        _, trained = train_probed(self.run.engine(folder, joint), joint.train, probe, self.run.seed)
        return Ranked(score=_mean(cosines), examples=trained + cost)


@dataclass(frozen=True, kw_only=True)
class ByRepresentation:
    """How much of the target's labels a source's head tells on the target's rows after a short joint run.

    Linear centred kernel alignment (Kornblith et al. 2019, arXiv 1905.00414) of the head's predictions with
    the labels (of two binary tasks the squared correlation), times the same for the source's own labels on
    its validation rows: a head that does not know its own task agrees with others by chance. In the spirit
    of LEEP (Nguyen et al. 2020, arXiv 2002.12862), which needs classes and a model of each source. No rows
    in common are needed.

    Args:
        run: The run.
    """

    run: ShortRun = field(default_factory=ShortRun)

    def __call__(self, folder: RunFolder, joint: Development) -> Ranked:
        """Train once, and compare predictions with labels."""
        engine = self.run.engine(folder, joint)
        state, trained = train_probed(engine, joint.train, lambda _: None, self.run.seed)
        target, valid = len(joint.tasks) - 1, joint.valid
        read = partial(engine.executor.outputs, state)
        there = joint.train.rows(joint.train.labels(target)[0])
        told = aligned(there, read(there.inputs), target)
        own = [aligned(valid, read(valid.inputs), s)[s] for s in range(target)]
        return Ranked(
            score=told[:target] * np.array(own),
            examples=trained + FORWARD * (len(there) + len(valid)),
        )


@dataclass(frozen=True, kw_only=True)
class BySampling:
    """Short joint runs of the target with random halves of the sources; a surrogate explains the gains.

    A gain is the drop of the target's validation loss below that of training alone, as a share of it. The
    score of a source is what the surrogate predicts the target to gain with it, less the mean over sources:
    in a joint run company also takes steps from the target, which says nothing about pre-finetuning.

    Args:
        run: Each of the runs.
        sets: Of sources, besides the target alone.
    """

    run: ShortRun = field(default_factory=lambda: ShortRun(epochs=0.25))
    sets: int = 8

    def __call__(self, folder: RunFolder, joint: Development) -> Ranked:
        """Train the sets side by side, and explain the gains."""
        engine, target = self.run.engine(folder, joint), len(joint.tasks) - 1
        order = sorted(range(target), key=joint.train.label_key)
        sets = random_halves(order, self.sets, self.run.seed)
        alone = np.arange(target + 1) == target
        members = [
            Member(
                name=f"sources/{at}",
                weights=tuple(own.astype(float).tolist()),
                seed=self.run.seed,
                learning_rate=UNTUNED.learning_rate,
                dropout=UNTUNED.dropout,
            )
            for at, own in enumerate([*sets, alone])
        ]
        trained = engine.train("sources", members)
        loss = trained.loss[:, target].double().numpy()
        gain = np.full(sets.shape, np.nan)
        gain[:, target] = 1 - loss[:-1] / loss[-1]
        gains = Gains.empty([task.name for task in joint.tasks]).extended(sets, gain)
        epochs, train = trained.epochs_run.tolist(), engine.development.train
        return Ranked(
            score=worth(Surrogate.fit(gains), target),
            examples=engine.examples_in_epoch
            * sum(n * _read(train, m.weights) for n, m in zip(epochs, members, strict=True)),
        )


AnyRanker: TypeAlias = ByLinearProbe | ByLookahead | ByGradients | ByRepresentation | BySampling


def random_halves(order: Sequence[int], sets: int, seed: int) -> Sets:
    """``[M, S + 1]`` a random half of the sources, its complement, another, …, each with the target.

    Args:
        order: The S sources in an order that does not depend on their places.
        sets: M at most: few sources have few halves.
        seed: Of the draws.

    >>> random_halves([0, 1, 2], 2, seed=0).astype(int)
    array([[1, 0, 1, 1],
           [0, 1, 0, 1]])
    """
    rng, sources = np.random.default_rng(seed), len(order)
    found: dict[frozenset[int], None] = {}
    for _ in range(TRIES * sets):
        drawn = rng.permutation(sources)[: -(-sources // 2)].tolist()
        half = frozenset(order[at] for at in drawn)
        for own in (half, frozenset(order) - half):
            if own and len(found) < sets:
                found.setdefault(own)
    result = np.zeros((len(found), sources + 1), dtype=bool)
    for row, chosen in enumerate(found):
        result[row, [*chosen, sources]] = True
    return result


def worth(surrogate: Surrogate, target: int) -> Array:
    """``[S]`` what the target is predicted to gain with a source alone, less the mean over sources."""
    pairs = np.eye(target + 1, dtype=bool)[:target]
    pairs[:, target] = True
    gain = np.nan_to_num(surrogate.mean(pairs)[:, target])
    return np.asarray(gain - gain.mean(), dtype=np.float64)


def _mean(probes: list[list[float]]) -> Array:
    """``[S]`` over the probes; 0 where nothing is known."""
    return np.nan_to_num(finite_mean(np.array(probes)))


def _read(train: TaskData, weights: tuple[float, ...]) -> float:
    """Share of the rows that teach a set something; where tasks are domains, every member reads as many."""
    return 1.0 if train.domains else rows_of(train, np.flatnonzero(weights).tolist()) / len(train)


def own_heads(joint: Development) -> Development:
    """Every task with a head of its own: where domains share one, it tells them not apart."""
    tasks = tuple(replace(task, head="") for task in joint.tasks)
    train, valid = (replace(data, tasks=tasks) for data in (joint.train, joint.valid))
    return replace(joint, train=train, valid=valid)
