"""The main path: measure → decide → train → evaluate → ship, top to bottom.

Every stage writes its result to the run folder and reads it back if it is already there, so calling
:func:`plan` again on the same folder goes on where a killed run stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cotrain.contenders.base import Contender
from cotrain.data.dataset import Splits
from cotrain.data.folds import crossfitted
from cotrain.engine.build import Encoder, build_engine
from cotrain.engine.cohorts.local import LOCAL
from cotrain.engine.cohorts.workers import Cluster
from cotrain.engine.engine import Watch
from cotrain.results import Result
from cotrain.run.contest import Contest
from cotrain.run.decision import decide, demands
from cotrain.run.evaluation import evaluate
from cotrain.run.instruments import SEEDS, measure
from cotrain.run.predictor import Predictor, load, ship
from cotrain.run.prices import prices
from cotrain.run.result_file import is_finished, read_result, write_result
from cotrain.run.settings import Settings
from cotrain.run.setup import allowance_of, check_field, claim, standard_contenders, terms_of
from cotrain.run.shipping import check_shipping, what_ships
from cotrain.run.summary import summarize
from cotrain.transfer.encoder_file import EncoderFile

DEFAULTS = Settings()


def plan(
    splits: Splits,
    *,
    out: str | Path,
    encoder: Encoder | None = None,
    pretrained: EncoderFile | None = None,
    allow_overlap: bool = False,
    contenders: Sequence[Contender] = (),
    settings: Settings = DEFAULTS,
    title: str = "tasks",
    watch: Watch = lambda _: None,
    cluster: Cluster = LOCAL,
) -> tuple[Result, Predictor]:
    """Find out which tasks to train together, prove what it is worth, and ship the models.

    Args:
        splits: Training and validation rows and the sealed test rows, from :mod:`cotrain.data`.
        out: The run folder; a folder of an interrupted run of the same data and settings is continued.
        encoder: Returns a fresh ``nn.Module`` that maps a batch of inputs to ``[B, features]``; the
            built-in MLP unless given.
        pretrained: A pre-finetuned encoder, see :mod:`cotrain.transfer`: one network a task that starts
            from it is a further contender, and the widths are its.
        allow_overlap: Let test rows pass whose inputs that encoder was trained on.
        contenders: Further ones, of your own; see :mod:`cotrain.contenders`.
        settings: Budget, groups, seeds, ….
        title: Name of the data set, for the report.
        watch: Called with progress updates.
        cluster: Where populations are trained: this process, or
            :class:`~cotrain.engine.cohorts.ray.RayCluster`. The answer is the same.

    Returns:
        What was found out, and the trained predictor (also in the run folder, see
        :func:`cotrain.load`).

    Raises:
        InputError: If the folder holds another run, the budget is too small, there is no cluster, or a
            contender cannot serve the data.
    """
    if pretrained is not None:
        settings = replace(settings, widths=pretrained.facts.widths or settings.widths)
    standard = standard_contenders(splits.tasks, settings, pretrained, allow_overlap, encoder)
    everyone = (*standard, *contenders)
    check_field(everyone)
    check_shipping(settings, everyone, splits.tasks)
    notes = [note for contender in everyone for note in contender.check(splits)]
    development = crossfitted(splits.development, seeds=settings.seeds, seed=settings.seed)
    terms = terms_of(development, settings)
    allowance = allowance_of(everyone, settings, terms)
    limits = demands([task.name for task in splits.tasks], settings)
    folder = claim(out, splits, title, settings, everyone)
    if is_finished(folder):
        folder.drop_working_files()
        return read_result(folder), load(out, encoder=encoder, contenders=contenders)
    engine = build_engine(
        folder,
        development,
        replace(allowance.recipe, to_end=True),
        encoder=encoder,
        widths=settings.widths,
        low_precision=settings.low_precision,
        watch=watch,
        cluster=cluster,
    )
    terms = replace(terms, tried=allowance.candidates, alone=allowance.alone)
    contest = Contest.of(everyone, engine, terms)

    # Measure on one joint run, decide the groups, train every contender.
    contest.tune_baselines()
    contest.train("baselines")
    tasks = len(splits.tasks)
    measured = measure(
        contest.engine,
        splits.development,
        contest.context.joint,
        settings.measures(tasks),
        settings,
        contest.trained_sets(SEEDS) if allowance.alone == tasks else None,
    )
    contest.ledger.measured("measure: joint run", measured.joint_run)
    contest.ledger.measured("measure: task sets", measured.sampling)
    decision = decide(folder, measured, settings.decides(tasks), limits)
    contest.tune_others(decision.membership)
    contest.train("others")
    contest.fit_models()

    # Mix what was trained, by rows that models left out; then open the test split, once.
    mixture = what_ships(contest, settings)
    test = splits.test.open_for(mixture)
    found, counts = contest.on(test), development.rows.mask.sum(dim=0).tolist()
    evaluation = evaluate(
        mixture, test, found, everyone, decision.membership, counts, settings.seed
    )
    remarks = contest.examine(test, found, evaluation.overall, settings.seed)

    # Say what was found, and keep the models.
    result = summarize(
        title=title,
        splits=splits,
        settings=settings,
        allowance=allowance,
        contest=contest,
        measured=measured,
        decision=decision,
        mixture=mixture,
        evaluation=evaluation,
        prices=prices(contest, mixture, test),
        remarks=(*remarks, *notes),
    )
    ship(contest, mixture, splits.preparation, widths=None if encoder else settings.widths)
    write_result(folder, result)
    return read_result(folder), load(out, encoder=encoder, contenders=contenders)
