"""``cotrain measure``: how the tasks relate, without deciding anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cotrain.cli import folders, session, table, values
from cotrain.cli.options import GroupCount, Instruments, Output, Place, Seed, TableOptions
from cotrain.run.settings import LOOKING_ON, Settings

if TYPE_CHECKING:
    from cotrain.folder import RunFolder

MEASURED = Instruments(with_=[",".join(LOOKING_ON)])


def costs(folder: RunFolder) -> list[str]:
    """What measuring took, and what computed it."""
    from cotrain.engine.executors.calibrate import Calibration
    from cotrain.figures.text import compact, duration
    from cotrain.run.measured import read_measured

    measured = read_measured(folder)
    named = (("joint run", measured.joint_run), ("task sets", measured.sampling))
    lines = [
        f"{name}: {cost.trainings} trained, worth {compact(cost.examples)} training examples, "
        f"{duration(cost.seconds)}"
        for name, cost in named
        if cost is not None
    ]
    engine = folder.read("engine.json", Calibration).chosen
    return ["", *lines, f"computed by: {engine} (measured to be fastest here)"]


def measure(
    given: TableOptions,
    *,
    measuring: Instruments = MEASURED,
    groups: GroupCount,
    chance: Seed,
    place: Place,
    output: Output,
) -> None:
    """Measure how the targets relate: one joint training with instruments looking on."""
    folder = folders.claim(output, given.data)
    instruments = values.instruments(measuring.with_)
    frame, schema, split = table.read(given)

    from cotrain.folder import RunFolder
    from cotrain.reporting import render_measurements
    from cotrain.run.measure_tasks import measure_tasks

    settings = Settings(
        max_groups=groups.max_groups,
        seed=chance.seed,
        low_precision=not place.float32,
        instruments=instruments,
        trainings=measuring.trainings,
    )
    where = values.cluster(place)
    console, title = session.make_console(), folders.title(given.data)
    splits = session.split_table(frame, schema, split, chance.seed, console)
    with session.watched(console, folder) as watch:
        found = measure_tasks(
            splits, out=folder, settings=settings, title=title, watch=watch, cluster=where
        )
    for measurement in found:
        session.say(console, f"\n{measurement.title}\n{measurement}")
    for line in costs(RunFolder(folder)):
        session.say(console, line)
    RunFolder(folder).write_text("measure.html", render_measurements(title, found))
    session.say(console, f"\nreport: {folder / 'measure.html'}")
