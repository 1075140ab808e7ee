"""One network for all tasks with uniform weights: what most people would try first."""

from __future__ import annotations

from collections.abc import Sequence

from cotrain.contenders.base import BASELINE, Context, NetworkContender, Terms
from cotrain.engine.member import Kind, Member, indicator


class Joint(NetworkContender):
    """One network for all tasks (weights all 1)."""

    name = "joint"
    purpose = tuning_purpose = BASELINE
    compared_with = ("single", "trees")
    needs_measuring = False

    def price(self, terms: Terms) -> float:
        """One network."""
        return terms.price(1)

    def members(self, context: Context) -> Sequence[Member]:
        """The vector of ones."""
        tasks = len(context.tasks)
        return [Member(name=self.name, weights=indicator(set(range(tasks)), tasks))]

    def speakers(self, task: int, context: Context) -> Sequence[tuple[float, Kind]]:
        """The one network."""
        return [(1.0, self.members(context)[0].kind)]

    def advice(self, context: Context) -> str:
        """All in one network."""
        return f"Train all {len(context.tasks)} tasks together"
