"""Law 1: permuting tasks permutes every answer; renaming tasks changes nothing but names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import (
    EXECUTORS,
    OPTIMIZERS,
    STANDARD,
    joint,
    make_architecture,
    make_development,
    make_executor,
    on_both,
    only_tasks,
    probing,
    same,
    train,
)

from cotrain.arrays import Array
from cotrain.data.dataset import Development, TaskData
from cotrain.engine.member import Member
from cotrain.engine.models.losses import predictions
from cotrain.engine.training import Progress
from cotrain.grouping import Membership, exact_grouping
from cotrain.grouping.local import local_search
from cotrain.measure.transference.affinity import Affinity
from cotrain.measure.transference.lookahead import Lookahead
from cotrain.measure.transference.steps import PlainStep
from cotrain.run.evaluation import Evaluation, evaluate
from cotrain.run.mixture import Mixture, mix
from cotrain.tasks import output_slices

KINDS = "brmbr"
ORDER = [3, 2, 0, 4, 1]
WEIGHTS = (1.0, 0.5, 2.0, 0.0, 1.0)
NAMES = ("", "../../etc", "task 7", "ß\u202e", "b0")


def measured(
    development: Development, weights: tuple[float, ...], executor: str = "sequential"
) -> tuple[Progress, Affinity]:
    architecture = make_architecture(development)
    runner = make_executor(executor, architecture)
    lookahead = Lookahead(tasks=[task.name for task in development.tasks], step=PlainStep(size=3.0))
    member = Member(name="m", weights=weights, learning_rate=1e-2)
    progress = train(
        development,
        [member],
        executor=runner,
        architecture=architecture,
        before_update=probing(
            lookahead.probe,
            architecture=architecture,
            tasks=development.tasks,
            executor=runner,
            every=5,
        ),
    )
    return progress, lookahead.affinity()


def renamed(data: TaskData) -> TaskData:
    tasks = tuple(replace(task, name=name) for task, name in zip(data.tasks, NAMES, strict=True))
    return replace(data, tasks=tasks)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_permuting_tasks_permutes_training(executor: str) -> None:
    development = make_development(KINDS)
    permuted = only_tasks(development, ORDER)
    a, z = measured(development, WEIGHTS, executor)
    b, z_permuted = measured(permuted, tuple(WEIGHTS[t] for t in ORDER), executor)
    trained = [t for t in range(5) if WEIGHTS[t]]
    assert a.loss[0, trained].isfinite().all()
    torch.testing.assert_close(b.loss, a.loss[:, ORDER], atol=1e-5, rtol=0)
    assert torch.equal(b.best_epoch, a.best_epoch[:, ORDER])
    for new, old in enumerate(ORDER):
        torch.testing.assert_close(
            b.outputs[:, output_slices(permuted.tasks)[new]],
            a.outputs[:, output_slices(development.tasks)[old]],
            atol=1e-5,
            rtol=0,
        )
    np.testing.assert_allclose(z_permuted.mean, z.mean[np.ix_(ORDER, ORDER)], atol=1e-5)
    np.testing.assert_allclose(
        z_permuted.standard_error, z.standard_error[np.ix_(ORDER, ORDER)], atol=1e-5
    )
    assert np.nanmax(np.abs(z.mean)) > 1e-3  # far above the tolerance


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_whatever_the_optimizer(name: str) -> None:
    development = make_development(KINDS)
    member = Member(name="m", weights=WEIGHTS, learning_rate=3e-3, optimizer=OPTIMIZERS[name])
    permuted = replace(member, weights=tuple(WEIGHTS[t] for t in ORDER))
    a = train(development, [member], executor="fused")
    b = train(only_tasks(development, ORDER), [permuted], executor="fused")
    torch.testing.assert_close(b.loss, a.loss[:, ORDER], atol=1e-5, rtol=0)


def test_renaming_tasks_changes_not_one_bit() -> None:
    development = make_development(KINDS)
    a, z = measured(development, WEIGHTS)
    b, z_renamed = measured(on_both(development, renamed), WEIGHTS)
    assert torch.equal(a.loss, b.loss)
    assert torch.equal(a.outputs, b.outputs)
    assert same(a.state.params, b.state.params)
    np.testing.assert_array_equal(z.mean, z_renamed.mean)
    np.testing.assert_array_equal(z.standard_error, z_renamed.standard_error)
    assert z_renamed.tasks == NAMES


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(0, 10**6), st.integers(1, 4))
def test_permuting_tasks_permutes_the_grouping(tasks: int, seed: int, groups: int) -> None:
    rng = np.random.default_rng(seed)
    z, order = rng.normal(size=(tasks, tasks)), rng.permutation(tasks)
    a = exact_grouping(z, max_groups=groups)
    b = exact_grouping(z[np.ix_(order, order)], max_groups=groups)
    assert b.objective == pytest.approx(a.objective, abs=1e-12)
    back = [tuple(sorted(int(order[t]) for t in b.group_of(new))) for new in range(tasks)]
    served = {int(order[new]): group for new, group in enumerate(back)}
    values = [group_value(z, served[t], t) for t in range(tasks)]  # ties may pick another group
    expected = [group_value(z, a.group_of(t), t) for t in range(tasks)]
    np.testing.assert_allclose(values, expected, atol=1e-12)


def group_value(z: Array, group: tuple[int, ...], task: int) -> float:
    others = [b for b in group if b != task]
    return float(z[task, others].mean()) if others else 0.0


def test_permuting_tasks_keeps_what_local_search_covers_and_bounds() -> None:
    rng = np.random.default_rng(3)
    z, order = rng.normal(size=(18, 18)), rng.permutation(18)
    a = local_search(z, max_groups=4)
    b = local_search(z[np.ix_(order, order)], max_groups=4)
    assert b.bound == pytest.approx(a.bound, abs=1e-12)
    assert b.objective == pytest.approx(a.objective, rel=0.2)  # a search may end elsewhere


def contender_predictions(development: Development) -> list[dict[str, Array]]:
    """Made-up predictions of two seeds; on every task another contender knows the labels best."""
    found: list[dict[str, Array]] = []
    valid, slices = development.valid, output_slices(development.tasks)
    for t, task in enumerate(development.tasks):
        size = slices[t].stop - slices[t].start
        truth = valid.targets[:, t].expand(size, -1)
        if task.name.startswith("m"):
            truth = (truth == torch.arange(3)[:, None]).float()
        signal = truth if task.name.startswith("r") else 4 * truth  # log-odds of classes
        own = {}
        for at, c in enumerate(("single", "joint", "groups", "trees")):
            noise = torch.from_numpy(np.random.default_rng([at, t]).normal(size=(2, size, 48)))
            own[c] = predictions([task], noise.float() + signal * (at == t % 4))[0]
        found.append(own)
    return found


def evaluation_of(development: Development, order: list[int]) -> tuple[Mixture, Evaluation]:
    """The mixture and the evaluation on the validation rows, with the tasks in the given order."""
    made_up = contender_predictions(development)
    ordered = only_tasks(development, order)
    mine = [made_up[t] for t in order]
    means = [{c: found.mean(axis=0) for c, found in own.items()} for own in mine]
    mixture = mix(ordered.tasks, means, ordered.valid.all_labels(), seed=0)
    grouping = Membership.hard(exact_grouping(np.zeros((len(order), len(order))), max_groups=1))
    counts = ordered.train.mask.sum(dim=0).tolist()
    found = evaluate(mixture, ordered.valid, mine, STANDARD, grouping, counts, seed=0)
    return mixture, found


def test_permuting_tasks_permutes_mixture_and_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cotrain.run.bootstrap.MOST_REPLICATES", 60)
    development = make_development(KINDS)
    mixture, evaluation = evaluation_of(development, list(range(5)))
    mixed, permuted = evaluation_of(development, ORDER)
    knows = ["single", "joint", "groups", "trees", "single"]
    assert [max(own, key=lambda c: own[c]) for own in mixture.weights] == knows
    assert (mixed.sharpness, mixed.reach) == (mixture.sharpness, mixture.reach)
    for new, old in enumerate(ORDER):
        assert mixed.weights[new] == pytest.approx(mixture.weights[old], abs=1e-9)
        assert mixed.expected[new] == pytest.approx(mixture.expected[old], abs=1e-9)
        a, b = evaluation.tasks[old], permuted.tasks[new]
        assert (a.name, a.test, a.valid, a.seed_std) == (b.name, b.test, b.valid, b.seed_std)
        assert (a.shipped, a.gain_over_single.low) == pytest.approx(
            (b.shipped, b.gain_over_single.low), abs=1e-12
        )
    for pair, gain in evaluation.overall.items():
        assert permuted.overall[pair].value == pytest.approx(gain.value, abs=1e-12)
        assert permuted.overall[pair].low == pytest.approx(gain.low, abs=1e-12)


def test_joint_and_single_members_keep_their_meaning_when_permuted() -> None:
    development = make_development("bb")
    progress = train(development, [joint(2), Member(name="s", weights=(1.0, 0.0))])
    swapped = train(
        only_tasks(development, [1, 0]), [joint(2), Member(name="s", weights=(0.0, 1.0))]
    )
    torch.testing.assert_close(swapped.loss, progress.loss[:, [1, 0]], atol=1e-6, rtol=0)
    assert progress.loss[1, 1].isinf()
    assert swapped.loss[1, 0].isinf()
