"""Law 2: a member's result depends neither on its population nor on the executor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import (
    EXECUTORS,
    OPTIMIZERS,
    RECIPE,
    distance,
    make_architecture,
    make_development,
    small_engine,
    train,
)

from cotrain.engine import engine as engine_module
from cotrain.engine.engine import cohort_size
from cotrain.engine.executors.fused import FusedMLPExecutor
from cotrain.engine.member import Member
from cotrain.engine.trained import Trained

KINDS = "brmbmr"
MEMBERS = [
    Member(
        name=f"m{at}",
        weights=[(1.0,) * 6, (0.0, 0.0, 1.0, 0.0, 0.0, 0.0), (1.0, 0.5, 0.0, 3.0, 1.0, 0.1)][
            at % 3
        ],
        seed=at % 4,
        learning_rate=(1e-3, 3e-3, 3e-3, 2e-3)[at % 4],
        dropout=(1.0, 0.5, 0.0)[at % 3],
    )
    for at in range(8)
]


@pytest.mark.parametrize("size", [96, 87])  # batches of 16 rows; of 14, which fill no whole hash
@pytest.mark.parametrize("name", ["vmap", "fused"])
def test_executors_agree_after_training(name: str, size: int) -> None:
    development = make_development(KINDS, rows=size)
    expected = train(development, MEMBERS)
    found = train(development, MEMBERS, executor=name)
    start = train(development, MEMBERS, recipe=replace(RECIPE, epochs=0))
    assert expected.state.step == 24
    assert distance(found.state.params, expected.state.params) < 1e-5
    torch.testing.assert_close(found.loss, expected.loss, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.outputs, expected.outputs, atol=2e-5, rtol=0)
    assert distance(start.state.params, expected.state.params) > 1e-2  # it has trained


@pytest.mark.parametrize("name", EXECUTORS)
@pytest.mark.parametrize("alone", [0, 3, 7])
def test_company_changes_nothing(name: str, alone: int) -> None:
    development = make_development(KINDS)
    together = train(development, MEMBERS, executor=name)
    single = train(development, [MEMBERS[alone]], executor=name)
    assert distance(single.state.params, together.state.select([alone]).params) < 1e-6
    torch.testing.assert_close(single.loss[0], together.loss[alone], atol=1e-6, rtol=0)
    assert torch.equal(single.best_epoch[0], together.best_epoch[alone])


@pytest.mark.parametrize("name", EXECUTORS)
def test_order_of_members_changes_nothing(name: str) -> None:
    development = make_development(KINDS)
    a = train(development, MEMBERS, executor=name)
    b = train(development, MEMBERS[::-1], executor=name)
    backwards = list(range(8))[::-1]
    assert distance(a.state.params, b.state.select(backwards).params) < 1e-6


def test_bfloat16_products_stay_near() -> None:
    # bfloat16 keeps 8 bits: products to about 0.4 %, AdamW turns that into a few per cent of a step.
    development = make_development(KINDS)
    architecture = make_architecture(development)
    low = FusedMLPExecutor(architecture.build(seed=0), torch.bfloat16)
    expected = train(development, MEMBERS, architecture=architecture)
    found = train(development, MEMBERS, executor=low, architecture=architecture)
    assert 0 < distance(found.state.params, expected.state.params) < 0.03
    torch.testing.assert_close(found.loss, expected.loss, atol=3e-3, rtol=0)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_whatever_the_optimizer(name: str) -> None:
    """Vectorised = sequential, and alone = together, on partial labels, dropout and several rates."""
    development = make_development(KINDS)
    members = [replace(member, optimizer=OPTIMIZERS[name]) for member in MEMBERS]
    expected = train(development, members)
    assert distance(expected.state.params, train(development, MEMBERS).state.params) > 1e-3 or (
        name == "AdamW"
    )
    for executor in ("vmap", "fused"):
        found = train(development, members, executor=executor)
        assert distance(found.state.params, expected.state.params) < 1e-5
        single = train(development, [members[3]], executor=executor)
        assert distance(single.state.params, found.state.select([3]).params) < 1e-6


def test_optimizers_share_a_population_in_cohorts_of_their_own(tmp_path: Path) -> None:
    members = [
        replace(MEMBERS[at % 2], optimizer=optimizer, name=f"{name}/{at}")
        for name, optimizer in OPTIMIZERS.items()
        for at in range(2)
    ]
    development = make_development(KINDS)
    found = small_engine(development, tmp_path).train("all", members)
    assert found.members == tuple(members)
    assert len(list(tmp_path.rglob("*.safetensors"))) == len(OPTIMIZERS)
    for at in (0, 5, 11):
        alone = train(development, [members[at]], executor="fused")
        torch.testing.assert_close(found.loss[at], alone.loss[0], atol=1e-6, rtol=0)


def train_in_cohorts(folder: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> Trained:
    monkeypatch.setattr(engine_module, "MOST_MEMBERS", size)
    development = make_development(KINDS)
    architecture = make_architecture(development)
    assert cohort_size(architecture, RECIPE) == size
    recipe = replace(RECIPE, epochs=5, patience=2)
    engine = small_engine(development, folder, recipe=recipe)
    return engine.train("tune", MEMBERS)


def test_cohort_size_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = train_in_cohorts(tmp_path / "8", 8, monkeypatch)
    for size in (1, 3):
        found = train_in_cohorts(tmp_path / str(size), size, monkeypatch)
        assert found.members == expected.members
        assert torch.equal(found.best_epoch, expected.best_epoch)
        torch.testing.assert_close(found.loss, expected.loss, atol=1e-6, rtol=0)
        assert found.models.keys() == expected.models.keys()
        for key in expected.models:
            assert distance(found.models[key], expected.models[key]) < 1e-6


def test_seeds_dropout_and_learning_rates_do_change_the_result() -> None:
    development = make_development(KINDS)
    base = MEMBERS[0]
    others = [
        replace(base, seed=1),
        replace(base, learning_rate=2e-3),
        replace(base, dropout=0.0),
        replace(base, weights=(1.0, 1.0, 1.0, 1.0, 1.0, 0.5)),
    ]
    losses = train(development, [base, *others]).loss
    assert all((losses[0] - losses[at]).abs().max() > 1e-5 for at in range(1, 5))
