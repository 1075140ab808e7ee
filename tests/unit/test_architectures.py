"""The contestants of the benchmark `architectures`: what tells them apart, and that they train alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from tiny import make_data

from benchmarks.architectures.contestants import AGAIN, CONTESTANTS, FOLDS, JOINT, TABM
from benchmarks.architectures.judging import Outcome, averaged, differences
from benchmarks.architectures.networks import (
    EXPERTS,
    MEMBERS,
    TabM,
    Tricks,
    TrickyMLP,
    gated_experts,
    mmoe,
    ple,
)
from benchmarks.architectures.page import page
from benchmarks.architectures.training import MemberHeads, smoothed, trained_outputs
from benchmarks.common.networks import joint_networks, member_at
from benchmarks.common.out_of_fold import folded, mean_score, out_of_fold
from cotrain.data.dataset import Development
from cotrain.engine.batches import take
from cotrain.engine.models.mlp import MLP
from cotrain.engine.recipe import Recipe
from cotrain.engine.tuning import Setting

RECIPE = Recipe(epochs=2, batch_size=16, to_end=True)
SETTING = Setting(learning_rate=1e-3, dropout=0.3)


@pytest.fixture(scope="module")
def development() -> Development:
    return folded(
        Development(train=make_data("brb", rows=50), valid=make_data("brb", rows=14, seed=1))
    )


def test_the_joint_contestant_trains_as_the_engine_does(development: Development) -> None:
    members = [member_at(SETTING, (1.0, 1.0, 1.0), seed=seed) for seed in range(FOLDS)]
    found, seconds = trained_outputs(CONTESTANTS[JOINT], members, development, RECIPE)
    own = joint_networks(development, SETTING, seeds=FOLDS, recipe=RECIPE).outputs
    for seed in range(FOLDS):  # beyond its own rows the engine's outputs are blank
        held = len(development.fold(seed).held)
        assert_allclose(found[seed, :, :held], own[seed, :, :held], atol=1e-4)
    assert seconds > 0


@pytest.mark.parametrize("name", CONTESTANTS)
def test_every_contestant_moves_away_from_the_constant(name: str, development: Development) -> None:
    contestant = replace(CONTESTANTS[name], first_seed=0)
    members = [member_at(SETTING, (1.0, 1.0, 1.0), seed=seed) for seed in range(FOLDS)]
    found, _ = trained_outputs(contestant, members, development, RECIPE)
    rows = out_of_fold(found, development, range(FOLDS))
    assert rows.shape == (3, 64)
    assert bool(rows.isfinite().all())
    assert bool((rows.std(dim=1) > 1e-4).all())


def test_without_tricks_it_is_the_mlp() -> None:
    torch.manual_seed(0)
    plain = MLP(7).eval()
    torch.manual_seed(0)
    same = TrickyMLP(7, Tricks()).eval()
    torch.manual_seed(0)
    faster = TrickyMLP(7, Tricks(rate=2.0, scaled=True)).eval()
    x = torch.randn(5, 7)
    assert_allclose(same(x).detach(), plain(x).detach(), atol=1e-5)
    assert_allclose(faster(x).detach(), plain(x).detach(), atol=1e-5)  # before the first step
    assert faster.speeds == [2 * (256 / 7) ** 0.5, 2.0]


def test_experts_fit_within_the_parameters_of_the_mlp() -> None:
    for inputs, tasks in ((50, 2), (1024, 12)):
        most = sum(p.numel() for p in MLP(inputs).parameters())
        for make in (mmoe, ple):
            net = make(inputs, tasks)
            assert 0.9 * most < net.experts.numel() + net.towers.numel() <= most


def test_a_gate_is_a_mean_of_the_experts_that_a_task_sees() -> None:
    sees = torch.tensor([[True, True, False], [True, False, True]])
    net = gated_experts(sees, 6).eval()
    x = torch.randn(4, 6)
    before = net(x).detach()
    with torch.no_grad():  # the third expert is the second task's alone
        net.expert_bias[2 * (len(net.expert_bias) // 3) :] += 1.0
    after = net(x).detach()
    assert_allclose(after[:, 0], before[:, 0])
    assert float((after[:, 1] - before[:, 1]).abs().max()) > 0.01
    assert ple(6, 2).hidden.isfinite().tolist() == [
        [True] * 3 + [False],
        [True] * 2 + [False, True],
    ]
    assert mmoe(6, 2).hidden.tolist() == [[0.0] * EXPERTS] * 2


def test_tabm_differs_by_signs_and_predicts_by_the_mean_chance() -> None:
    torch.manual_seed(0)
    net = TabM(9, 2).eval()
    assert set(net.reads[0].flatten().tolist()) == {-1.0, 1.0}
    features = net(torch.randn(4, 9)).detach()
    assert features.shape == (4, MEMBERS, 256)
    data = make_data("br", rows=4)
    heads = MemberHeads(features, torch.tensor([0.3, 0.0]), data.tasks)
    torch.nn.init.normal_(heads.weight)
    each = torch.einsum("bkf,tkf->bkt", features, heads.weight) + heads.bias
    found = heads.eval()(features).detach()
    assert_allclose(found[:, 0].sigmoid(), each[..., 0].sigmoid().mean(1).detach(), atol=1e-5)
    assert_allclose(found[:, 1], each[..., 1].mean(1).detach(), atol=1e-5)
    learning = heads.train()(features).detach()  # member after member, as the rows are repeated
    assert_allclose(learning[:4], each[:, 0].detach(), atol=1e-4)


def test_smoothing_spreads_labels_of_classes_only() -> None:
    data = make_data("br", rows=6)
    batch = take(data, torch.arange(6))
    found = smoothed(batch, data.tasks, 0.1)
    assert set(found.targets[0].tolist()) <= {torch.tensor(v).item() for v in (0.05, 0.95)}
    assert found.targets[1].tolist() == batch.targets[1].tolist()


def test_a_perfect_contestant_wins_by_what_lacks(development: Development) -> None:
    labels = [development.rows.targets[:, t].double().numpy() for t in range(3)]
    noise = np.random.default_rng(0).normal(size=(3, len(development.rows)))
    known = development.rows.all_labels()

    def at(spread: float) -> Outcome:
        predicted = [own + spread * e for own, e in zip(labels, noise, strict=True)]
        score = mean_score(development, predicted, known)
        return Outcome(scores=(score,), best=0, predicted=predicted, seconds=1.0)

    outcomes = {JOINT: at(2.0), "perfect": at(0.0)}
    found = differences(development, outcomes, JOINT)
    assert found[JOINT].value == found[JOINT].low == 0
    assert_allclose(found["perfect"].value, 1 - outcomes[JOINT].scores[0])
    assert found["perfect"].low > 0


def test_networks_of_a_fold_are_averaged(development: Development) -> None:
    held = max(len(fold.held) for fold in development.folds)
    first, second = torch.zeros(FOLDS, 3, held), torch.full((FOLDS, 3, held), 4.0)
    found = averaged(torch.cat([first, second]), 1.0, development, range(FOLDS))
    assert_allclose(found.predicted[1], 2.0)
    assert_allclose(found.predicted[0], (0.5 + 1 / (1 + np.exp(-4.0))) / 2, atol=1e-6)


def test_the_page_says_what_wins_and_counts_tables() -> None:
    def own(value: float) -> dict[str, object]:
        return {"score": 0.5, "difference": [value, value - 0.01, value + 0.01], "seconds": 2.0}

    found = {
        name: {
            "rows": 9,
            "tasks": 2,
            "one network": {JOINT: own(0.0), AGAIN: own(0.0), TABM: own(gap), "PLE": own(-gap)},
            "mean of four": {JOINT: own(0.0), TABM: own(gap / 9)},
            "one against the mean of four joint": {JOINT: own(0.0), TABM: own(gap / 10)},
        }
        for name, gap in {"a": 0.08, "b": 0.09, "c": 0.1}.items()
    }
    text = "\n".join(page(found))
    assert "Of 2 contestants on 3 tables, TabM (+0.0900) beat the joint MLP" in text
    assert "PLE (-0.0900) lose to it." in text
    assert "better on 1 and worse on 0 of 3 tables" in text
    assert "| TabM | **+0.0900 [+0.0652, +0.1148]** | 3 | 0 | 3 | 1.0 |" in text
