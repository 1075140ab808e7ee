"""From a budget in joint runs to how many candidates each contender tries and how long members train."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from cotrain.engine.batches import batch_count
from cotrain.engine.loss_weighting import LossWeighting
from cotrain.engine.member import Recipe
from cotrain.errors import InputError
from cotrain.measure.schedule import comparing_cost, looking_cost, probe_interval, probe_rows
from cotrain.run.settings import SAMPLED_SEEDS, Instrument, Settings
from cotrain.weighting import PBT, WeightSchedule

FEWEST_EPOCHS = 5


def recipe_for(rows: int, *, seed: int) -> Recipe:
    """Batch size and epochs for a number of training rows: about 1,200 steps, 16 to 100 epochs.

    >>> recipe_for(6400, seed=0).batch_size, recipe_for(6400, seed=0).epochs
    (128, 24)
    >>> recipe_for(100, seed=0).batch_size, recipe_for(100, seed=0).epochs
    (16, 100)
    """
    batch = 16
    while batch < 256 and batch * 64 < rows:
        batch *= 2
    steps = max(1, -(-rows // batch))
    epochs = min(100, max(16, 1200 // steps))
    return Recipe(epochs=epochs, batch_size=batch, patience=max(5, epochs // 3), data_seed=seed)


def shortened(recipe: Recipe, epochs: int) -> Recipe:
    """The recipe with fewer epochs, and as much less patience."""
    return replace(recipe, epochs=epochs, patience=max(3, epochs // 3))


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """What the budget pays for.

    Args:
        budget: Total compute of the networks, in joint runs.
        candidates: Settings tried for each weight vector (and for each task's trees).
        recipe: The recipe, its epochs cut if the budget demands it.
        full_epochs: Epochs of one full joint run, the unit of the budget.
    """

    budget: float
    candidates: int
    recipe: Recipe
    full_epochs: int


def measuring_cost(tasks: int, settings: Settings, recipe: Recipe, rows: int) -> float:
    """Runs of the recipe that the instruments may take: the joint run, its probes, sampled sets.

    Args:
        tasks: T.
        settings: Which instruments, how often they look, how many task sets are sampled.
        recipe: As trained: short runs are probed more often.
        rows: Training rows.
    """
    steps = batch_count(rows, recipe.batch_size)
    in_step = rows // steps
    every = probe_interval(settings.probe_every, recipe.epochs * steps)
    probing = looking_cost(tasks, min(probe_rows(tasks), in_step))
    if settings.measures(Instrument.GRADIENTS):
        probing += comparing_cost()
    cost = 1 + probing / (every * in_step)
    if settings.measures(Instrument.SAMPLED):
        cost += SAMPLED_SEEDS * min(tasks + 1 + settings.trainings, 2**tasks - 1)
    return math.ceil(cost)


def full_cost(vectors: float, candidates: int, seeds: int, measuring: float) -> float:
    """Joint runs at most for ``vectors`` weight vectors, each tuned and trained from all seeds.

    The tuning run of the best candidate is seed 0 of the final ones.

    >>> full_cost(16, 3, 5, 3)
    115
    """
    return vectors * (candidates + seeds - 1) + measuring


def weighing_cost(
    weights: LossWeighting | PBT | WeightSchedule | None, candidates: int, seeds: int
) -> int:
    """Joint runs of the contender whose weights change: tuned as others are, or searched and trained."""
    if weights is None:
        return 0
    return weights.members + seeds if isinstance(weights, PBT) else candidates + seeds - 1


def allot(
    budget: float | None,
    *,
    tasks: int,
    max_groups: int,
    candidates: int,
    seeds: int,
    measuring: Callable[[Recipe], float],
    recipe: Recipe,
    weights: LossWeighting | PBT | WeightSchedule | None = None,
    starts: int = 0,
    curves: float = 0.0,
) -> Allowance:
    """Spend the budget evenly: fewer candidates first, then shorter trainings; never fewer seeds.

    Args:
        budget: In joint runs; None grants what all candidates and seeds need.
        tasks: T; there are at most ``tasks + 1 + max_groups`` weight vectors.
        max_groups: k.
        candidates: Candidates each contender would like to try.
        seeds: Seeds each contender is trained from.
        measuring: Runs of a recipe that measuring takes.
        recipe: The full recipe.
        weights: Of a further contender.
        starts: Further weight vectors, those that start from an encoder.
        curves: Joint runs of the curves over few rows, for every candidate and seed.
    """
    vectors = (tasks + 1 + max_groups if tasks > 1 else 1) + starts

    def cost(tried: int, measured: float) -> float:
        further = weighing_cost(weights, tried, seeds) if tasks > 1 else 0
        return full_cost(vectors + curves, tried, seeds, measured) + further

    measured = measuring(recipe)
    full = cost(candidates, measured)
    granted = full if budget is None else budget
    if not granted > 0:
        raise InputError(f"--budget {granted:g}: give a number of joint runs above 0")
    costs = {c: cost(c, measured) for c in range(candidates, 0, -1)}
    affordable = [c for c, cost in costs.items() if cost <= granted]
    if affordable:
        return Allowance(
            budget=granted, candidates=affordable[0], recipe=recipe, full_epochs=recipe.epochs
        )
    shorter = {epochs: shortened(recipe, epochs) for epochs in range(FEWEST_EPOCHS, recipe.epochs)}
    shares = {
        epochs: cost(1, measuring(short)) * epochs / recipe.epochs
        for epochs, short in shorter.items()
    }
    paid = [epochs for epochs, cost in shares.items() if cost <= granted]
    if not paid:
        least = math.ceil(min([*shares.values(), costs[1]]))
        raise InputError(
            f"--budget {granted:g} is too small for {tasks} tasks and {seeds} seeds: "
            f"the least is {least} joint run{'s' * (least > 1)}, the full protocol takes {full:.0f}"
        )
    return Allowance(
        budget=granted, candidates=1, recipe=shorter[paid[-1]], full_epochs=recipe.epochs
    )
