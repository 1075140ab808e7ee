"""Groups from measurements with errors: a cautious affinity, and how stable the groups are.

Letters: T tasks, D draws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cotrain.errors import InputError
from cotrain.figures.heatmap import shares_figure
from cotrain.figures.style import Figure
from cotrain.figures.text import shorten
from cotrain.grouping.groups import Grouping
from cotrain.grouping.objective import Matrix, own_order, profiles
from cotrain.measure.measurement import Measurement
from cotrain.measure.transference.affinity import Affinity

_SHOWN = 5  # pairs that a print names


def robust(affinity: Affinity, *, z: float = 1.0) -> Matrix:
    """``[T, T]`` lower confidence bounds: ``mean − z · standard_error``. Help has to be sure to count.

    Where the error is not known the mean stands; unmeasured pairs stay NaN, which counts as no help.

    >>> from cotrain.measure.transference.affinity import Affinity
    >>> samples = np.array([[[9, 1], [3, 9]], [[9, 3], [4, 9]]], dtype=np.float32)
    >>> robust(Affinity.from_samples(["a", "b"], samples, samples, method="lookahead"))
    array([[nan,  1.],
           [ 3., nan]])
    """
    if not z >= 0:
        raise InputError(f"z must not be negative, found {z}")
    error = np.where(np.isfinite(affinity.standard_error), affinity.standard_error, 0.0)
    return np.asarray(affinity.mean - z * error)


@dataclass(frozen=True, kw_only=True)
class Stability(Measurement):
    """How often tasks stay together when the affinities are drawn anew within their errors.

    Args:
        tasks: T names.
        together: ``[T, T]`` share of the draws in which two tasks are in one group; diagonal NaN.
        same_server: ``[T, T]`` share in which one group serves both; diagonal NaN.
        objective: ``[D]`` objective of each draw's groups on that draw's affinities: optimistic.
        draws: D.
    """

    title = "Stability of the groups"
    about = (
        "How often two tasks share a group when the affinities are drawn anew within their standard "
        "errors: 1 is always. Tasks that stay together are neighbours."
    )

    together: Matrix
    same_server: Matrix
    objective: Matrix
    draws: int

    def __str__(self) -> str:
        """How decided the matrix is, and the pairs that are least."""
        pairs = np.argwhere(np.triu(np.isfinite(self.together), 1))
        share = self.together[pairs[:, 0], pairs[:, 1]]
        if not len(share):
            return f"{len(self.tasks)} task, {self.draws} draws"
        order = np.argsort(np.abs(share - 0.5), kind="stable")[:_SHOWN]
        decided = float(np.mean((share <= 0.1) | (share >= 0.9)))
        head = f"{len(self.tasks)} tasks, {self.draws} draws: "
        head += f"{decided:.0%} of pairs decided (≤ 10 % or ≥ 90 %); least decided:"
        return "\n".join([head, *(self._line(*pairs[at].tolist()) for at in order)])

    def _line(self, a: int, b: int) -> str:
        names = " with ".join(shorten(self.tasks[t], 40) for t in (a, b))
        return f"  {names}: {self.together[a, b]:.0%}"

    def figure(self) -> Figure:
        """Heatmap, tasks that stay together next to each other."""
        return shares_figure(self.tasks, self.together)


def stability(
    affinity: Affinity, solve: Callable[[Matrix], Grouping], *, draws: int = 100, seed: int = 0
) -> Stability:
    """Group ``draws`` matrices drawn from normal distributions with the measured errors.

    Args:
        affinity: With standard errors; a cell of unknown error is not varied.
        solve: From a matrix to groups, for example ``lambda z: group_tasks(z, max_groups=3)``.
        draws: How many.
        seed: Of the draws. They follow the tasks: permuted tasks get permuted draws.

    >>> from cotrain.grouping import group_tasks
    >>> from cotrain.measure.transference.affinity import Affinity
    >>> samples = np.array([[[9, 1], [3, 9]], [[9, 3], [4, 9]]], dtype=np.float32)
    >>> affinity = Affinity.from_samples(["a", "b"], samples, samples, method="lookahead")
    >>> print(stability(affinity, lambda z: group_tasks(z, max_groups=2)))
    2 tasks, 100 draws: 100% of pairs decided (≤ 10 % or ≥ 90 %); least decided:
      a with b: 100%
    """
    if draws < 1:
        raise InputError(f"draws must be at least 1, found {draws}")
    rng = np.random.default_rng(seed)
    error = np.where(np.isfinite(affinity.standard_error), affinity.standard_error, 0.0)
    place = np.argsort(own_order(profiles(affinity.mean, error)))
    noise = rng.normal(size=(draws, *error.shape))[:, place[:, None], place]
    matrices = affinity.mean + error * noise
    answers = [solve(matrix) for matrix in matrices]
    own = np.eye(len(affinity.tasks), dtype=bool)
    return Stability(
        tasks=affinity.tasks,
        together=np.where(own, np.nan, np.mean([_sharing(a) for a in answers], axis=0)),
        same_server=np.where(own, np.nan, np.mean([_served(a) for a in answers], axis=0)),
        objective=np.array([answer.objective for answer in answers]),
        draws=draws,
    )


def _sharing(grouping: Grouping) -> Matrix:
    member = np.zeros((len(grouping.groups), len(grouping.server)))
    for g, group in enumerate(grouping.groups):
        member[g, list(group)] = 1.0
    return np.minimum(member.T @ member, 1.0)


def _served(grouping: Grouping) -> Matrix:
    return np.equal.outer(grouping.server, grouping.server).astype(np.float64)
