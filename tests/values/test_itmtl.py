"""IT-MTL against a slow reference, by hand, and the laws."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from tiny import EXECUTORS, batches, make_architecture, make_development, only_tasks, train
from torch import Tensor, nn
from torchjd import aggregation as agg

from cotrain.data.dataset import Development
from cotrain.engine.batches import Batch
from cotrain.engine.loss_weighting import FIXED
from cotrain.engine.member import Member
from cotrain.engine.models.losses import TaskLosses
from cotrain.engine.optimizers import learning_rate_share
from cotrain.engine.recipe import Recipe
from cotrain.engine.state import Tensors, is_shared
from cotrain.errors import InputError
from cotrain.weighting import (
    ITMTL,
    Aggregated,
    Candidates,
    Combined,
    ExactScore,
    FirstOrderScore,
    LeaveOneOut,
    OptimalUncertainty,
    Score,
    Sets,
    Singles,
    Together,
)
from cotrain.weighting.itmtl import best_candidate

KINDS = "brmb"
RATE = 1e-2
RECIPE = Recipe(epochs=6, batch_size=32, patience=99, warmup=0.25)
ALL_SETS = torch.cat([torch.ones(1, 4), torch.eye(4), 1 - torch.eye(4)])


def shuffled(**options: Any) -> Development:
    """Labels without truth, so that the tasks' gradients disagree and the choice changes by step."""
    development, draw = make_development(KINDS, **options), torch.Generator().manual_seed(3)
    targets = development.train.targets
    for task in range(targets.shape[1]):
        targets[:, task] = targets[torch.randperm(len(targets), generator=draw), task]
    return development


def measured(net: nn.Module, batch: Batch, losses: TaskLosses) -> Tensor:
    return losses.means(net(batch.inputs).T, batch.targets, batch.shares)


@dataclass(kw_only=True)
class Slow:
    """One step of a plain loop: autograd, and a deep copy of everything for every candidate."""

    net: Any
    optimizer: torch.optim.Optimizer
    batch: Batch
    losses: TaskLosses
    weights: Tensor
    size: float

    def __post_init__(self) -> None:
        before = measured(self.net, self.batch, self.losses)
        self.shared = list(self.net.encoder.parameters())
        self.rows = [
            flat(torch.autograd.grad(loss, self.shared, retain_graph=True)) for loss in before
        ]
        self.heads = torch.autograd.grad(
            (self.weights * before).sum(), list(self.net.head.parameters())
        )
        self.before = before.detach()

    def direction(self, inside: Tensor) -> Tensor:
        weighted = zip(inside, self.weights, self.rows, strict=True)
        return torch.stack([c * w * row for c, w, row in weighted]).sum(dim=0)

    def exact(self, direction: Tensor) -> Tensor:
        twin, optimizer = copied(self.net, self.optimizer)
        assign(twin.head.parameters(), flat(self.heads))
        optimizer.step()  # the encoder has no gradient: only the heads move
        with torch.no_grad():
            moved = flat(twin.encoder.parameters()) - self.size * direction
            nn.utils.vector_to_parameters(moved, twin.encoder.parameters())
            return 1 - measured(twin, self.batch, self.losses) / self.before

    def first_order(self, direction: Tensor) -> Tensor:
        return self.size * torch.stack([direction @ row for row in self.rows]) / self.before

    def take(self, direction: Tensor) -> None:
        assign(self.net.head.parameters(), flat(self.heads))
        assign(self.shared, direction)
        self.optimizer.step()
        self.optimizer.zero_grad()


def flat(tensors: Iterable[Tensor]) -> Tensor:
    return torch.cat([tensor.flatten() for tensor in tensors])


def assign(parameters: Iterable[Tensor], gradient: Tensor) -> None:
    at = 0
    for parameter in parameters:
        parameter.grad = gradient[at : at + parameter.numel()].view_as(parameter).clone()
        at += parameter.numel()


def reference(
    development: Development,
    falls: Callable[[Slow, Tensor], Tensor],
    *,
    step_scale: float,
    weights: Tensor,
) -> tuple[Tensors, list[int]]:
    """A plain loop with the slow steps. Also returns the choices."""
    net = make_architecture(development, dropout=0.0, input_dropout=0.0).build(seed=0)
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=RECIPE.weight_decay)
    steps, step, chosen = RECIPE.epochs * 3, 0, []
    for epoch in range(RECIPE.epochs):
        for batch in batches(development.train, RECIPE, epoch):
            rate = RATE * learning_rate_share(step, steps, RECIPE.warmup)
            optimizer.param_groups[0]["lr"] = rate
            slow = Slow(
                net=net,
                optimizer=optimizer,
                batch=batch,
                losses=TaskLosses(development.tasks),
                weights=weights,
                size=step_scale * rate,
            )
            directions = [slow.direction(inside) for inside in ALL_SETS]
            scores = torch.stack([(weights * falls(slow, d)).sum() for d in directions])
            chosen.append(int(scores.argmax()))
            slow.take(directions[chosen[-1]])
            step += 1
    return {name: p.detach() for name, p in net.named_parameters()}, chosen


def copied(net: Any, optimizer: torch.optim.Optimizer) -> tuple[Any, torch.optim.Optimizer]:
    twin = copy.deepcopy(net)
    own = torch.optim.AdamW(twin.parameters(), lr=RATE, weight_decay=RECIPE.weight_decay)
    own.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    return twin, own


def ours(development: Development, method: ITMTL, weights: Tensor, executor: str) -> Tensors:
    member = Member(name="m", weights=tuple(weights.tolist()), learning_rate=RATE, weighting=method)
    architecture = make_architecture(development, dropout=0.0, input_dropout=0.0)
    progress = train(
        development, [member], executor=executor, recipe=RECIPE, architecture=architecture
    )
    return {name: tensor[0] for name, tensor in progress.state.params.items()}


def apart(a: Tensors, b: Tensors) -> float:
    return max(float((a[name] - b[name]).abs().max()) for name in a)


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("score", [ExactScore(), FirstOrderScore()], ids=repr)
@pytest.mark.parametrize("weights", [[1.0] * 4, [1.0, 0.5, 2.0, 1.0]])
def test_training_is_the_slow_reference(score: Score, weights: list[float], executor: str) -> None:
    development, own = shuffled(missing=0.0), torch.tensor(weights)
    expected, chosen = reference(
        development,
        Slow.exact if isinstance(score, ExactScore) else Slow.first_order,
        step_scale=30.0,
        weights=own,
    )
    assert len(set(chosen)) > 1  # it was a choice
    found = ours(development, ITMTL(score=score, step_scale=30.0), own, executor)
    assert apart(found, expected) < 1e-4


def test_the_ordinary_step_is_chosen_where_it_is_alone() -> None:
    development = shuffled(missing=0.3)
    alone = ITMTL(candidates=(Together(),), weighting=OptimalUncertainty())
    member = Member(name="m", weights=(1.0,) * 4, learning_rate=RATE, weighting=alone)
    plain = replace(member, weighting=OptimalUncertainty())
    found, expected = (
        train(development, [one], executor="fused", recipe=RECIPE) for one in (member, plain)
    )
    for name, value in expected.state.params.items():
        torch.testing.assert_close(found.state.params[name], value, atol=1e-6, rtol=1e-5)


METHODS: dict[str, ITMTL] = {
    "exact": ITMTL(step_scale=10.0),
    "first order": ITMTL(score=FirstOrderScore(), step_scale=10.0),
    "sets": ITMTL(candidates=(Sets(sets=((0, 1), (2, 3), (1,))),), step_scale=10.0),
    "pcgrad": ITMTL(candidates=(Together(), Combined(by=Aggregated(aggregator=agg.PCGrad())))),
    "uncertain": ITMTL(weighting=OptimalUncertainty(), score=FirstOrderScore()),
}


@pytest.mark.parametrize("name", METHODS)
def test_company_and_executor_change_nothing(name: str) -> None:
    """Laws 2 and 4, with partial labels and dropout; as many members as candidates, and more."""
    development = make_development(KINDS, missing=0.4)
    weights = [(1.0,) * 4, (1.0, 0.0, 1.0, 0.5), (0.0, 1.0, 1.0, 1.0)]
    members = [
        Member(name=str(at), weights=w, seed=at, learning_rate=RATE, weighting=METHODS[name])
        for at, w in enumerate(weights)
    ]
    short = replace(RECIPE, epochs=1)
    together = train(development, members, executor="fused", recipe=short)
    for at, member in enumerate(members):
        alone = train(development, [member], executor="sequential", recipe=short)
        for key, value in alone.state.params.items():
            assert torch.allclose(together.state.params[key][at], value[0], atol=5e-4), key
    scrambled = replace(
        development,
        train=replace(
            development.train,
            targets=development.train.targets * torch.tensor([1.0, 0.0, 1.0, 1.0]),
        ),
    )
    again = train(scrambled, [members[1]], executor="fused", recipe=short)
    expected = train(development, [members[1]], executor="fused", recipe=short)
    key = "encoder.linears.0.weight"
    assert torch.equal(again.state.params[key], expected.state.params[key])


@pytest.mark.parametrize("score", [ExactScore(), FirstOrderScore()], ids=repr)
def test_permuting_tasks_permutes(score: Score) -> None:
    development, order = shuffled(missing=0.2), [2, 0, 3, 1]
    method, own = ITMTL(score=score, step_scale=30.0), torch.ones(4)
    first = ours(development, method, own, "fused")
    second = ours(only_tasks(development, order), method, own, "fused")
    for key in filter(is_shared, first):
        torch.testing.assert_close(second[key], first[key], atol=2e-4, rtol=0)


def test_looking_leaves_batch_norm_alone() -> None:
    """Statistics are updated once a step, however many candidates are looked at."""
    development = make_development(KINDS)

    def encoder() -> nn.Module:
        return nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.ReLU())

    architecture = make_architecture(development, encoder=encoder)
    member = Member(name="m", weights=(1.0,) * 4, weighting=ITMTL(candidates=(Together(),)))
    runs = [
        train(development, [one], architecture=architecture)
        for one in (member, replace(member, weighting=OptimalUncertainty()))
    ]
    counted = [run.state.buffers["encoder.1.num_batches_tracked"].tolist() for run in runs]
    assert counted[0] == counted[1] == [24]


@pytest.mark.parametrize("score", [ExactScore(), FirstOrderScore()], ids=repr)
@pytest.mark.parametrize("kinds", ["b", "bb"])
def test_one_task_and_no_labels(score: Score, kinds: str) -> None:
    """T = 1: the empty set that leaves it out is no candidate. No label anywhere: nothing moves."""
    development = make_development(kinds, missing=0.0)
    method = ITMTL(score=score)
    member = Member(name="m", weights=(1.0,) * len(kinds), learning_rate=RATE, weighting=method)
    found = train(development, [member], executor="fused", recipe=RECIPE)
    assert not found.diverged
    if len(kinds) == 1:
        only = replace(member, weighting=FIXED)
        plain = train(development, [only], executor="fused", recipe=RECIPE)
        assert apart(found.state.params, plain.state.params) < 1e-5
    development = make_development(kinds, missing=1.0)
    still = train(development, [replace(member, weight_decay=0.0)], executor="fused", recipe=RECIPE)
    start = train(development, [member], executor="fused", recipe=replace(RECIPE, epochs=0))
    assert apart(still.state.params, start.state.params) == 0


def test_bad_choices_are_refused() -> None:
    with pytest.raises(InputError, match="candidates is empty"):
        ITMTL(candidates=())
    with pytest.raises(InputError, match="step_scale must be positive"):
        ITMTL(step_scale=0.0)
    development = make_development("bb")
    beyond: tuple[Candidates, ...] = (Sets(sets=((0, 5),)),)
    member = Member(name="m", weights=(1.0, 1.0), weighting=ITMTL(candidates=beyond))
    with pytest.raises(InputError, match=r"set \(0, 5\) names a task beyond the 2"):
        train(development, [member])
    assert repr(Singles()) + repr(LeaveOneOut()) == "Singles()LeaveOneOut()"


def test_the_best_candidate_by_hand() -> None:
    """Scores 1·.1 + 2·.2 = .5, .6, an empty candidate, one not finite; then the first of equals."""
    falls = torch.tensor([[0.1, 0.2, 9.0], [0.6, 0.0, 9.0], [1.0, 1.0, 9.0], [torch.nan, 1.0, 9.0]])
    importance = torch.tensor([1.0, 2.0, 0.0])
    candidates = torch.tensor([[1.0, 2.0, 0.0], [1.0, 0.0, 0.0], [0.0] * 3, [0.0, 2.0, 0.0]])
    assert best_candidate(candidates, falls, importance) == 1
    assert best_candidate(candidates, torch.zeros(4, 3), importance) == 0
    assert best_candidate(candidates, torch.full((4, 3), torch.nan), importance) == 0
