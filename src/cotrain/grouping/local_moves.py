"""Local search on the published objective, with all constraints: relocations, flips, and restarts nearby.

A partition is improved by moving one unit at a time; if overlap is allowed, units are then added to and
removed from groups. Then some units are taken out, put back where they do best, and the groups improved
again, and the best answer is kept (iterated local search). Letters: T tasks, k groups, U units.
"""

from __future__ import annotations

import numpy as np

from cotrain.grouping.local_state import Problem
from cotrain.grouping.objective import Matrix
from cotrain.measure.gains.sets import Numbers, Sets

LEAST = 1e-9  # relative improvement that counts


def improved(problem: Problem, groups: Sets) -> Sets:
    """``[k, T]`` groups that cover all tasks, improved until no single move helps."""
    if problem.constraints.partition:
        return relocated(problem, groups)
    return flipped(problem, groups)


def value(problem: Problem, groups: Sets) -> float:
    """Sum over tasks of the score in the best group."""
    return float(_scores(problem, groups).max(axis=0).sum())


def relocated(problem: Problem, groups: Sets) -> Sets:
    """Move one unit at a time to another group of a partition ``[k, T]``."""
    groups, nothing = groups.copy(), np.zeros(groups.shape[1])
    never = np.full(groups.shape[1], -np.inf)
    gain = np.array([problem.flips(group, never, nothing) for group in groups])
    first = np.unique(problem.label, return_index=True)[1]
    units = np.arange(len(first))
    least = _least(problem, groups)
    while True:
        home = groups[:, first].argmax(axis=0)
        move = gain + gain[home, units]
        move[home, units] = -np.inf
        to, unit = divmod(int(move.argmax()), len(units))
        if not move[to, unit] > least:
            return groups
        for g in (home[unit], to):
            groups[g] ^= problem.label == unit
        for g in (home[unit], to):
            gain[g] = problem.flips(groups[g], never, nothing)


def flipped(problem: Problem, groups: Sets) -> Sets:
    """Add or remove one unit at a time, group by group, until no group can be improved."""
    groups = groups.copy()
    scores, least = _scores(problem, groups), _least(problem, groups)
    g, idle = 0, 0
    while idle < len(groups):
        floor = np.delete(scores, g, axis=0).max(axis=0, initial=-np.inf)
        idle += 1
        while True:
            gain = problem.flips(groups[g], floor, floor)
            unit = int(gain.argmax())
            if not gain[unit] > least:
                break
            groups[g] ^= problem.label == unit
            scores[g] = problem.scores(groups[g])
            idle = 1
        g = (g + 1) % len(groups)
    return groups


def placed(problem: Problem, groups: Sets, units: Numbers) -> Sets | None:
    """With each of some units put, in turn, into the group where it does best; None if one fits nowhere."""
    groups = groups.copy()
    never, nothing = np.full(groups.shape[1], -np.inf), np.zeros(groups.shape[1])
    gain = np.array([problem.flips(group, never, nothing) for group in groups])
    for unit in units:
        g = int(gain[:, unit].argmax())
        if gain[g, unit] == -np.inf:
            return None
        groups[g] |= problem.label == unit
        gain[g] = problem.flips(groups[g], never, nothing)
    return groups


def shaken(problem: Problem, groups: Sets, rng: np.random.Generator, share: float) -> Sets | None:
    """With a random share of the units taken out of all groups and placed again."""
    units = rng.permutation(len(problem.size))[: max(2, round(share * len(problem.size)))]
    return placed(problem, groups & ~np.isin(problem.label, units), units)


def iterated(problem: Problem, groups: Sets, restarts: int, seed: int) -> Sets:
    """The best groups after shaking and improving the best so far again and again."""
    rng = np.random.default_rng(seed)
    best, most = groups, value(problem, groups)
    for _ in range(restarts):
        start = shaken(problem, best, rng, float(rng.choice([0.02, 0.05, 0.1, 0.2, 0.4])))
        if start is None:
            continue
        found = improved(problem, relocated(problem, start) if _is_partition(start) else start)
        total = value(problem, found)
        if total > most + LEAST * abs(most):
            best, most = found, total
    return best


def _is_partition(groups: Sets) -> bool:
    return bool((groups.sum(axis=0) == 1).all())


def _scores(problem: Problem, groups: Sets) -> Matrix:
    return np.array([problem.scores(group) for group in groups])


def _least(problem: Problem, groups: Sets) -> float:
    return LEAST * max(1.0, abs(value(problem, groups)))
