"""From a budget in joint runs to how many candidates each contender tries and how long members train."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from cotrain.engine.batches import batch_count
from cotrain.engine.recipe import Recipe, shortened
from cotrain.errors import InputError
from cotrain.measure.schedule import comparing_cost, looking_cost, probe_interval, probe_rows
from cotrain.run.settings import LOOKING_ON, MOST_SAMPLED, SAMPLED_SEEDS, Instrument, Settings

FEWEST_EPOCHS = 5
FEWEST_ALONE = 3  # tasks trained alone, where not all are: fewer are no evidence


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """What the budget pays for.

    Args:
        budget: Total compute of the networks, in joint runs.
        candidates: Settings tried by a contender (and for each task's trees).
        alone: Tasks that are trained alone.
        recipe: The recipe, its epochs cut if the budget demands it.
        full_epochs: Epochs of one full joint run, the unit of the budget.
    """

    budget: float
    candidates: int
    alone: int
    recipe: Recipe
    full_epochs: int


def measuring_cost(
    tasks: int, settings: Settings, recipe: Recipe, rows: int, fold_rows: int, longest: float
) -> float:
    """Runs of the recipe that the instruments may take: the joint run, its probes, sampled sets.

    Args:
        tasks: T.
        settings: Which instruments, how often they look, how many task sets are sampled.
        recipe: As trained: short runs are probed more often.
        rows: Training rows of the joint run that is looked at.
        fold_rows: Training rows of a fold's model, whose joint run is the unit.
        longest: Share of the epochs that the longest setting takes, which sampled sets may have.
    """
    steps = batch_count(rows, recipe.batch_size)
    in_step = rows // steps
    every = probe_interval(settings.probe_every, recipe.epochs * steps)
    probing = looking_cost(tasks, min(probe_rows(tasks), in_step))
    wanted = settings.measures(tasks)
    if Instrument.GRADIENTS in wanted:
        probing += comparing_cost()
    share = steps * in_step / _examples(fold_rows, recipe)
    cost = (1 + probing / (every * in_step)) * share if wanted & {*LOOKING_ON} else 0.0
    if Instrument.SAMPLED in wanted:
        cost += SAMPLED_SEEDS * settings.task_sets(tasks) * longest
    return math.ceil(cost)


def _examples(rows: int, recipe: Recipe) -> int:
    """In an epoch."""
    steps = batch_count(rows, recipe.batch_size)
    return steps * (rows // steps)


def default_budget(tasks: int, full: float) -> float:
    """Joint runs that a run may take unless told: the full protocol; for more than 40 tasks fewer.

    Networks of single tasks are evidence, and of hundreds of tasks a few are evidence enough.

    >>> [round(default_budget(tasks, 1e9)) for tasks in (100, 617)], default_budget(12, 116.0)
    ([100, 60], 116.0)
    """
    return min(full, 100 * (100 / tasks) ** 0.28) if tasks > MOST_SAMPLED else full


def allot(
    budget: float | None,
    *,
    tasks: int,
    fewest_alone: int,
    candidates: int,
    seeds: int,
    price: Callable[[int, int], float],
    measuring: Callable[[Recipe, int], float],
    recipe: Recipe,
) -> Allowance:
    """Spend the budget: fewer tasks alone first, then fewer candidates, then shorter trainings.

    Args:
        budget: In joint runs; None grants the default.
        tasks: T.
        fewest_alone: Tasks that must be trained alone.
        candidates: Settings each contender would like to try.
        seeds: Seeds each contender is trained from.
        price: Settings tried and tasks trained alone → joint runs at most of all contenders together.
        measuring: Recipe and settings tried → runs of the recipe that measuring takes.
        recipe: The full recipe.

    Raises:
        InputError: If the budget is too small for one setting in the shortest training.
    """

    def total(tried: int, alone: int, recipe: Recipe) -> float:
        return price(tried, alone) + measuring(recipe, tried)

    full = total(candidates, tasks, recipe)
    granted = default_budget(tasks, full) if budget is None else budget
    if not granted > 0:
        raise InputError(f"--budget {granted:g}: give a number of joint runs above 0")
    choices = [(candidates, alone) for alone in range(tasks, fewest_alone, -1)]
    choices += [(tried, fewest_alone) for tried in range(candidates, 0, -1)]
    for tried, alone in choices:
        if total(tried, alone, recipe) <= granted:
            return Allowance(
                budget=granted,
                candidates=tried,
                alone=alone,
                recipe=recipe,
                full_epochs=recipe.epochs,
            )
    shorter = {epochs: shortened(recipe, epochs) for epochs in range(FEWEST_EPOCHS, recipe.epochs)}
    shares = {
        epochs: total(1, fewest_alone, short) * epochs / recipe.epochs
        for epochs, short in shorter.items()
    }
    paid = [epochs for epochs, cost in shares.items() if cost <= granted]
    if not paid:
        least = math.ceil(min([*shares.values(), total(1, fewest_alone, recipe)]))
        raise InputError(
            f"--budget {granted:g} is too small for {tasks} tasks and {seeds} seeds: "
            f"the least is {least} joint run{'s' * (least > 1)}, "
            f"the full protocol takes {full:.0f}"
        )
    return Allowance(
        budget=granted,
        candidates=1,
        alone=fewest_alone,
        recipe=shorter[paid[-1]],
        full_epochs=recipe.epochs,
    )
