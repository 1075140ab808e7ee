"""``cotrain group``: decide again from what a run has measured, without training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cotrain.cli import options, session
from cotrain.cli.options import Apart, Together

BY_HELP = (
    "What decides: lookahead, gradients, sampled or datamap (which keeps no demand but the number of "
    "models). Default: what decided the run; else sampled if measured, else lookahead."
)


@dataclass(frozen=True, kw_only=True)
class Titled:
    """What ``run.json`` holds of interest here: the name of the data set."""

    title: str


def group(
    run: Annotated[Path, typer.Argument(help="Folder of cotrain run or cotrain measure.")],
    max_groups: Annotated[
        int | None,
        typer.Option(
            min=1, help="At most so many models; 3 unless there is a budget.", show_default=False
        ),
    ] = None,
    by: Annotated[str | None, typer.Option(help=BY_HELP, show_default=False)] = None,
    budget: Annotated[
        float | None,
        typer.Option(help="Inference cost of all models together; a joint network costs 1."),
    ] = None,
    max_size: Annotated[int | None, typer.Option(min=1, help="Most tasks in a group.")] = None,
    together: Together = None,
    apart: Apart = None,
    auxiliary: Annotated[
        list[str] | None,
        typer.Option(help="Targets that count nothing in the objective: they may help."),
    ] = None,
) -> None:
    """Decide the groups again under other demands, in seconds, without training."""
    from dataclasses import asdict

    from cotrain.folder import RunFolder
    from cotrain.grouping import Constraints
    from cotrain.reporting import print_grouping, render_grouping
    from cotrain.run.decision import decided_by, propose, steadiness
    from cotrain.run.measured import read_measured
    from cotrain.run.settings import Instrument
    from cotrain.run.summary import grouping_summary

    folder, console = RunFolder(run), session.make_console()
    measured = read_measured(folder)
    tasks = measured.affinity.tasks
    limits = Constraints.named(
        tasks,
        max_groups=3 if max_groups is None and budget is None else max_groups,
        budget=budget,
        max_size=max_size,
        together=options.pairs(together, "--together"),
        apart=options.pairs(apart, "--apart"),
        auxiliary=options.names(auxiliary or [], list(tasks)),
    )
    asked = options.instrument(by, "--by") or decided_by(folder)
    decision = propose(measured, asked, limits)
    found = grouping_summary(decision, tasks)
    print_grouping(found, console)
    steady = steadiness(measured.affinity, limits) if decision.by is Instrument.LOOKAHEAD else None
    if steady is not None:
        session.say(console, f"\n{steady.title}\n{steady}")
    folder.write_json("group.json", asdict(found))
    title = folder.read("run.json", Titled).title
    kept = f"Kept: {'; '.join(limits.describe())}."
    page = render_grouping(title, found, kept, [steady] if steady else [])
    folder.write_text("group.html", page)
    session.say(console, f"\nreport: {run / 'group.html'}")
