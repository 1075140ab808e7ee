"""The measuring stage of a run: its instruments, and their results in the run folder."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path

from cotrain.data.dataset import Splits
from cotrain.engine.build import Encoder, build_engine
from cotrain.engine.cohorts.local import LOCAL
from cotrain.engine.cohorts.workers import Cluster
from cotrain.engine.engine import Engine, Watch
from cotrain.engine.member import Member, indicator
from cotrain.engine.objective import EngineObjective
from cotrain.engine.recipe import recipe_for
from cotrain.engine.tuning import SETTINGS, Setting
from cotrain.errors import InputError
from cotrain.folder import RunFolder
from cotrain.grouping import sample_gains
from cotrain.measure.datamaps.datamap import DataMap
from cotrain.measure.datamaps.recorder import DataMaps
from cotrain.measure.gains.gains import Gains
from cotrain.measure.gradients.comparison import Gradients
from cotrain.measure.gradients.similarity import GradientSimilarity
from cotrain.measure.joint_run import Watchers, measure_joint_run
from cotrain.measure.measurement import Measurement
from cotrain.measure.transference.affinity import Affinity
from cotrain.measure.transference.lookahead import Lookahead
from cotrain.measure.transference.steps import PlainStep
from cotrain.results import Cost
from cotrain.run.settings import SAMPLED_SEEDS, Instrument, Settings, identity

DEFAULTS = Settings()
FINISHED = "measured.json"
SEEDS = range(SAMPLED_SEEDS)
AFFINITY, GRADIENTS, DATAMAP, GAINS = (
    f"{name}.safetensors" for name in ("affinity", "gradients", "datamap", "gains")
)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What the instruments found; None for those not asked for.

    Args:
        affinity: Lookahead transference.
        gradients: Gradient similarity.
        datamap: The data map.
        gains: Gains of trained task sets.
        joint_run: What the joint run took that the first three looked on.
        sampling: What the task sets took.
    """

    affinity: Affinity
    gradients: GradientSimilarity | None
    datamap: DataMap | None
    gains: Gains | None
    joint_run: Cost
    sampling: Cost | None

    def all(self) -> tuple[Measurement, ...]:
        """What was measured, in the order of a report."""
        return (self.affinity, *self.further())

    def further(self) -> tuple[Measurement, ...]:
        """What was measured beside the transference."""
        found = (self.gradients, self.datamap, self.gains)
        return tuple(measurement for measurement in found if measurement is not None)


def measure(engine: Engine, joint: Member, settings: Settings) -> Measured:
    """Let the instruments work, or read back what they found.

    Args:
        engine: Trains.
        joint: The member whose training is looked at; sampled task sets share its learning rate and
            dropout.
        settings: Which instruments, and theirs.
    """
    if not engine.folder.has("joint_run.json"):
        _look_on(engine, joint, settings)
    if settings.measures(Instrument.SAMPLED) and not engine.folder.has("sampling.json"):
        _sample(engine, joint, settings)
    return read_measured(engine.folder)


def read_measured(folder: RunFolder) -> Measured:
    """What the instruments left in a run folder.

    Raises:
        InputError: If they left nothing.
    """
    if not folder.has("joint_run.json"):
        raise InputError(
            f"{folder.root} holds no measurements: give the --out folder of cotrain run or measure"
        )
    return Measured(
        affinity=Affinity.load(folder.path(AFFINITY)),
        gradients=GradientSimilarity.load(folder.path(GRADIENTS))
        if folder.has(GRADIENTS)
        else None,
        datamap=DataMap.load(folder.path(DATAMAP)) if folder.has(DATAMAP) else None,
        gains=Gains.load(folder.path(GAINS)) if folder.has(GAINS) else None,
        joint_run=folder.read("joint_run.json", Cost),
        sampling=folder.read("sampling.json", Cost) if folder.has("sampling.json") else None,
    )


def _look_on(engine: Engine, joint: Member, settings: Settings) -> None:
    folder, watchers = engine.folder, _watchers(engine, settings)
    examples, seconds = measure_joint_run(engine, joint, watchers)
    watchers.lookahead.affinity().save(folder.path(AFFINITY))
    if watchers.gradients is not None:
        watchers.gradients.similarity().save(folder.path(GRADIENTS))
    if watchers.maps is not None:
        found, rows = watchers.maps.result(), engine.development.train_rows
        found = found if rows is None else dataclasses.replace(found, numbers=rows)
        found.save(folder.path(DATAMAP))
    cost = {"trainings": 1, "examples": examples, "seconds": seconds}
    folder.write_json("joint_run.json", cost)


def _sample(engine: Engine, joint: Member, settings: Settings) -> None:
    began = time.monotonic()
    names = [task.name for task in engine.development.tasks]
    setting = Setting(learning_rate=joint.learning_rate, dropout=joint.dropout)
    objective = EngineObjective(engine=engine, stage="sampled", setting=setting)
    gains = sample_gains(
        objective,
        names,
        trainings=len(SEEDS) * (len(names) + 1 + settings.trainings),
        max_groups=settings.max_groups,
        seeds=SEEDS,
    )
    gains.save(engine.folder.path(GAINS))
    cost = {
        "trainings": objective.trainings,
        "examples": objective.examples,
        "seconds": max(
            objective.seconds, time.monotonic() - began
        ),  # choosing sets takes time, too
    }
    engine.folder.write_json("sampling.json", cost)


def _watchers(engine: Engine, settings: Settings) -> Watchers:
    names = [task.name for task in engine.development.tasks]
    rows = len(engine.development.train)
    return Watchers(
        lookahead=Lookahead(tasks=names, step=PlainStep(size=settings.probe_step)),
        gradients=Gradients(tasks=names) if settings.measures(Instrument.GRADIENTS) else None,
        maps=DataMaps(names, rows=rows) if settings.measures(Instrument.DATAMAP) else None,
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
    cluster: Cluster = LOCAL,
) -> tuple[Measurement, ...]:
    """Measure how tasks relate, without deciding anything. The test rows stay sealed.

    Args:
        splits: Training and validation rows and the sealed test rows, from :mod:`cotrain.data`.
        out: The run folder; an interrupted measurement of the same data and settings is continued.
        encoder: As for :func:`cotrain.plan`.
        settings: Which instruments, and theirs; budget and trees are not used.
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
        learning_rate=SETTINGS[0].learning_rate,
        dropout=SETTINGS[0].dropout,
    )
    measured = measure(engine, joint, settings)
    folder.drop_working_files()
    folder.write_json(FINISHED, {})
    return measured.all()
