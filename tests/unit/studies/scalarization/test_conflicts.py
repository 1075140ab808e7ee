"""The share of conflicting gradients, against the tasks' gradients by autograd."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import RECIPE, make_architecture, make_development, on_both, small_engine, train
from torch import Tensor
from torch.func import functional_call

from cotrain.data.dataset import Development, TaskData
from cotrain.engine.member import Member
from cotrain.engine.models.losses import TaskLosses
from cotrain.engine.step import TrainingStep
from cotrain.engine.training import Progress, train_cohort
from cotrain.studies import probing
from cotrain.studies.scalarization import conflicts
from cotrain.studies.scalarization.conflicts import conflict_shares

PAIRS = [(0, 1), (2, 0), (1, 2)]


def members(tasks: int = 3) -> list[Member]:
    return [
        Member(
            name="pair",
            weights=tuple(0.5 * (t in pair) for t in range(tasks)),
            seed=seed,
            learning_rate=0.01,
        )
        for seed, pair in enumerate(PAIRS)
    ]


def task_gradients(development: Development, step: TrainingStep, net: torch.nn.Module) -> Tensor:
    """``[T, D]`` of the first member, by autograd, without dropout."""
    losses = TaskLosses(development.tasks)
    params = {k: v[0].detach().clone().requires_grad_() for k, v in step.state.params.items()}
    outputs = functional_call(net.eval(), params, (step.batch.inputs,)).T
    means = losses.means(outputs, step.batch.targets, step.batch.shares)
    shared = [tensor for name, tensor in params.items() if name.startswith("encoder")]
    rows = [torch.autograd.grad(mean, shared, retain_graph=True) for mean in means]
    return torch.stack([torch.cat([part.flatten() for part in row]) for row in rows])


def test_shares_by_hand(tmp_path: Path) -> None:
    development = make_development("brm")
    found, cost = conflict_shares(small_engine(development, tmp_path), members(), PAIRS)
    architecture = make_architecture(development)
    net = architecture.build(seed=0)
    for member, (a, b), share in zip(members(), PAIRS, found, strict=True):
        seen: list[float] = []

        def look(step: TrainingStep, a: int = a, b: int = b, seen: list[float] = seen) -> None:
            if step.state.step:
                gradients = task_gradients(development, step, net)
                seen.append(float(gradients[a] @ gradients[b] < 0))

        train(development, [member], executor="fused", before_update=look)
        assert len(seen) == 23  # of 24 steps
        assert share == pytest.approx(np.mean(seen))
        assert 0 < share < 1
    assert (cost.trainings, cost.examples) == (3, 3 * 4 * 96)


def test_a_member_s_share_does_not_depend_on_its_company(tmp_path: Path) -> None:
    development = make_development("brm")
    together, _ = conflict_shares(small_engine(development, tmp_path / "all"), members(), PAIRS)
    for at, member in enumerate(members()):
        engine = small_engine(development, tmp_path / str(at))
        alone, _ = conflict_shares(engine, [member], PAIRS[at : at + 1])
        assert alone.tolist() == together[at : at + 1].tolist()


def test_a_task_never_conflicts_with_its_copy_nor_with_its_negation(tmp_path: Path) -> None:
    def change(data: TaskData) -> TaskData:
        targets, mask = data.targets.clone(), data.mask.clone()
        targets[:, 1], targets[:, 2] = targets[:, 0], 1 - targets[:, 0]
        mask[:, 1:] = mask[:, :1]
        return replace(data, targets=targets, mask=mask)

    development = on_both(make_development("bbb"), change)
    found, _ = conflict_shares(small_engine(development, tmp_path), members(), PAIRS)
    assert found.tolist() == [0.0, 0.0, 0.0]


def test_it_looks_a_hundred_times_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    development = make_development("brm")
    monkeypatch.setattr(conflicts, "PROBES", 6)
    seen: list[int] = []
    compare = conflicts._conflict
    monkeypatch.setattr(conflicts, "_conflict", lambda *a: (seen.append(1), compare(*a))[1])
    conflict_shares(small_engine(development, tmp_path), members()[:1], PAIRS[:1])
    assert len(seen) == 5  # every fourth of 24 steps but the first


def test_finished_cohorts_are_read_back(tmp_path: Path) -> None:
    engine = small_engine(make_development("brm"), tmp_path, recipe=replace(RECIPE, epochs=2))
    counts: list[int] = []
    first, cost = conflict_shares(engine, members(), PAIRS, counts.append)
    (file,) = (tmp_path / "population").iterdir()
    written = file.stat().st_mtime_ns
    again, same = conflict_shares(engine, members(), PAIRS, counts.append)
    assert (again.tolist(), same) == (first.tolist(), cost)
    assert file.stat().st_mtime_ns == written
    assert counts == [3, 3]


def test_looking_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    development = make_development("brm")
    plain = train(development, members(), executor="fused")
    ended: list[Progress] = []

    def kept(*arguments: Any, **options: Any) -> Progress:
        ended.append(train_cohort(*arguments, **options))
        return ended[-1]

    monkeypatch.setattr(probing, "train_cohort", kept)
    conflict_shares(small_engine(development, tmp_path), members(), PAIRS)
    assert torch.equal(ended[0].loss, plain.loss)
    assert torch.equal(ended[0].outputs, plain.outputs)
