"""Measuring without deciding: what ``cotrain measure`` does."""

from __future__ import annotations

from pathlib import Path

from cotrain.data.dataset import Splits
from cotrain.engine.build import Encoder, build_engine
from cotrain.engine.cohorts.local import LOCAL
from cotrain.engine.cohorts.workers import Cluster
from cotrain.engine.engine import Watch
from cotrain.engine.member import Member, indicator
from cotrain.engine.recipe import recipe_for
from cotrain.engine.tuning import UNTUNED
from cotrain.folder import RunFolder
from cotrain.measure.measurement import Measurement
from cotrain.run.instruments import measure
from cotrain.run.measured import read_measured
from cotrain.run.settings import Instrument, Settings, identity

DEFAULTS = Settings()
FINISHED = "measured.json"


def measure_tasks(
    splits: Splits,
    *,
    out: str | Path,
    encoder: Encoder | None = None,
    settings: Settings = DEFAULTS,
    title: str = "tasks",
    watch: Watch = lambda _: None,
    cluster: Cluster = LOCAL,
) -> tuple[Measurement, ...]:
    """Measure how tasks relate, without deciding anything. The test rows stay sealed.

    Args:
        splits: Training and validation rows and the sealed test rows, from :mod:`cotrain.data`.
        out: The run folder; an interrupted measurement of the same data and settings is continued.
        encoder: As for :func:`cotrain.plan`.
        settings: Which instruments, the lookahead if none is named, and theirs; budget and trees are not
            used.
        title: Name of the data set, for the report.
        watch: Called with progress updates.
        cluster: Where populations are trained: this process, or
            :class:`~cotrain.engine.cohorts.ray.RayCluster`. The answer is the same.

    Returns:
        One result for each instrument, which are also in the run folder.

    Raises:
        InputError: If the folder holds another run, or a loss is not finite.
    """
    folder, development = RunFolder(Path(out)), splits.development
    folder.claim(splits.identity(verb="measure", title=title, settings=identity(settings)))
    if folder.has(FINISHED):
        return read_measured(folder).all()
    recipe = recipe_for(len(development.train), seed=settings.seed)
    engine = build_engine(
        folder,
        development,
        recipe,
        encoder=encoder,
        widths=settings.widths,
        low_precision=settings.low_precision,
        watch=watch,
        cluster=cluster,
    )
    joint = Member(
        name="joint",
        weights=indicator(set(range(len(splits.tasks))), len(splits.tasks)),
        learning_rate=UNTUNED.learning_rate,
        dropout=UNTUNED.dropout,
    )
    wanted = settings.asked or frozenset({Instrument.LOOKAHEAD})
    measured = measure(engine, development, joint, wanted, settings)
    folder.drop_working_files()
    folder.write_json(FINISHED, {})
    return measured.all()
