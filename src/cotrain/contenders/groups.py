"""One network for each of the groups that were decided."""

from __future__ import annotations

from collections.abc import Sequence

from cotrain.contenders.base import DECIDING, Context, NetworkContender, Terms
from cotrain.engine.member import Kind, Member
from cotrain.tasks import listed


class Groups(NetworkContender):
    """One network for each group; a task is predicted by the networks of the groups that serve it."""

    name = "groups"
    tuning_purpose = DECIDING
    compared_with = ("joint", "single")

    def price(self, terms: Terms) -> float:
        """As many networks as there may be groups."""
        return terms.price(terms.max_groups) if terms.tasks > 1 else 0.0

    def members(self, context: Context) -> Sequence[Member]:
        """The groups' weight vectors."""
        return [
            Member(name=f"group/{g}", weights=weights)
            for g, weights in enumerate(context.groups.weights)
        ]

    def speakers(self, task: int, context: Context) -> Sequence[tuple[float, Kind]]:
        """The groups that serve the task, by their shares."""
        return [
            (share, Member(name="", weights=weights).kind)
            for share, weights in context.groups.speakers(task)
        ]

    def advice(self, context: Context) -> str:
        """The groups of more than one task."""
        names = [
            "{" + listed([context.tasks[t].name for t in group]) + "}"
            for group in context.groups.groups
            if len(group) > 1
        ]
        return f"Train together {' and '.join(names)}" if names else "Train each task alone"
