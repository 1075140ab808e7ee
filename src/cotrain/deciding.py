"""The deciding stage of a run: from what was measured to groups, kept in the run folder."""

from __future__ import annotations

from cotrain.artifacts import RunFolder
from cotrain.grouping import Grouping, group_tasks
from cotrain.measure.sampled import best_groups
from cotrain.measuring import Measured

PLAN = "plan.json"
FIELDS = ("groups", "server", "objective", "bound", "exact")


def decide(folder: RunFolder, measured: Measured, max_groups: int) -> tuple[Grouping, str]:
    """The groups, and what they were decided by: trained task sets where there are some.

    A resumed run reads them back: solvers with a time limit need not find the same groups twice.
    """
    if not folder.has(PLAN):
        grouping, decided_by = _decide(measured, max_groups)
        facts = {name: getattr(grouping, name) for name in FIELDS}
        folder.write_json(PLAN, facts | {"decided_by": decided_by})
    facts = folder.read_json(PLAN)
    decided_by = facts.pop("decided_by")
    groups = tuple(map(tuple, facts.pop("groups")))
    return Grouping(groups=groups, server=tuple(facts.pop("server")), **facts), decided_by


def _decide(measured: Measured, max_groups: int) -> tuple[Grouping, str]:
    if measured.gains is not None:
        return best_groups(measured.gains, max_groups=max_groups), "sampled gains"
    return group_tasks(measured.affinity.mean, max_groups=max_groups), "transference"
