"""Law 4: a task of weight 0 has no influence on anything shared.

Bit for bit, its labels may be anything. Leaving its column out altogether removes a zero term from the
sum over outputs in ``head.weightᵀ · output_gradient``; the product then adds the remaining terms in another
order, so the encoder agrees to the last bits of float32 and not exactly.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny import (
    EXECUTORS,
    OPTIMIZERS,
    distance,
    first_batch,
    make_architecture,
    make_development,
    make_executor,
    on_both,
    only_tasks,
    same,
    train,
)

from cotrain.data.dataset import Development, TaskData
from cotrain.engine.executors.base import weighted_gradients
from cotrain.engine.member import Member
from cotrain.engine.models.losses import TaskLosses
from cotrain.engine.models.multitask import ENCODER
from cotrain.engine.state import Tensors
from cotrain.engine.training import Progress
from cotrain.tasks import output_slices

KINDS = "brmb"
WEIGHTS = (1.0, 0.5, 2.0, 1.5)
LAST_BITS = 1e-6  # 24 steps of AdamW on parameters of size 1


def shared(tensors: Tensors) -> Tensors:
    return {name: tensor for name, tensor in tensors.items() if name.startswith(ENCODER)}


def without_weight(task: int) -> Member:
    weights = tuple(0.0 if t == task else w for t, w in enumerate(WEIGHTS))
    return Member(name="m", weights=weights, learning_rate=3e-3)


def fit(development: Development, member: Member, executor: str) -> Progress:
    return train(development, [member], executor=executor)


def scrambled(development: Development, task: int) -> Development:
    """Other labels of a task, in other places."""

    def change(data: TaskData) -> TaskData:
        targets, mask = data.targets.clone(), data.mask.clone()
        targets[:, task] = 1 - targets[:, task] if KINDS[task] == "b" else targets[:, task].flip(0)
        mask[:, task] = ~mask[:, task]
        return replace(data, targets=targets, mask=mask)

    return on_both(development, change)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("task", [1, 2])
def test_whatever_the_optimizer(name: str, task: int) -> None:
    development = make_development(KINDS)
    architecture = make_architecture(development)
    member = replace(without_weight(task), optimizer=OPTIMIZERS[name])
    a, b = (
        train(data, [member], executor="fused", architecture=architecture).state
        for data in (development, scrambled(development, task))
    )
    for part in ("params", "momentum", "variance"):
        assert same(shared(getattr(a, part)), shared(getattr(b, part)))
    full = train(development, [replace(member, weights=WEIGHTS)], architecture=architecture)
    assert distance(shared(full.state.params), shared(a.params)) > 1e-4


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("task", range(4))
def test_its_labels_have_no_influence(executor: str, task: int) -> None:
    development = make_development(KINDS)
    architecture = make_architecture(development)  # the same starting bias for both
    a, b = (
        train(data, [without_weight(task)], executor=executor, architecture=architecture)
        for data in (development, scrambled(development, task))
    )
    assert same(shared(a.state.params), shared(b.state.params))
    assert same(shared(a.state.variance), shared(b.state.variance))
    assert torch.equal(a.loss, b.loss)
    assert a.loss[0, task].isinf()


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("task", range(4))
def test_leaving_it_out_changes_at_most_the_last_bits(executor: str, task: int) -> None:
    development = make_development(KINDS)
    kept = [t for t in range(4) if t != task]
    a = fit(development, without_weight(task), executor)
    weights = tuple(WEIGHTS[t] for t in kept)
    b = fit(
        only_tasks(development, kept),
        Member(name="m", weights=weights, learning_rate=3e-3),
        executor,
    )
    assert distance(shared(a.state.params), shared(b.state.params)) < LAST_BITS
    torch.testing.assert_close(a.loss[:, kept], b.loss, atol=LAST_BITS, rtol=0)
    assert torch.equal(a.best_epoch[:, kept], b.best_epoch)
    full = train(development, [Member(name="m", weights=WEIGHTS, learning_rate=3e-3)])
    assert distance(shared(full.state.params), shared(b.state.params)) > 100 * LAST_BITS


@pytest.mark.parametrize("executor", EXECUTORS)
def test_its_head_gets_no_gradient_and_the_other_heads_the_same(executor: str) -> None:
    development = make_development(KINDS)
    task, kept = 2, [0, 1, 3]
    smaller = only_tasks(development, kept)
    slices = output_slices(development.tasks)
    rows = [o for t in kept for o in range(slices[t].start, slices[t].stop)]
    state = fit(development, without_weight(task), executor).state
    less = state.map(torch.clone)
    for part in (less.params,):
        part["head.weight"], part["head.bias"] = (
            part["head.weight"][:, rows],
            part["head.bias"][:, rows],
        )
    runners = [make_executor(executor, make_architecture(data)) for data in (development, smaller)]
    weights = torch.tensor([without_weight(task).weights])
    a, b = (
        weighted_gradients(
            runner, own, first_batch(data.train), TaskLosses(data.tasks), weights[:, at]
        )
        for runner, own, data, at in zip(
            runners, (state, less), (development, smaller), (slice(None), kept), strict=True
        )
    )
    assert (a["head.weight"][:, slices[task]] == 0).all()
    assert (a["head.bias"][:, slices[task]] == 0).all()
    assert (a["head.weight"][:, rows] != 0).any()
    torch.testing.assert_close(a["head.weight"][:, rows], b["head.weight"], atol=1e-7, rtol=0)
    assert torch.equal(a["head.bias"][:, rows], b["head.bias"])
    assert distance(shared(a), shared(b)) < 1e-7
