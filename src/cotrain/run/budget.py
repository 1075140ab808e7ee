"""From a budget in joint runs to how many candidates each contender tries and how long members train."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from cotrain.engine.batches import batch_count
from cotrain.engine.recipe import Recipe, shortened
from cotrain.errors import InputError
from cotrain.measure.schedule import comparing_cost, looking_cost, probe_interval, probe_rows
from cotrain.run.settings import LOOKING_ON, SAMPLED_SEEDS, Instrument, Settings

FEWEST_EPOCHS = 5


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
    wanted = settings.measures(tasks)
    if Instrument.GRADIENTS in wanted:
        probing += comparing_cost()
    cost = 1 + probing / (every * in_step) if wanted & {*LOOKING_ON} else 0.0
    if Instrument.SAMPLED in wanted:
        cost += SAMPLED_SEEDS * settings.task_sets(tasks)
    return math.ceil(cost)


def full_cost(vectors: float, candidates: int, seeds: int, measuring: float) -> float:
    """Joint runs at most for ``vectors`` weight vectors, each tuned and trained from all seeds.

    The tuning run of the best candidate is seed 0 of the final ones.

    >>> full_cost(16, 3, 5, 3)
    115
    """
    return vectors * (candidates + seeds - 1) + measuring


def allot(
    budget: float | None,
    *,
    tasks: int,
    candidates: int,
    seeds: int,
    price: Callable[[int], float],
    measuring: Callable[[Recipe], float],
    recipe: Recipe,
) -> Allowance:
    """Spend the budget evenly: fewer candidates first, then shorter trainings; never fewer seeds.

    Args:
        budget: In joint runs; None grants what all candidates and seeds need.
        tasks: T.
        candidates: Settings each contender would like to try.
        seeds: Seeds each contender is trained from.
        price: Settings tried → joint runs at most of all contenders together.
        measuring: Runs of a recipe that measuring takes.
        recipe: The full recipe.

    Raises:
        InputError: If the budget is too small for one setting in the shortest training.
    """
    costs = {tried: price(tried) + measuring(recipe) for tried in range(candidates, 0, -1)}
    granted = costs[candidates] if budget is None else budget
    if not granted > 0:
        raise InputError(f"--budget {granted:g}: give a number of joint runs above 0")
    affordable = [tried for tried, cost in costs.items() if cost <= granted]
    if affordable:
        return Allowance(
            budget=granted, candidates=affordable[0], recipe=recipe, full_epochs=recipe.epochs
        )
    shorter = {epochs: shortened(recipe, epochs) for epochs in range(FEWEST_EPOCHS, recipe.epochs)}
    shares = {
        epochs: (price(1) + measuring(short)) * epochs / recipe.epochs
        for epochs, short in shorter.items()
    }
    paid = [epochs for epochs, cost in shares.items() if cost <= granted]
    if not paid:
        least = math.ceil(min([*shares.values(), costs[1]]))
        raise InputError(
            f"--budget {granted:g} is too small for {tasks} tasks and {seeds} seeds: "
            f"the least is {least} joint run{'s' * (least > 1)}, "
            f"the full protocol takes {costs[candidates]:.0f}"
        )
    return Allowance(
        budget=granted, candidates=1, recipe=shorter[paid[-1]], full_epochs=recipe.epochs
    )
