"""What may ship: everything that was trained, one contender, or a mixture of few networks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, combinations

import numpy as np

from cotrain.contenders.base import Contender, Context, ModelContender, NetworkContender
from cotrain.errors import InputError, nearest
from cotrain.run.contest import Contest
from cotrain.run.mixture import Mixture, mix
from cotrain.run.settings import BEST, Settings
from cotrain.stats import finite_mean
from cotrain.tasks import Task, listed


def check_shipping(settings: Settings, field: Sequence[Contender], tasks: Sequence[Task]) -> None:
    """Refuse what cannot ship, before anything is trained.

    Raises:
        InputError: If no contender has the name, it cannot answer every task, or so few networks leave
            tasks without an answer.
    """
    names = [own.name for own in field]
    if settings.ship not in (BEST, *names):
        hint = nearest(settings.ship, [BEST, *names])
        raise InputError(f"there is no contender {settings.ship!r} to ship: {hint}")
    if settings.ship != BEST:
        if settings.max_models is not None:
            raise InputError(
                f"max_models is about the best mixture: leave it out, or do not ship {settings.ship!r}"
            )
        own = [
            own for own in field if own.name == settings.ship and isinstance(own, ModelContender)
        ]
        if own and not _models_answer(own, tasks):
            raise InputError(
                f"{settings.ship!r} cannot ship: of {len(tasks)} tasks it answers some only; ship "
                f"{BEST!r}, or networks of several tasks"
            )
        return
    few = settings.max_models is not None and settings.max_models < settings.seeds
    if few and not _models_answer(field, tasks):
        raise InputError(
            f"max_models {settings.max_models} is too few: of {len(tasks)} tasks only some get models "
            f"that are no networks, and one network from each of {settings.seeds} seeds has to answer "
            f"the others; give at least {settings.seeds}, or fewer seeds"
        )


def _models_answer(field: Sequence[Contender], tasks: Sequence[Task]) -> bool:
    """Whether models that are no networks answer every task."""
    everyone = tuple(range(len(tasks)))
    context = Context(tasks=tuple(tasks), drawn=everyone, alone=len(tasks))
    models = [own for own in field if isinstance(own, ModelContender)]
    return {t for own in models for t in own.tasks(context)} == {*everyone}


def what_ships(contest: Contest, settings: Settings) -> Mixture:
    """The best mixture of what may ship, by predictions of rows that the models left out.

    Raises:
        InputError: If the contender that is to ship does not answer every task.
    """
    predictions, labels = contest.out_of_fold()
    tasks = contest.context.tasks
    if settings.ship != BEST:
        lacking = [
            task.name
            for task, own in zip(tasks, predictions, strict=True)
            if settings.ship not in own
        ]
        if lacking:
            raise InputError(
                f"{settings.ship!r} cannot ship: of so many tasks it was trained for some only, not for "
                f"{listed(lacking)}; raise --budget, or ship {BEST!r}"
            )
    found = [
        mix(tasks, predictions, labels, settings.seed, among)
        for among in _choices(contest, settings)
    ]
    return max(found, key=lambda own: round(float(finite_mean(np.array(own.expected))), 9))


def _choices(contest: Contest, settings: Settings) -> Iterator[tuple[str, ...]]:
    """The sets of contenders of which one may ship: those that answer every task."""
    if settings.ship != BEST:
        yield (settings.ship,)
        return
    names = tuple(own.name for own in contest.contenders)
    if settings.max_models is None:
        yield names
        return
    networks = contest.networks
    subsets = chain.from_iterable(
        combinations(networks, count) for count in range(len(networks), -1, -1)
    )
    for subset in subsets:
        few = network_count(contest, subset) <= settings.max_models
        chosen = (*subset, *contest.modelled)
        if few and all(
            any(contest.answers(own, t) for own in chosen)
            for t in range(len(contest.context.tasks))
        ):
            yield tuple(own.name for own in chosen)


def network_count(contest: Contest, contenders: Sequence[NetworkContender]) -> int:
    """How many networks some contenders have together."""
    used = [
        contest.shares(own, t) > 0 for own in contenders for t in range(len(contest.context.tasks))
    ]
    return int(np.any([one.numpy() for one in used], axis=0).sum()) if used else 0
