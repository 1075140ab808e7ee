"""Law 7: one task, duplicates, negations, batches without labels, and members that diverge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch
from tiny import (
    EXECUTORS,
    RECIPE,
    STANDARD,
    distance,
    first_batch,
    joint,
    make_architecture,
    make_development,
    make_executor,
    make_tasks,
    on_both,
    train,
)
from torch import Tensor

from cotrain.data.dataset import Development, TaskData
from cotrain.engine.member import Member
from cotrain.engine.models.losses import TaskLosses
from cotrain.engine.training import Progress
from cotrain.grouping import Membership, group_tasks
from cotrain.run.evaluation import evaluate
from cotrain.run.mixture import mix
from cotrain.tasks import output_slices


def transference(
    development: Development, executor: str, progress: Progress, step_size: float = 3.0
) -> Tensor:
    point = tiny.point_of(
        progress.state,
        first_batch(development.train, 96),
        architecture=make_architecture(development),
        tasks=development.tasks,
        executor=executor,
    )
    return tiny.transference(point, development.tasks, step_size)


@pytest.mark.parametrize("kind", ["b", "m", "r"])
@pytest.mark.parametrize("executor", EXECUTORS)
def test_one_task(kind: str, executor: str) -> None:
    development = make_development(kind)
    member = joint(1, learning_rate=1e-2)
    progress = train(development, [member], executor=executor)
    start = train(development, [member], executor=executor, recipe=replace(RECIPE, epochs=1))
    assert progress.loss[0, 0] < start.loss[0, 0]
    assert transference(development, executor, progress).shape == (1, 1)


def test_one_task_is_a_group_of_its_own() -> None:
    grouping = group_tasks(np.array([[np.nan]]), max_groups=3)
    assert (grouping.groups, grouping.server, grouping.objective) == (((0,),), (0,), 0.0)


def copies(change: Callable[[Tensor], Tensor], kind: str) -> Development:
    """A task, the same task changed, and an unrelated task."""

    def double(data: TaskData) -> TaskData:
        first, other = data.targets[:, :1], data.targets[:, 1:]
        mask = data.mask[:, [0, 0, 1]]
        targets = torch.cat([first, change(first), other], dim=1)
        return replace(data, targets=targets, mask=mask, tasks=make_tasks(kind * 2 + "r"))

    return on_both(make_development(kind + "r", missing=0.2), double)


@pytest.mark.parametrize("kind", ["b", "m", "r"])
@pytest.mark.parametrize("executor", EXECUTORS)
def test_duplicated_tasks_get_the_same(kind: str, executor: str) -> None:
    development = copies(torch.clone, kind)
    progress = train(development, [joint(3, learning_rate=1e-2)], executor=executor)
    loss = progress.loss[0]
    assert float(loss[0]) == pytest.approx(float(loss[1]), abs=1e-6)
    first, second, _ = output_slices(development.tasks)
    torch.testing.assert_close(
        progress.outputs[0, first], progress.outputs[0, second], atol=1e-5, rtol=0
    )
    z = transference(development, executor, progress)
    assert z[0, 1] > 1e-4
    torch.testing.assert_close(z[0, :2], z[1, :2], atol=2e-6, rtol=1e-3)
    torch.testing.assert_close(z[:, 0], z[:, 1], atol=2e-6, rtol=1e-3)


@pytest.mark.parametrize(("kind", "negate"), [("b", lambda y: 1 - y), ("r", torch.neg)])
@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_task_and_its_negation_mirror_each_other(
    kind: str, negate: Callable[[Tensor], Tensor], executor: str
) -> None:
    development = copies(negate, kind)
    progress = train(development, [joint(3, learning_rate=1e-2)], executor=executor)
    loss, outputs = progress.loss[0], progress.outputs[0]
    assert float(loss[0]) == pytest.approx(float(loss[1]), abs=1e-6)
    torch.testing.assert_close(outputs[0], -outputs[1], atol=1e-5, rtol=0)
    assert outputs[0].abs().max() > 0.1
    z = transference(development, executor, progress)
    assert z[0, 1] > 1e-4  # the encoder can serve both: they help each other
    torch.testing.assert_close(z[:, 0], z[:, 1], atol=2e-6, rtol=1e-3)


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("silent", range(3))
def test_a_batch_without_labels_of_a_task_leaves_its_head_alone(executor: str, silent: int) -> None:
    development = make_development("brm", missing=0.1)
    first_rows = {tuple(row.tolist()) for row in development.train.inputs[:16]}
    mask = development.train.mask.clone()
    mask[:16, silent] = False
    data = replace(development.train, mask=mask)
    development = replace(development, train=data)
    architecture = make_architecture(development)
    runner = make_executor(executor, architecture)
    state = train(development, [joint(3)], executor=runner, architecture=architecture).state
    before = state.map(torch.clone)
    batch = first_batch(data)
    assert {tuple(row.tolist()) for row in batch.inputs} == first_rows
    one_step(development, runner, state, batch)
    rows = output_slices(development.tasks)
    for part in ("params", "momentum", "variance"):
        for name in ("head.weight", "head.bias"):
            old, new = getattr(before, part)[name][0], getattr(state, part)[name][0]
            for task, at in enumerate(rows):
                assert torch.equal(old[at], new[at]) == (task == silent), (part, name, task)
        encoder = "encoder.linears.1.weight"
        assert not torch.equal(getattr(before, part)[encoder], getattr(state, part)[encoder])


def one_step(development: Development, runner: object, state: object, batch: object) -> None:
    from cotrain.engine.executors.base import weighted_gradients
    from cotrain.engine.optimizers import ADAMW

    losses = TaskLosses(development.tasks)
    gradients = weighted_gradients(runner, state, batch, losses, torch.ones(1, 3))  # type: ignore[arg-type]
    ADAMW.step(
        state,  # type: ignore[arg-type]
        gradients,
        learning_rates=[1e-3],
        weight_decays=[0.01],
        untouched=~batch.present[losses.task_of_output],  # type: ignore[attr-defined]
    )


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_column_without_any_training_label_stays_at_its_start(executor: str) -> None:
    development = make_development("brm")
    mask = development.train.mask.clone()
    mask[:, 0] = False
    development = replace(development, train=replace(development.train, mask=mask))
    progress = train(development, [joint(3, learning_rate=1e-2)], executor=executor)
    assert (progress.state.params["head.weight"][0, 0] == 0).all()
    assert progress.state.params["head.bias"][0, 0] == 0  # log-odds of add-one counts
    assert progress.loss.isfinite().all()
    assert float(progress.loss[0, 0]) == pytest.approx(np.log(2), abs=1e-6)


def test_a_task_without_validation_labels_is_never_measured() -> None:
    development = make_development("br")
    mask = development.valid.mask.clone()
    mask[:, 0] = False
    development = replace(development, valid=replace(development.valid, mask=mask))
    assert train(development, [joint(2)]).loss[0, 0] != 0.0


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_member_that_diverges_is_stopped_and_hurts_nobody(executor: str) -> None:
    development = make_development("rbm")
    lost = Member(name="lost", weights=(1.0, 1.0, 1.0), seed=1, learning_rate=1e30)
    fine = [joint(3), joint(3, seed=2, learning_rate=3e-3)]
    together = train(development, [fine[0], lost, fine[1]], executor=executor)
    alone = train(development, fine, executor=executor)
    assert together.diverged == {1}
    assert together.epochs_run.tolist() == [4, 1, 4]
    assert together.active == [0, 2]
    assert not any(row == 1 and not model_is_finite for row, model_is_finite in finite(together))
    torch.testing.assert_close(together.loss[[0, 2]], alone.loss, atol=1e-6, rtol=0)
    assert distance(together.state.params, alone.state.params) < 1e-6
    assert alone.diverged == set()


def finite(progress: Progress) -> list[tuple[int, bool]]:
    return [
        (row, all(bool(tensor.isfinite().all()) for tensor in model.values()))
        for (row, _), model in progress.models.items()
    ]


def test_one_class_and_constant_targets_have_a_defined_answer() -> None:
    def constant(data: TaskData) -> TaskData:
        return replace(data, targets=torch.ones_like(data.targets))

    development = on_both(make_development("brm"), constant)
    progress = train(development, [joint(3, learning_rate=1e-2)])
    assert progress.loss.isfinite().all()
    assert float(progress.loss[0].max()) < 0.2  # all of them are easy
    z = transference(development, "sequential", progress)
    assert not z.isinf().any()


def one_task_evaluation(positives: int) -> float:
    data = make_development("b", missing=0.0).valid
    targets = torch.zeros(48, 1)
    targets[:positives] = 1
    data = replace(data, targets=targets)
    rng = np.random.default_rng(0)
    contenders = ("single", "joint", "groups", "trees")
    made_up = {c: rng.random((2, 48)) for c in contenders}
    labels = [data.labels(0)]
    means = {c: found.mean(axis=0) for c, found in made_up.items()}
    mixture = mix(data.tasks, [means], labels, 0)
    grouping = group_tasks(np.zeros((1, 1)), max_groups=1)
    return (
        evaluate(mixture, data, [made_up], STANDARD, Membership.hard(grouping), [10], seed=0)
        .overall["shipped - single"]
        .low
    )


def test_evaluation_of_one_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cotrain.run.bootstrap.MOST_REPLICATES", 50)
    assert np.isfinite(one_task_evaluation(20))


@pytest.mark.parametrize("positives", [0, 1])
def test_evaluation_of_one_task_with_hardly_any_positive(
    positives: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cotrain.run.bootstrap.MOST_REPLICATES", 50)
    assert np.isfinite(one_task_evaluation(positives)) == (positives > 0)
