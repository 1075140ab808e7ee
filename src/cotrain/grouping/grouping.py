"""Groups of tasks with the value of the objective that chose them and a bound on what is possible."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """At most k groups, overlap allowed; every task is served by one of them.

    Args:
        groups: Task indices of each group, sorted; trained together.
        server: ``[T]`` index of the group that serves each task.
        objective: Mean over tasks of the score of the serving group.
        bound: No grouping scores above this.
        exact: Whether ``objective`` is proven optimal.
    """

    groups: tuple[tuple[int, ...], ...]
    server: tuple[int, ...]
    objective: float
    bound: float
    exact: bool

    @property
    def gap(self) -> float:
        """How far the optimum may lie above ``objective``."""
        return self.bound - self.objective

    def group_of(self, task: int) -> tuple[int, ...]:
        """The group that serves a task."""
        return self.groups[self.server[task]]

    def serves(self, group: int) -> tuple[int, ...]:
        """The tasks that a group serves."""
        return tuple(task for task, server in enumerate(self.server) if server == group)
