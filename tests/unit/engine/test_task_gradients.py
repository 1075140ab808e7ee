"""Every way of weighing tasks composes with an optimizer that keeps moments for each of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny import EXECUTORS, OPTIMIZERS, RECIPE, distance, make_architecture, make_development, train
from torch import nn
from torchjd import aggregation as agg

from cotrain.engine.loss_weighting import FIXED, LossWeighting
from cotrain.engine.member import Member
from cotrain.engine.optimizers import AdamW, TaskAdam
from cotrain.engine.state import Tensors, is_shared
from cotrain.engine.task_gradients import StepGradients
from cotrain.errors import InputError
from cotrain.weighting import (
    FAMO,
    IMTLL,
    ITMTL,
    Aggregated,
    Combined,
    FirstOrderScore,
    Random,
    Singles,
    Uncertainty,
)
from cotrain.weighting.itmtl import _updated_heads

KINDS = "brmb"
PCGRAD = Aggregated(aggregator=agg.PCGrad())
METHODS: dict[str, LossWeighting] = {
    "uniform": FIXED,
    "UW": Uncertainty(),
    "RLW": Random(),
    "IMTL-L": IMTLL(),
    "FAMO": FAMO(),
    "PCGrad": PCGRAD,
    "UW, then UPGrad": Aggregated(aggregator=agg.UPGrad(), weighting=Uncertainty()),
    "Aligned": Aggregated(aggregator=agg.AlignedMTL()),
    "IT-MTL": ITMTL(),
    "IT-MTL to first order": ITMTL(score=FirstOrderScore()),
    "IT-MTL of PCGrad": ITMTL(candidates=(Combined(by=PCGRAD), Singles())),
}


def member(weighting: LossWeighting = FIXED, weights: tuple[float, ...] = (1.0,) * 4) -> Member:
    return Member(
        name="m", weights=weights, learning_rate=1e-2, weighting=weighting, optimizer=TaskAdam()
    )


@pytest.mark.parametrize("name", METHODS)
def test_methods_compose(name: str) -> None:
    """They train, on partial labels; executors agree; and it is not what AdamW does."""
    development = make_development(KINDS, missing=0.4)
    recipe = replace(RECIPE, epochs=2)
    one = member(METHODS[name])
    found = train(development, [one], executor="fused", recipe=recipe)
    again = train(development, [one], executor="sequential", recipe=recipe)
    assert distance(found.state.params, again.state.params) < 5e-4
    other = train(development, [replace(one, optimizer=AdamW())], executor="fused", recipe=recipe)
    shared = {k: v for k, v in found.state.params.items() if is_shared(k)}
    assert distance(shared, {k: other.state.params[k] for k in shared}) > 1e-3


@pytest.mark.parametrize("executor", EXECUTORS)
def test_one_task_is_adamw(executor: str) -> None:
    """T = 1, and T = 4 with a single task that counts."""
    for kinds, weights in (("b", (1.0,)), (KINDS, (0.0, 0.0, 2.0, 0.0))):
        development = make_development(kinds, missing=0.0)
        one = member(weights=weights)
        found = train(development, [one], executor=executor)
        expected = train(development, [replace(one, optimizer=AdamW())], executor=executor)
        assert distance(found.state.params, expected.state.params) < 1e-5


def test_a_task_without_labels_in_a_batch_takes_no_part() -> None:
    """Two tasks of which one has no label at all: as if it were alone."""
    development = make_development("bb", missing=0.0)
    development.train.mask[:, 1] = False
    found = train(development, [member(weights=(1.0, 1.0))], executor="fused")
    alone = train(development, [member(weights=(1.0, 0.0))], executor="fused")
    shared = [name for name in found.state.params if is_shared(name)]
    assert all(torch.equal(found.state.params[k], alone.state.params[k]) for k in shared)


def test_a_direction_without_tasks_is_refused() -> None:
    one = member(Aggregated(aggregator=agg.GradDrop()))
    with pytest.raises(
        InputError, match=r"TaskAdam.* keeps moments for each task, but this direction"
    ):
        train(make_development(KINDS), [one])


def test_without_a_shared_part_there_are_only_heads() -> None:
    def encoder() -> nn.Module:
        return nn.Identity()

    development = make_development(KINDS, missing=0.4)
    architecture = make_architecture(development, encoder=encoder)
    one = member()
    found = train(development, [one], architecture=architecture).state.params
    plain = replace(one, optimizer=AdamW())
    expected = train(development, [plain], architecture=architecture).state.params
    assert distance(found, expected) < 1e-6


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_lookahead_sees_the_heads_as_their_optimizer_leaves_them(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Tensors] = []

    def updated(step_gradients: StepGradients, heads: Tensors) -> Tensors:
        seen.append(_updated_heads(step_gradients, heads))
        return seen[-1]

    monkeypatch.setattr("cotrain.weighting.itmtl._updated_heads", updated)
    one = replace(member(ITMTL()), optimizer=OPTIMIZERS[name])
    found = train(make_development(KINDS, missing=0.4), [one], executor="fused").state.params
    assert len(seen) == 24
    for key, tensor in seen[-1].items():
        assert torch.equal(tensor, found[key])
        assert not torch.equal(tensor, seen[-2][key])
