"""The main path: measure → decide → train → prove → ship, top to bottom.

Every stage writes its result to the run folder and reads it back if it is already there, so calling
:func:`plan` again on the same folder goes on where a killed run stopped.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from cotrain.contenders.weighted import NAME, STAGE, weigh, worth_of_weights
from cotrain.data.dataset import Splits
from cotrain.engine.cohorts.local import HERE
from cotrain.engine.cohorts.workers import Cluster
from cotrain.engine.engine import Watch
from cotrain.engine.trained import merge
from cotrain.engine.tuning import (
    SETTINGS,
    START,
    Cast,
    from_encoder,
    group_vectors,
    network_predictions,
    replicas,
    single_and_joint,
    train_tuned,
)
from cotrain.folder import RunFolder
from cotrain.results import Result
from cotrain.run.answer import answer, details
from cotrain.run.budget import Allowance, allot, measuring_cost, recipe_for
from cotrain.run.decision import decide, demands
from cotrain.run.evaluation import prove
from cotrain.run.ledger import Ledger
from cotrain.run.measured import measure
from cotrain.run.predictor import Predictor, load, ship
from cotrain.run.result_file import drop_working_files, is_finished, read_result, write_result
from cotrain.run.selection import choose
from cotrain.run.settings import Encoder, Settings
from cotrain.run.stages import (
    build_engine,
    claim,
    fit_trees,
    seed_mean,
    tree_predictions,
    with_trees,
)
from cotrain.run.summary import (
    affinity_summary,
    budget_notes,
    grouping_summary,
    row_counts,
    settings_summary,
)
from cotrain.transfer.encoder_file import EncoderFile
from cotrain.transfer.few_rows import few_shot, few_shot_cost
from cotrain.transfer.few_shot import FEW_SHOT
from cotrain.transfer.finetune import starting_from

DEFAULTS = Settings()


def plan(
    splits: Splits,
    *,
    out: str | Path,
    encoder: Encoder | None = None,
    pretrained: EncoderFile | None = None,
    allow_overlap: bool = False,
    settings: Settings = DEFAULTS,
    title: str = "tasks",
    watch: Watch = lambda _: None,
    cluster: Cluster = HERE,
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
        settings: Budget, groups, seeds, ….
        title: Name of the data set, for the report.
        watch: Called with progress updates.
        cluster: Where populations are trained: this process, or
            :class:`~cotrain.engine.cohorts.ray.RayCluster`. The answer is the same.

    Returns:
        What was found out, and the trained predictor (also in the run folder, see
        :func:`cotrain.load`).

    Raises:
        InputError: If the folder holds another run, the budget is too small, there is no cluster, or the
            pre-finetuned encoder does not fit the data.
    """
    folder, identity = RunFolder(Path(out)), {}
    overlap: tuple[str, ...] = ()
    if pretrained is not None:
        overlap = pretrained.check(splits, allow_overlap=allow_overlap)
        settings = replace(settings, widths=pretrained.facts.widths or settings.widths)
        identity = {"encoder": pretrained.digest}
    development, tasks = splits.development, splits.tasks
    allowance = _allowance(splits, settings, started=pretrained is not None)
    limits = demands([task.name for task in tasks], settings)
    claim(folder, splits, settings, title, verb="run", **identity)
    if is_finished(folder):
        drop_working_files(folder)
        return read_result(folder), load(out, encoder=encoder)
    engine = build_engine(folder, development, encoder, settings, allowance.recipe, watch, cluster)
    engine = engine if pretrained is None else starting_from(engine, {START: pretrained.state})
    ledger = Ledger.of(engine, allowance.full_epochs)

    # The network baselines, each tuned on its own validation score.
    grid = SETTINGS[: allowance.candidates]
    vectors = single_and_joint(len(tasks))
    tuning, best = train_tuned(engine, "tune", vectors, grid)
    ledger.population("tune single and joint", "baseline", tuning)

    # Measure on one joint run, decide the groups, tune them as the baselines were.
    joint = next(member for member in best if member.name == "joint")
    measured = measure(engine, joint, settings)
    affinity = measured.affinity
    ledger.measured("measure: joint run", **asdict(measured.joint_run))
    if measured.sampling is not None:
        ledger.measured("measure: task sets", **asdict(measured.sampling))
    decision = decide(folder, measured, settings.group_by, limits)
    membership = decision.membership
    groups = group_vectors(membership, known=list(vectors.values()))
    if groups:
        group_tuning, tuned_groups = train_tuned(engine, "tune-groups", groups, grid)
        ledger.population("tune groups", "deciding", group_tuning)
        tuning, best = merge([tuning, group_tuning]), (*best, *tuned_groups)

    # One network a task from the pre-finetuned encoder, if there is one.
    if pretrained is not None:
        started, tuned_starts = train_tuned(
            engine, "tune-pretrained", from_encoder(len(tasks)), grid, START
        )
        ledger.encoder(
            examples=pretrained.facts.examples,
            flops=pretrained.facts.flops,
            seconds=pretrained.facts.seconds,
        )
        ledger.population("tune pretrained", "shipping", started)
        tuning, best = merge([tuning, started]), (*best, *tuned_starts)

    # One network with weights that change while training, if that is asked for.
    weighted = None
    if settings.weights is not None and len(tasks) > 1:
        weighted = weigh(engine, settings.weights, joint, grid)
        ledger.population(STAGE, "deciding", weighted.everyone)
        tuning, best = merge([tuning, weighted.trained]), (*best, weighted.member)
    cast = Cast(
        membership=membership,
        weighted=None if weighted is None else weighted.member,
        pretrained=pretrained is not None,
    )

    # Every contender from the remaining seeds; the tuning run of the best setting is seed 0.
    final = engine.train("final", replicas(best, settings.seeds))
    ledger.population(
        "single and joint, all seeds", "baseline", final, without=("group/", "pretrained/", NAME)
    )
    ledger.population("groups, all seeds", "shipping", final, only="group/")
    ledger.population("pretrained, all seeds", "shipping", final, only="pretrained/")
    ledger.population("weighted, all seeds", "shipping", final, only=NAME)
    trained = merge([tuning.select(lambda member: member in best), final])
    forest, seconds = fit_trees(engine, settings, allowance.candidates)
    ledger.trees(
        settings.trees.name, len(tasks) * (allowance.candidates + settings.seeds - 1), seconds
    )

    # Choose on validation; then open the test split, once.
    labels = [development.valid.labels(t) for t in range(len(tasks))]
    valid = with_trees(
        network_predictions(tasks, trained, trained.outputs, cast),
        tree_predictions(settings.trees, forest, development.valid),
    )
    choice = choose(tasks, seed_mean(valid), labels, settings.seed)
    test = splits.test.open_for(choice)
    on_test = with_trees(
        network_predictions(tasks, trained, engine.predict(trained, test.inputs), cast),
        tree_predictions(settings.trees, forest, test),
    )
    train_labels = development.train.mask.sum(dim=0).tolist()
    proof = prove(choice, test, on_test, membership, train_labels, settings.seed)

    few = None
    if pretrained is not None and settings.few_rows:
        few = few_shot(
            engine,
            test,
            on_test,
            settings,
            tried=allowance.candidates,
            full_epochs=allowance.full_epochs,
            encoder=encoder,
        )
        few.save(folder.path(FEW_SHOT))
        ledger.measured(
            "few-shot curves",
            trainings=few.trainings,
            examples=few.examples,
            seconds=few.seconds,
            purpose="baseline",
        )

    result = Result(
        title=title,
        answer=answer(proof, membership),
        details=(
            *budget_notes(allowance),
            *details(proof, affinity),
            *worth_of_weights(proof, ledger),
            *(() if few is None else (few.verdict(),)),
            *overlap,
            *splits.notes,
        ),
        tasks=proof.tasks,
        mean_test=proof.mean_test,
        overall=proof.overall,
        grouping=grouping_summary(decision, affinity.tasks),
        affinity=affinity_summary(affinity),
        costs=ledger.lines(),
        rows=row_counts(splits),
        seeds=settings.seeds,
        budget=allowance.budget,
        settings=settings_summary(settings, allowance, engine, best),
    )
    ship(folder, engine, trained, forest, choice, cast, settings, splits.preparation, encoder)
    write_result(folder, result)
    return read_result(folder), load(out, encoder=encoder)


def _allowance(splits: Splits, settings: Settings, *, started: bool) -> Allowance:
    train = splits.development.train
    rows, tasks = len(train), len(splits.tasks)
    recipe = recipe_for(rows, seed=settings.seed)
    return allot(
        settings.budget,
        tasks=tasks,
        max_groups=settings.max_groups,
        candidates=len(SETTINGS),
        seeds=settings.seeds,
        measuring=lambda short: measuring_cost(tasks, settings, short, rows),
        recipe=recipe,
        weights=settings.weights,
        starts=tasks if started else 0,
        curves=few_shot_cost(train, settings.few_rows, recipe) if started else 0.0,
    )
