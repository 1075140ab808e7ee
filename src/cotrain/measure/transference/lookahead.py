"""Lookahead transference (Fifty et al. 2020, arXiv 2010.15413): take one step for a task, see who gains.

Z[j, i] = 1 − L_j(θ − η·g_i) / L_j(θ): the relative drop of recipient j's loss after one step on the
shared parameters along source i's gradient, with the same batch before and after and the heads
unchanged. It is the published formula; the reference code also divides by η, we do not. Higher order: the
source may be a group of tasks, whose gradients add up.

To first order Z[j, i] ≈ −⟨g_j, move_i⟩ / L_j, which is η⟨g_i, g_j⟩ / L_j for a plain step. It needs no
second look at the batch; how far the two agree is part of every result.
Letters: T tasks (recipients), C candidates (sources), S probes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cotrain.errors import InputError
from cotrain.measure.points.point import Point, check_names, checked_losses, refuse_undefined
from cotrain.measure.transference.affinity import Affinity, GroupTransference
from cotrain.measure.transference.steps import PlainStep, Step

Samples = list[NDArray[np.float32]]
Arrays = dict[str, NDArray[Any]]
PLAIN = PlainStep()
NOTICED = 1e-5  # a change of a loss that float32 cannot hide
WORST = 1e3  # a loss that grows more than so many times, or overflows, counts as that


@dataclass(kw_only=True)
class Lookahead:
    """Transference, exact and to first order, from probes along a training run.

    Args:
        tasks: T names, in the order of the losses.
        groups: Further sources: groups of task numbers (higher-order transference).
        step: How the lookahead moves.

    >>> from torch import nn
    >>> from cotrain.measure.points.model_point import ModelPoint
    >>> net = nn.Linear(2, 1, bias=False)  # the shared part of two regression tasks: f(x) and -f(x)
    >>> _ = nn.init.constant_(net.weight, 1.0)
    >>> signs, target = torch.tensor([1.0, -1.0]), torch.tensor([3.0, -3.0])
    >>> def losses():
    ...     return (net(torch.tensor([1.0, 1.0])) * signs - target) ** 2
    >>> lookahead = Lookahead(tasks=["f", "minus f"])
    >>> lookahead.probe(ModelPoint(losses, model=net, shared=net))
    >>> lookahead.affinity().mean.round(2)  # each pulls the other its way: 1 - 0.6 ** 2
    array([[ nan, 0.64],
           [0.64,  nan]])
    """

    tasks: Sequence[str]
    groups: Sequence[Sequence[int]] = ()
    step: Step = PLAIN
    exact: Samples = field(default_factory=list, repr=False)  # S times [T, C]
    first_order: Samples = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        """Refuse names that are not distinct and groups that are none."""
        check_names(self.tasks)
        for group in self.groups:
            numbers = [t for t in group if isinstance(t, int) and 0 <= t < len(self.tasks)]
            if not len(set(numbers)) == len(numbers) == len(group) > 0:
                raise InputError(
                    f"group {tuple(group)!r}: give distinct task numbers from 0 to {len(self.tasks) - 1}"
                )

    def probe(self, point: Point) -> None:
        """Measure at one point of training.

        Raises:
            InputError: If a loss is not finite; names the task and the step.
        """
        losses = checked_losses(point, self.tasks)
        gradients = point.task_gradients()
        sources = self._sources().to(losses.device)
        moves = self.step(point, gradients.mix(sources) if self.groups else gradients)
        known = known_pairs(losses, sources)
        estimate = -gradients.inner(moves) / losses.unsqueeze(1)
        after = point.losses_after(moves).T / losses.unsqueeze(1)
        change = 1 - after.nan_to_num(nan=WORST, posinf=WORST).clamp(max=WORST)
        refuse_undefined(estimate, known, self.tasks, point)
        expected = (estimate * losses.unsqueeze(1))[
            known
        ].abs()  # of a loss near 0 rounding leaves nothing
        if bool((change[known] == 0).all()) and bool((expected > NOTICED).any()):
            raise InputError(
                "the losses do not change when the shared part moves: compute features and losses inside "
                "the function that ModelPoint is given, from the inputs"
            )
        self.first_order.append(_sample(estimate, known))
        self.exact.append(_sample(change, known))

    def affinity(self) -> Affinity:
        """The mean over all probes so far, single tasks as sources."""
        t = len(self.tasks)
        return Affinity.from_samples(
            self.tasks,
            _stacked(self.exact, self.tasks)[:, :, :t],
            _stacked(self.first_order, self.tasks)[:, :, :t],
            method=f"lookahead, {self.step}",
        )

    def group_transference(self) -> GroupTransference:
        """The mean over all probes so far, groups as sources."""
        t = len(self.tasks)
        return GroupTransference.from_samples(
            self.tasks,
            self.groups,
            _stacked(self.exact, self.tasks, t + len(self.groups))[:, :, t:],
            _stacked(self.first_order, self.tasks, t + len(self.groups))[:, :, t:],
            method=f"lookahead, {self.step}",
        )

    def state(self) -> Arrays:
        """Everything measured so far, as plain arrays."""
        width = len(self.tasks) + len(self.groups)
        parts = {"exact": self.exact, "first_order": self.first_order}
        return {name: _stacked(part, self.tasks, width) for name, part in parts.items()}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from where :meth:`state` stood.

        Raises:
            InputError: If the state is that of other tasks or groups.
        """
        if state["exact"].shape[1:] != self.state()["exact"].shape[1:]:
            found = list(state["exact"].shape[1:])
            raise InputError(f"the state is of {found} recipients and sources, not of these tasks")
        self.exact, self.first_order = list(state["exact"]), list(state["first_order"])

    def _sources(self) -> Tensor:
        """``[C, T]`` indicator vectors: every task, then every group."""
        sources = torch.zeros(len(self.groups), len(self.tasks))
        for row, group in enumerate(self.groups):
            sources[row, list(group)] = 1.0
        return torch.cat([torch.eye(len(self.tasks)), sources])


@dataclass(kw_only=True)
class FirstOrder:
    """Transference to first order only: no second look at the batch, so it costs less.

    Args:
        tasks: T names, in the order of the losses.
        step: How the lookahead would move.
    """

    tasks: Sequence[str]
    step: Step = PLAIN
    samples: Samples = field(default_factory=list, repr=False)

    def probe(self, point: Point) -> None:
        """Measure at one point of training, like :meth:`Lookahead.probe`, without a second look."""
        losses = checked_losses(point, self.tasks)
        gradients = point.task_gradients()
        estimate = -gradients.inner(self.step(point, gradients)) / losses.unsqueeze(1)
        known = known_pairs(losses, torch.eye(len(losses), device=losses.device))
        refuse_undefined(estimate, known, self.tasks, point)
        self.samples.append(_sample(estimate, known))

    def affinity(self) -> Affinity:
        """The mean over all probes so far; the exact lookahead was not measured."""
        samples = _stacked(self.samples, self.tasks)
        nothing = np.full_like(samples, np.nan)
        return Affinity.from_samples(
            self.tasks, samples, nothing, method=f"first order, {self.step}"
        )


def known_pairs(losses: Tensor, sources: Tensor) -> Tensor:
    """``[T, C]`` whether a transference is defined: labels on both sides, and a loss that can drop."""
    complete = sources @ losses.isnan().to(sources) == 0
    return (losses > 0).unsqueeze(1) & complete


def _stacked(
    samples: Samples, tasks: Sequence[str], sources: int | None = None
) -> NDArray[np.float32]:
    """``[S, T, C]`` from a list that may be empty."""
    return np.array(samples, dtype=np.float32).reshape(
        -1, len(tasks), sources or _width(samples, tasks)
    )


def _width(samples: Samples, tasks: Sequence[str]) -> int:
    return samples[0].shape[1] if samples else len(tasks)


def _sample(values: Tensor, known: Tensor) -> NDArray[np.float32]:
    return torch.where(known, values, torch.nan).float().cpu().numpy()
