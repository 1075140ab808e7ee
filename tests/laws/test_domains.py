"""The laws where tasks are domains: rows of their own, one head, weights that are sampling rates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import (
    EXECUTORS,
    RECIPE,
    distance,
    make_architecture,
    make_domains,
    make_executor,
    small_engine,
    train,
)
from torch import Tensor

from cotrain.data.dataset import Development, TaskData
from cotrain.engine.batches import batch_count, draw_rows, feed, take
from cotrain.engine.executors.base import weighted_gradients
from cotrain.engine.initial import initial_state
from cotrain.engine.member import Member
from cotrain.engine.models.losses import TaskLosses
from cotrain.engine.models.multitask import HEAD
from cotrain.engine.recipe import Recipe
from cotrain.weighting import IMTLL, ITMTL, Aggregated, Random, Uncertainty

SIZES = (90, 50, 70)
MEMBERS = [
    Member(name=f"m{at}", weights=weights, seed=at % 2)
    for at, weights in enumerate(
        [(1.0, 1.0, 1.0), (0.0, 1.0, 0.0), (3.0, 0.5, 0.0), (1.0, 1.0, 1.0), (1.0, 2.0, 5.0)]
    )
]


def permuted(data: TaskData, order: list[int]) -> TaskData:
    """The domains listed in another order; the rows stay."""
    return replace(
        data,
        targets=data.targets[:, order],
        mask=data.mask[:, order],
        tasks=tuple(data.tasks[t] for t in order),
        domains=tuple(data.domains[t] for t in order if data.domains),
    )


@pytest.mark.parametrize("one", [True, False])
@pytest.mark.parametrize("name", ["vmap", "fused"])
def test_executors_agree(name: str, one: bool) -> None:
    development = make_domains(SIZES, one_label_space=one)
    expected = train(development, MEMBERS)
    found = train(development, MEMBERS, executor=name)
    assert distance(found.state.params, expected.state.params) < 1e-4
    torch.testing.assert_close(found.outputs, expected.outputs, atol=1e-4, rtol=0)
    assert expected.state.params[f"{HEAD}bias"].shape[1] == (3 if one else 9)
    assert expected.outputs.shape[1] == 9


@pytest.mark.parametrize("name", EXECUTORS)
@pytest.mark.parametrize("alone", range(5))
def test_company_changes_nothing(name: str, alone: int) -> None:
    development = make_domains(SIZES)
    together = train(development, MEMBERS, executor=name)
    single = train(development, [MEMBERS[alone]], executor=name)
    assert distance(single.state.params, together.state.select([alone]).params) < 1e-5
    torch.testing.assert_close(single.loss[0], together.loss[alone], atol=1e-5, rtol=0)


@pytest.mark.parametrize("order", [[2, 0, 1], [1, 0, 2]])
def test_permuting_domains_permutes_answers(order: list[int]) -> None:
    development = make_domains(SIZES)
    moved = Development(
        train=permuted(development.train, order), valid=permuted(development.valid, order)
    )
    members = [replace(m, weights=tuple(m.weights[t] for t in order)) for m in MEMBERS]
    expected, found = train(development, MEMBERS), train(moved, members)
    torch.testing.assert_close(found.loss, expected.loss[:, order], atol=1e-5, rtol=0)
    assert torch.equal(found.best_epoch, expected.best_epoch[:, order])


def test_a_domain_of_rate_zero_has_no_influence() -> None:
    development = make_domains(SIZES)
    data = development.train
    third = data.mask[:, 2]
    changed = replace(
        data,
        inputs=torch.where(third[:, None], data.inputs + 100.0, data.inputs),
        domains=(*data.domains[:2], 12345),
    )
    member = Member(name="two", weights=(1.0, 2.0, 0.0))
    expected = train(development, [member])
    found = train(replace(development, train=changed), [member])
    assert distance(found.state.params, expected.state.params) == 0
    every = replace(member, weights=(1.0, 2.0, 0.1))
    assert (
        distance(
            train(replace(development, train=changed), [every]).state.params,
            train(development, [every]).state.params,
        )
        > 1e-3
    )


def draws(data: TaskData, recipe: Recipe, epoch: int, rates: Tensor) -> Tensor:
    """``[R, slots]`` rows of an epoch at each of R vectors of rates."""
    rows, size = np.arange(len(data)), batch_count(len(data), recipe.batch_size)
    slots = len(data) // size * size
    seed = (recipe.data_seed, epoch)
    return torch.stack([draw_rows(data, rows, seed, slots, own) for own in rates])


def test_rows_come_at_their_rates_and_every_row_before_any_again() -> None:
    data = make_domains((400, 100, 60)).train
    rates = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, 3.0], [0.0, 1.0, 0.0]])
    recipe = replace(RECIPE, batch_size=32)
    drawn = [draws(data, recipe, epoch, rates) for epoch in range(20)]
    domain = data.mask.int().argmax(dim=1)
    counts = np.mean(
        [[np.bincount(domain[row], minlength=3) for row in rows] for rows in drawn], axis=0
    )
    shares = counts / counts.sum(axis=1, keepdims=True)
    expected = rates / rates.sum(dim=1, keepdim=True)
    np.testing.assert_allclose(
        shares, expected, atol=0.012
    )  # 3 standard errors of 8,960 draws: .015
    for rows in drawn[0]:
        times = np.bincount(rows, minlength=len(data))
        for own in (domain == d for d in range(3)):
            assert np.ptp(times[own.numpy()]) <= 1


def test_near_rates_read_near_rows() -> None:
    data = make_domains((400, 100, 60)).train
    rates = torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 1.05]])
    winner = data.mask.int().argmax(dim=1)[draws(data, RECIPE, 0, rates)]
    assert 0 < (winner[0] != winner[1]).float().mean() < 0.03


def test_loss_is_the_mean_over_rows_drawn() -> None:
    development = make_domains(SIZES)
    architecture = make_architecture(development, dropout=0.0, input_dropout=0.0)
    state = initial_state(architecture, MEMBERS)
    state.params[f"{HEAD}weight"].normal_(generator=torch.Generator().manual_seed(1))
    losses = TaskLosses(development.tasks)
    weights = torch.tensor([member.weights for member in MEMBERS])
    batch, own = next(feed(development, RECIPE, 0, weights, [0] * len(weights)))
    found = weighted_gradients(make_executor("fused", architecture), state, batch, losses, own)
    for row in range(len(MEMBERS)):
        net = architecture.build(MEMBERS[row].seed).eval()
        net.load_state_dict(state.model(row), strict=False)
        mine = batch.of(row)
        labels = mine.targets.sum(dim=0).long()  # each row has one label
        logits = net.head(net.encoder(mine.inputs))
        torch.nn.functional.cross_entropy(logits, labels).backward()
        for name, parameter in net.named_parameters():
            assert parameter.grad is not None
            torch.testing.assert_close(found[name][row], parameter.grad, atol=1e-6, rtol=1e-5)


def gradient_of_domain(
    development: Development, state_row: dict[str, Tensor], rows: Tensor, domain: int
) -> Tensor:
    """By autograd, the mean loss of a domain's rows by the encoder's parameters."""
    net = make_architecture(development, dropout=0.0, input_dropout=0.0).build(0).eval()
    net.load_state_dict(state_row, strict=False)
    own = take(development.train, rows[development.train.mask[rows, domain]])
    logits = net.head(net.encoder(own.inputs))
    loss = torch.nn.functional.cross_entropy(logits, own.targets[domain].long())
    return torch.cat(
        [g.flatten() for g in torch.autograd.grad(loss, list(net.encoder.parameters()))]
    )


@pytest.mark.parametrize("name", EXECUTORS)
def test_gradients_of_domains_under_one_head(name: str) -> None:
    development = make_domains(SIZES)
    architecture = make_architecture(development, dropout=0.0, input_dropout=0.0)
    state = initial_state(architecture, MEMBERS)
    state.params[f"{HEAD}weight"].normal_(generator=torch.Generator().manual_seed(1))
    losses = TaskLosses(development.tasks)
    weights = torch.tensor([member.weights for member in MEMBERS])
    state.set_keys(torch.zeros(5, dtype=torch.int64))
    batch, _ = next(feed(development, RECIPE, 0, weights, [0] * len(weights)))
    passed = make_executor(name, architecture).forward(state, batch)
    output_gradient = losses.output_gradient(
        passed.outputs, batch.targets, batch.shares, torch.ones(5, 3)
    )
    for row, own in enumerate(passed.task_gradients(output_gradient, losses.slices)):
        flat = torch.cat([tensor.flatten(1) for tensor in own.values()], dim=1)
        one = state.model(row)
        for domain in range(3):
            if bool(batch.present[row, domain]):
                expected = gradient_of_domain(development, one, batch.rows[row], domain)
                torch.testing.assert_close(flat[domain], expected, atol=1e-6, rtol=1e-4)
            else:
                assert not flat[domain].any()


@pytest.mark.parametrize(
    "weighting", [Random(), Uncertainty(), IMTLL(), ITMTL(), None], ids=lambda w: type(w).__name__
)
def test_methods_keep_company_law_on_domains(weighting: object) -> None:
    if weighting is None:
        torchjd = pytest.importorskip("torchjd.aggregation")
        weighting = Aggregated(aggregator=torchjd.UPGrad())
    development = make_domains(SIZES)
    members = [replace(member, weighting=weighting) for member in MEMBERS]
    together = train(development, members)
    single = train(development, members[4:])
    assert distance(single.state.params, together.state.select([4]).params) < 1e-4
    if not isinstance(weighting, ITMTL):  # it picks among near ties at the start
        fused = train(development, members, executor="fused")
        assert distance(fused.state.params, together.state.params) < 1e-4


def test_kill_and_resume(tmp_path: Path) -> None:
    development = make_domains(SIZES)
    expected = small_engine(development, tmp_path / "whole").train("t", MEMBERS)

    class Killed(Exception):
        pass

    epochs = 0

    def kill(_: object) -> None:
        nonlocal epochs
        epochs += 1
        if epochs == 3:
            raise Killed

    stopped = small_engine(development, tmp_path / "cut", watch=kill, checkpoint_seconds=0.0)
    with pytest.raises(Killed):
        stopped.train("t", MEMBERS)
    found = small_engine(development, tmp_path / "cut").train("t", MEMBERS)
    assert torch.equal(found.outputs, expected.outputs)
    assert torch.equal(found.best_epoch, expected.best_epoch)
