"""``cotrain group``: decide again from what a run has measured, without training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cotrain.cli import session, table, values
from cotrain.cli.options import GroupDemands, trial_option


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What there is to decide from."""

    run: Annotated[Path, typer.Argument(help="Folder of cotrain run or cotrain measure.")]


@dataclass(frozen=True, kw_only=True)
class Demands(GroupDemands):
    """What a run's groups must keep, and more that costs nothing to ask for."""

    max_size: Annotated[int | None, trial_option(min=1, help="Most tasks in a group.")] = None
    auxiliary: Annotated[
        list[str] | None,
        trial_option(help="Targets that count nothing in the objective: they may help."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class Titled:
    """What ``run.json`` holds of interest here: the name of the data set."""

    title: str


def group(given: Measured, demands: Demands) -> None:
    """Decide the groups again under other demands, in seconds, without training."""
    asked = values.instrument(demands.group_by, "--group-by")
    together = values.pairs(demands.together, "--together")
    apart = values.pairs(demands.apart, "--apart")

    from dataclasses import asdict

    from cotrain.folder import RunFolder
    from cotrain.grouping import Constraints
    from cotrain.reporting import print_grouping, render_grouping
    from cotrain.run.decision import decided_by, propose, steadiness
    from cotrain.run.measured import read_measured
    from cotrain.run.settings import Instrument
    from cotrain.run.summary import grouping_summary

    folder, console = RunFolder(given.run), session.make_console()
    measured = read_measured(folder)
    title = folder.read("run.json", Titled).title
    tasks = measured.all()[0].tasks
    limits = Constraints.named(
        tasks,
        max_groups=demands.max_groups,
        max_size=demands.max_size,
        together=together,
        apart=apart,
        auxiliary=table.names(demands.auxiliary or [], list(tasks)),
    )
    decision = propose(measured, asked or decided_by(folder), limits)
    found = grouping_summary(decision, tasks)
    print_grouping(found, console)
    affinity = measured.affinity if decision.by is Instrument.LOOKAHEAD else None
    steady = None if affinity is None else steadiness(affinity, limits)
    if steady is not None:
        session.say(console, f"\n{steady.title}\n{steady}")
    folder.write_json("group.json", asdict(found))
    kept = f"Kept: {'; '.join(limits.describe())}."
    page = render_grouping(title, found, kept, [steady] if steady else [])
    folder.write_text("group.html", page)
    session.say(console, f"\nreport: {given.run / 'group.html'}")
