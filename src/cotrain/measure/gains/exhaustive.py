"""Every set of tasks trained: the ground truth on the user's own data, for up to 8 tasks.

All 2^T − 1 sets from several seeds are one population. What other instruments predict can be judged by
it; nothing is predicted here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cotrain.engine.objective import Objective
from cotrain.errors import InputError
from cotrain.measure.gains.gains import Gains
from cotrain.measure.gains.sets import every_set

MOST_TASKS = 8


def exhaustive_gains(objective: Objective, tasks: Sequence[str], *, seeds: int) -> Gains:
    """Train every set from every seed.

    Args:
        objective: Trains and scores.
        tasks: T names, at most 8.
        seeds: Seeds of every set; a gain is the mean over seeds of the score in the set minus the score
            alone from the same seed.

    Raises:
        InputError: If there are more than 8 tasks.

    >>> def fake(weights, seeds):
    ...     return np.where(weights > 0, weights.sum(axis=1, keepdims=True), np.nan)
    >>> exhaustive_gains(fake, ["a", "b"], seeds=2).gain
    array([[ 0., nan],
           [nan,  0.],
           [ 1.,  1.]])
    """
    if seeds < 1 or not tasks:
        raise InputError(f"all sets need tasks and seeds, found {len(tasks)} and {seeds}")
    if len(tasks) > MOST_TASKS:
        raise InputError(
            f"all sets of {len(tasks)} tasks are {2 ** len(tasks) - 1:,} trainings a seed: choose at most "
            f"{MOST_TASKS} tasks, or sample sets instead"
        )
    sets = every_set(len(tasks))
    weights = np.repeat(sets, seeds, axis=0).astype(np.float64)
    scores = objective(weights, list(range(seeds)) * len(sets)).reshape(len(sets), seeds, -1)
    alone = np.stack([scores[2**t - 1, :, t] for t in range(len(tasks))], axis=-1)
    gains = scores - alone
    error = (
        gains.std(axis=1, ddof=1) / np.sqrt(seeds)
        if seeds > 1
        else np.full_like(gains[:, 0], np.nan)
    )
    return Gains.empty(tasks).extended(sets, gains.mean(axis=1), error)
