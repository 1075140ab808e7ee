"""Served blocks: what a set of tasks is worth if one group serves all of it, for every set of few tasks.

In a block S ⊆ g, group g trains and the tasks in S are served by it; the others in g only help. Sets are
numbers with bit t for task t. Letters: T tasks, M candidate groups, k groups.
"""

import numpy as np

from cotrain.grouping.constraints import Constraints
from cotrain.grouping.objective import Matrix
from cotrain.measure.gains.sets import Numbers, Sets, numbered

LEAST = 1e-12  # relative difference that counts


def pairwise_values(affinity: Matrix, alone: Matrix, constraints: Constraints) -> Matrix:
    """``[2^T]`` F(S) = max over g ⊇ S of the sum of the published scores of S in g, in O(2^T T log T).

    With r helpers, F is (Σ_{a,b∈S} Z[a,b] + Σ_{b helps} c_b) / (|S| + r − 1), c_b = Σ_{a∈S} Z[a,b]: the
    best r helpers are those of largest c_b. Holds without ``together`` and ``apart``.
    """
    tasks = len(affinity)
    member, counts = numbered(np.arange(2**tasks), tasks), constraints.counts(tasks)
    help_to = (member * counts) @ affinity
    within = np.where(member, help_to, 0.0).sum(axis=1, keepdims=True)
    helpers = -np.sort(np.where(member, np.inf, -help_to), axis=1)
    if constraints.partition:
        helpers[:] = -np.inf
    totals = within + np.concatenate([np.zeros_like(within), helpers.cumsum(axis=1)], axis=1)
    size = member.sum(axis=1, keepdims=True) + np.arange(tasks + 1)
    if constraints.max_size is not None:
        totals[size > constraints.max_size] = -np.inf
    totals /= np.maximum(size - 1, 1)
    totals[1 << np.arange(tasks), 0] = np.where((counts > 0) | np.isneginf(alone), alone, 0.0)
    totals[0] = 0.0
    return np.asarray(totals.max(axis=1))


def best_helpers(affinity: Matrix, block: Sets, value: float, constraints: Constraints) -> Sets:
    """``[T]`` the smallest group that serves a block ``[T]`` at its value F."""
    counted = block * constraints.counts(len(affinity))
    help_to = counted @ affinity
    order = np.argsort(np.where(block, np.inf, -help_to), kind="stable")
    largest = constraints.max_size or len(block)
    largest = int(block.sum()) if constraints.partition else min(largest, len(block))
    for count in range(largest - int(block.sum()) + 1):
        group = block.copy()
        group[order[:count]] = True
        total = help_to[group].sum() / max(group.sum() - 1, 1)
        if group.sum() > 1 and total >= value - LEAST * max(1.0, abs(value)):
            return group
    return block


def table_values(sets: Sets, scores: Matrix, *, partition: bool = False) -> Matrix:
    """``[2^T]`` F(S) over candidate groups ``[M, T]`` with any scores; -inf where no group can serve S."""
    value = np.full(2 ** sets.shape[1], -np.inf)
    size = sets.sum(axis=1)
    for n in np.unique(size[size > 0]):
        rows = size == n
        members = np.nonzero(sets[rows])[1].reshape(-1, n)
        each = np.take_along_axis(scores[rows], members, axis=1)
        number, total = np.zeros((len(members), 1), dtype=np.intp), np.zeros((len(members), 1))
        for bit, one in zip((1 << members).T[:, :, None], each.T[:, :, None], strict=True):
            served = number + bit, total + one
            number, total = (
                served
                if partition
                else (np.hstack([number, served[0]]), np.hstack([total, served[1]]))
            )
        np.maximum.at(value, number.ravel(), total.ravel())
    value[0] = 0.0
    return value


def best_split(value: Matrix, most: int) -> tuple[list[int], float]:
    """The at most ``most`` disjoint blocks that hold every task and sum to most, and that sum.

    best(k, S) = max over B ⊆ S, B ∋ the first task of S, of F(B) + best(k−1, S∖B). Each k visits 3^T / 2
    pairs; the last one only the subsets of the full set. Of equal sums the one with the fewest blocks.
    """
    full = len(value) - 1
    best, rest = [value], full
    totals = [float(value[full])]
    for k in range(2, min(most, full.bit_length()) + 1):
        if k > 2:
            best.append(_one_more(value, best[-1]))
        totals.append(float(_sums(value, best[-1], np.array([full]))[1].max()))
    enough = max(totals) - LEAST * max(1.0, abs(max(totals)))
    blocks = []
    for level in reversed(best[: next(k for k, total in enumerate(totals) if total >= enough)]):
        subsets, sums = _sums(value, level, np.array([rest]))
        blocks.append(int(subsets[0, sums[0].argmax()]))
        rest -= blocks[-1]
        if not rest:
            break
    return [block for block in [*blocks, rest] if block], max(totals)


def _one_more(value: Matrix, best: Matrix) -> Matrix:
    better = value.copy()
    tasks = len(value).bit_length() - 1
    sizes = numbered(np.arange(2**tasks), tasks).sum(axis=1)
    for n in range(1, tasks + 1):
        sets = np.flatnonzero(sizes == n)
        better[sets] = _sums(value, best, sets)[1].max(axis=1)
    return better


def _sums(value: Matrix, best: Matrix, sets: Numbers) -> tuple[Numbers, Matrix]:
    """``[M, 2^(n-1)]`` subsets with the first task of M sets of size n, and what splitting off gives."""
    tasks = len(value).bit_length() - 1
    bits = 1 << np.nonzero(numbered(sets, tasks))[1].reshape(len(sets), -1)
    subsets = bits[:, :1]
    for bit in bits.T[1:]:
        subsets = np.hstack([subsets, subsets + bit[:, None]])
    return subsets, value[subsets] + best[sets[:, None] - subsets]
