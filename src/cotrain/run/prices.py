"""What predicting costs: networks, parameters and time of what ships and of every contender."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from cotrain.contenders.base import Contender, ModelContender, NetworkContender
from cotrain.data.dataset import TaskData
from cotrain.results import Price
from cotrain.run.bootstrap import SHIPPED
from cotrain.run.contest import Contest
from cotrain.run.mixture import Mixture

ROWS = 1000  # that are predicted to take the time


def prices(contest: Contest, mixture: Mixture, data: TaskData) -> dict[str, Price]:
    """Contender, or ``shipped`` → what it takes to predict all its tasks.

    Args:
        contest: With all that was trained.
        mixture: What ships.
        data: Rows to take the time with.
    """
    rows = data.rows(np.arange(ROWS) % len(data))
    tasks = range(len(mixture.tasks))
    alone = {
        own.name: price(contest, {t: (own,) for t in tasks if contest.answers(own, t)}, rows)
        for own in contest.contenders
    }
    by_name = {own.name: own for own in contest.contenders}
    shipped = {t: tuple(by_name[name] for name in mixture.weights[t]) for t in tasks}
    return alone | {SHIPPED: price(contest, shipped, rows)}


def price(contest: Contest, served: Mapping[int, Sequence[Contender]], rows: TaskData) -> Price:
    """The price of predicting some tasks, each by some contenders."""
    pairs = [(t, own) for t, contenders in served.items() for own in contenders]
    networks = [contest.shares(own, t) > 0 for t, own in pairs if isinstance(own, NetworkContender)]
    models = [(t, own) for t, own in pairs if isinstance(own, ModelContender)]
    used = sum(networks, torch.zeros(len(contest.trained.members), dtype=torch.bool))
    members = contest.trained.take(used.nonzero().flatten().tolist())

    def predict() -> None:
        if members.members:
            contest.engine.predict(members, rows.inputs)
        for t, own in models:
            for model in contest.models[own.label][t]:
                own.predict(rows.tasks[t], model, rows)

    one = next(iter(contest.trained.models.values()))
    fitted = sum(len(contest.models[own.label][t]) for t, own in models)
    return Price(
        models=len(members.members) + fitted,
        networks=len(members.members),
        parameters=len(members.members) * sum(tensor.numel() for tensor in one.values()),
        milliseconds=1e3 * _seconds(predict),
    )


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
