"""The measuring stage of a run: its instruments at work."""

from __future__ import annotations

import time
from dataclasses import replace

from cotrain.data.dataset import Development
from cotrain.engine.engine import Engine
from cotrain.engine.member import Member
from cotrain.engine.objective import EngineObjective
from cotrain.engine.tuning import setting_of
from cotrain.grouping import TrainedSets, sample_gains
from cotrain.measure.datamaps.recorder import DataMaps
from cotrain.measure.gradients.comparison import Gradients
from cotrain.measure.joint_run import Watchers, measure_joint_run
from cotrain.measure.transference.lookahead import Lookahead
from cotrain.measure.transference.steps import PlainStep
from cotrain.run.measured import AFFINITY, DATAMAP, GAINS, GRADIENTS, Measured, read_measured
from cotrain.run.settings import LOOKING_ON, SAMPLED_SEEDS, Instrument, Settings

SEEDS = range(SAMPLED_SEEDS)


def measure(
    engine: Engine,
    holdout: Development,
    joint: Member,
    wanted: frozenset[Instrument],
    settings: Settings,
    known: TrainedSets | None = None,
) -> Measured:
    """Let the instruments work, or read back what they found.

    Args:
        engine: Trains task sets.
        holdout: Training and validation rows of the joint run that is looked at.
        joint: The member whose training is looked at; sampled task sets share its learning rate and
            dropout.
        wanted: Which instruments.
        settings: Theirs.
        known: Task sets that were trained anyway, with :data:`SEEDS`.
    """
    if wanted & {*LOOKING_ON} and not engine.folder.has("joint_run.json"):
        recipe = replace(engine.recipe, to_end=False)
        looking = replace(engine, development=holdout, recipe=recipe)
        _look_on(looking, joint, wanted, settings)
    if Instrument.SAMPLED in wanted and not engine.folder.has("sampling.json"):
        _sample(engine, joint, settings, known)
    return read_measured(engine.folder)


def _look_on(
    engine: Engine, joint: Member, wanted: frozenset[Instrument], settings: Settings
) -> None:
    folder, watchers = engine.folder, _watchers(engine, wanted, settings)
    examples, seconds = measure_joint_run(engine, joint, watchers)
    watchers.lookahead.affinity().save(folder.path(AFFINITY))
    if watchers.gradients is not None:
        watchers.gradients.similarity().save(folder.path(GRADIENTS))
    if watchers.maps is not None:
        found, rows = watchers.maps.result(), engine.development.train_rows
        found = found if rows is None else replace(found, numbers=rows)
        found.save(folder.path(DATAMAP))
    cost = {"trainings": 1, "examples": examples, "seconds": seconds}
    folder.write_json("joint_run.json", cost)


def _sample(engine: Engine, joint: Member, settings: Settings, known: TrainedSets | None) -> None:
    began = time.monotonic()
    names = [task.name for task in engine.development.tasks]
    objective = EngineObjective(engine=engine, stage="sampled", setting=setting_of(joint))
    gains = sample_gains(
        objective,
        names,
        trainings=len(SEEDS)
        * (settings.task_sets(len(names)) + (len(names) + 1 if known is None else 0)),
        known=known,
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


def _watchers(engine: Engine, wanted: frozenset[Instrument], settings: Settings) -> Watchers:
    names = [task.name for task in engine.development.tasks]
    rows = len(engine.development.train)
    return Watchers(
        lookahead=Lookahead(tasks=names, step=PlainStep(size=settings.probe_step)),
        gradients=Gradients(tasks=names) if Instrument.GRADIENTS in wanted else None,
        maps=DataMaps(names, rows=rows) if Instrument.DATAMAP in wanted else None,
        every=settings.probe_every,
    )
