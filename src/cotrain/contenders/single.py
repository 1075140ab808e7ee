"""One network a task: the baseline that training together has to beat."""

from __future__ import annotations

from collections.abc import Sequence

from cotrain.contenders.base import BASELINE, Context, NetworkContender, Terms
from cotrain.engine.member import Kind, Member, one_hot


class Single(NetworkContender):
    """One network for each task, trained on its labels alone (one-hot weights)."""

    name = "single"
    purpose = tuning_purpose = BASELINE
    needs_measuring = False

    def price(self, terms: Terms) -> float:
        """T networks; a single task's network is the joint one."""
        return terms.price(terms.alone) if terms.tasks > 1 else 0.0

    def members(self, context: Context) -> Sequence[Member]:
        """The unit vectors; of a single task none, which the joint network serves."""
        alone = sorted(context.drawn[: context.alone])
        return [self._member(t, context) for t in alone] if len(context.tasks) > 1 else []

    def speakers(self, task: int, context: Context) -> Sequence[tuple[float, Kind]]:
        """The task's own network, if it has one."""
        known = task in context.drawn[: context.alone]
        return [(1.0, self._member(task, context).kind)] if known else []

    def advice(self, context: Context) -> str:
        """One network each."""
        return "Train each task alone"

    def _member(self, task: int, context: Context) -> Member:
        return Member(name=f"{self.name}/{task}", weights=one_hot(task, len(context.tasks)))
