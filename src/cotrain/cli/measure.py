"""``cotrain measure``: how the tasks relate, without deciding anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cotrain.cli import options, session
from cotrain.cli.options import (
    Address,
    Columns,
    Cut,
    Data,
    Domain,
    Executor,
    Float32,
    Ignore,
    Kinds,
    MaxGroups,
    Out,
    Resume,
    Seed,
    Smiles,
    Targets,
    Trainings,
    Where,
    With,
)

if TYPE_CHECKING:
    from cotrain.folder import RunFolder


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
    data: Data,
    targets: Targets,
    ignore: Ignore = None,
    kind: Kinds = None,
    columns: Columns = None,
    smiles: Smiles = None,
    domain: Domain = None,
    split: Cut = "random",
    seed: Seed = 0,
    with_: With = ("lookahead,gradients,datamap",),  # type: ignore[assignment]
    trainings: Trainings = 10,
    max_groups: MaxGroups = 3,
    float32: Float32 = False,
    executor: Where = Executor.LOCAL,
    address: Address = None,
    out: Out = None,
    resume: Resume = False,
) -> None:
    """Measure how the targets relate: one joint training with instruments looking on."""
    from cotrain.folder import RunFolder
    from cotrain.reporting import render_measurements
    from cotrain.run.measured import measure_tasks

    folder = options.claim_folder(out or options.folder_name(data), resume=resume)
    frame, schema, cut = options.read(data, targets, ignore, kind, columns, smiles, split, domain)
    settings = options.make_settings(
        seed=seed,
        max_groups=max_groups,
        instruments=options.instruments(with_),
        trainings=trainings,
        float32=float32,
    )
    where = options.cluster(executor, address)
    console, title = session.make_console(), options.title(data)
    splits = session.split_table(frame, schema, cut, seed, console)
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
