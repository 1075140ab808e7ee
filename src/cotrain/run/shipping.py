"""What may ship: everything that was trained, one contender, or a mixture of few networks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, combinations

import numpy as np

from cotrain.contenders.base import Contender, NetworkContender
from cotrain.errors import InputError, nearest
from cotrain.run.contest import Contest
from cotrain.run.mixture import Mixture, mix
from cotrain.run.settings import BEST, Settings
from cotrain.stats import finite_mean
from cotrain.tasks import listed


def check_shipping(settings: Settings, field: Sequence[Contender]) -> None:
    """Refuse what cannot ship, before anything is trained.

    Raises:
        InputError: If no contender has the name.
    """
    names = [own.name for own in field]
    if settings.ship not in (BEST, *names):
        hint = nearest(settings.ship, [BEST, *names])
        raise InputError(f"there is no contender {settings.ship!r} to ship: {hint}")


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
    """The sets of contenders of which one may ship."""
    if settings.ship != BEST:
        yield (settings.ship,)
        return
    names = tuple(own.name for own in contest.contenders)
    if settings.max_models is None:
        yield names
        return
    networks = contest.networks
    others = tuple(own.name for own in contest.modelled)
    subsets = chain.from_iterable(
        combinations(networks, count) for count in range(len(networks), -1, -1)
    )
    for subset in subsets:
        few = network_count(contest, subset) <= settings.max_models
        if few and (subset or others):
            yield (*(own.name for own in subset), *others)


def network_count(contest: Contest, contenders: Sequence[NetworkContender]) -> int:
    """How many networks some contenders have together."""
    used = [
        contest.shares(own, t) > 0 for own in contenders for t in range(len(contest.context.tasks))
    ]
    return int(np.any([one.numpy() for one in used], axis=0).sum()) if used else 0
