"""The measuring stage of a run: instruments on one joint run, their results in the run folder."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from cotrain.artifacts import RunFolder
from cotrain.budget import recipe_for
from cotrain.contenders import SETTINGS
from cotrain.data.taskdata import Splits
from cotrain.measure.affinity import Affinity
from cotrain.measure.datamap import DataMap
from cotrain.measure.gradients import Gradients
from cotrain.measure.joint_run import Watchers, measure_joint_run
from cotrain.measure.lookahead import Lookahead
from cotrain.measure.measurement import Measurement
from cotrain.measure.recorder import DataMaps
from cotrain.measure.similarity import GradientSimilarity
from cotrain.measure.steps import PlainStep
from cotrain.population.engine import Engine, Watch
from cotrain.population.member import Member, indicator
from cotrain.settings import Encoder, Instrument, Settings
from cotrain.stages import build_engine, claim

DEFAULTS = Settings()

FILES = {
    "affinity": "affinity.safetensors",
    "gradients": "gradients.safetensors",
    "datamap": "datamap.safetensors",
}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What the instruments found on one joint run.

    Args:
        affinity: Lookahead transference.
        gradients: Gradient similarity, if asked for.
        datamap: The data map, if asked for.
        examples: Training examples the joint run saw, the probes' passes counted as shares of one.
        seconds: Wall time, probes included.
    """

    affinity: Affinity
    gradients: GradientSimilarity | None
    datamap: DataMap | None
    examples: int
    seconds: float

    def all(self) -> tuple[Measurement, ...]:
        """What was measured, in the order of a report."""
        found = (self.affinity, self.gradients, self.datamap)
        return tuple(measurement for measurement in found if measurement is not None)


def measure(engine: Engine, joint: Member, settings: Settings) -> Measured:
    """Train the joint member once more with instruments looking on, or read back what they found."""
    if not engine.folder.has("measured.json"):
        began = time.monotonic()
        watchers = _watchers(engine, settings)
        examples = measure_joint_run(engine, joint, watchers)
        watchers.lookahead.affinity().save(engine.folder.path(FILES["affinity"]))
        if watchers.gradients is not None:
            watchers.gradients.similarity().save(engine.folder.path(FILES["gradients"]))
        if watchers.maps is not None:
            watchers.maps.result().save(engine.folder.path(FILES["datamap"]))
        seconds = time.monotonic() - began
        engine.folder.write_json("measured.json", {"examples": examples, "seconds": seconds})
    return read_measured(engine.folder)


def read_measured(folder: RunFolder) -> Measured:
    """What the instruments left in a run folder."""
    facts = folder.read_json("measured.json")
    paths = {name: folder.path(file) for name, file in FILES.items() if folder.has(file)}
    return Measured(
        affinity=Affinity.load(paths["affinity"]),
        gradients=GradientSimilarity.load(paths["gradients"]) if "gradients" in paths else None,
        datamap=DataMap.load(paths["datamap"]) if "datamap" in paths else None,
        examples=facts["examples"],
        seconds=facts["seconds"],
    )


def _watchers(engine: Engine, settings: Settings) -> Watchers:
    names = [task.name for task in engine.development.tasks]
    asked = settings.instruments
    return Watchers(
        lookahead=Lookahead(tasks=names, step=PlainStep(size=settings.probe_step)),
        gradients=Gradients(tasks=names) if Instrument.GRADIENTS in asked else None,
        maps=DataMaps(names, rows=len(engine.development.train))
        if Instrument.DATAMAP in asked
        else None,
        every=settings.probe_every,
    )


def measure_tasks(
    splits: Splits,
    *,
    out: str | Path,
    encoder: Encoder | None = None,
    settings: Settings = DEFAULTS,
    title: str = "tasks",
    watch: Watch = lambda _: None,
) -> tuple[Measurement, ...]:
    """Measure how tasks relate, without deciding anything. The test rows stay sealed.

    Args:
        splits: Training and validation rows and the sealed test rows, from :mod:`cotrain.data`.
        out: The run folder; an interrupted measurement of the same data and settings is continued.
        encoder: As for :func:`cotrain.plan`.
        settings: Which instruments, and theirs; budget and trees are not used.
        title: Name of the data set, for the report.
        watch: Called with progress updates.

    Returns:
        One result for each instrument, which are also in the run folder.

    Raises:
        InputError: If the folder holds another run, or a loss is not finite.
    """
    folder, development = RunFolder(Path(out)), splits.development
    claim(folder, splits, settings, title, verb="measure")
    recipe = recipe_for(len(development.train), seed=settings.seed)
    engine = build_engine(folder, development, encoder, settings, recipe, watch)
    joint = Member(
        name="joint",
        weights=indicator(set(range(len(splits.tasks))), len(splits.tasks)),
        learning_rate=SETTINGS[0].learning_rate,
        dropout=SETTINGS[0].dropout,
    )
    return measure(engine, joint, settings).all()
