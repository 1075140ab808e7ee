"""The engine's prices and cohorts, the recipe's batches, calibration, and what members refuse."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import (
    RECIPE,
    batches,
    distance,
    joint,
    make_architecture,
    make_data,
    make_development,
    make_executor,
    same,
    small_engine,
    train,
)
from torch import nn

from cotrain.engine.batches import batch_count, take
from cotrain.engine.engine import Engine, Update, cohort_size, flops_per_example
from cotrain.engine.executors.calibrate import Calibration, Trial, calibrate, candidates
from cotrain.engine.executors.fused import FusedMLPExecutor
from cotrain.engine.member import Member, indicator, one_hot
from cotrain.engine.models.losses import TaskLosses
from cotrain.engine.models.mlp import MLP
from cotrain.engine.models.multitask import Architecture
from cotrain.engine.recipe import Recipe
from cotrain.engine.trained import Trained, from_progress, merge
from cotrain.tasks import output_slices


def mlp(inputs: int, widths: tuple[int, ...], outputs: int) -> Architecture:
    return Architecture(
        encoder=lambda: MLP(inputs, widths=widths),
        sample=torch.zeros(1, inputs),
        bias=torch.zeros(outputs),
    )


@pytest.mark.parametrize(("inputs", "widths", "outputs"), [(7, (5,), 3), (20, (16, 8), 12)])
def test_flops_by_hand(inputs: int, widths: tuple[int, ...], outputs: int) -> None:
    sizes = [inputs, *widths, outputs]
    products = [a * b for a, b in itertools.pairwise(sizes)]
    # forward, gradient of the weights, and gradient of the inputs but for the first layer; 2 a product
    expected = 2 * (2 * sum(products) + sum(products[1:]))
    assert flops_per_example(mlp(inputs, widths, outputs)) == expected


@pytest.mark.parametrize("budget", [1, 10**5, 10**6, 10**7, 1 << 30])
def test_cohorts_fill_the_memory_but_no_more(budget: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cotrain.engine.engine.COHORT_BYTES", budget)
    size = cohort_size(mlp(100, (64, 32), 12), Recipe(batch_size=16))
    parameters = 4 * (101 * 64 + 65 * 32 + 33 * 12)
    least = 5 * parameters + 2 * 4 * 16 * (64 + 32)  # at least the hidden activations are kept
    assert 1 <= size <= max(1, min(64, budget // least))
    assert size == {1: 1, 10**5: 1, 10**7: 32, 1 << 30: 64}.get(budget, size) or 20 < size < 64


def test_larger_batches_make_smaller_cohorts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cotrain.engine.engine.COHORT_BYTES", 10**7)
    architecture = mlp(100, (64, 32), 12)
    sizes = [cohort_size(architecture, Recipe(batch_size=b)) for b in (16, 256, 4096, 65536)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[1] > sizes[2] >= sizes[3] == 1


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 300), st.integers(1, 64), st.integers(0, 5), st.integers(0, 20))
def test_a_round_sees_every_row_at_most_once(rows: int, size: int, seed: int, epoch: int) -> None:
    data = make_data("b", rows=rows, missing=0.0)
    recipe = Recipe(batch_size=size, data_seed=seed)
    found = list(batches(data, recipe, epoch))
    seen = torch.cat([batch.rows for batch in found]).tolist()
    assert len(found) == batch_count(rows, size)
    assert len({len(batch.rows) for batch in found}) == 1
    assert len(found[0].rows) <= size
    assert len(set(seen)) == len(seen) > rows - len(found)
    again = torch.cat([batch.rows for batch in batches(data, recipe, epoch)]).tolist()
    assert again == seen


def test_rounds_and_seeds_have_their_own_order() -> None:
    data = make_data("b", rows=64, missing=0.0)
    orders = {
        tuple(torch.cat([b.rows for b in batches(data, Recipe(data_seed=seed), epoch)]).tolist())
        for seed in range(4)
        for epoch in range(4)
    }
    assert len(orders) == 16


def test_a_batch_is_rows_of_the_data() -> None:
    data = make_data("brm", missing=0.4)
    rows = torch.tensor([3, 90, 5, 5])
    batch = take(data, rows)
    assert torch.equal(batch.inputs, data.inputs[rows])
    assert torch.equal(batch.targets, data.targets[rows].T)
    assert torch.equal(batch.shares > 0, data.mask[rows].T)
    assert torch.equal(batch.present, data.mask[rows].any(dim=0))


def calibrated(encoder: object = None, **options: bool) -> Calibration:
    development = make_development("brm")
    architecture = make_architecture(development, encoder=encoder)  # type: ignore[arg-type]
    executors = candidates(architecture, **({"low_precision": False} | options))
    return calibrate(executors, architecture, development, RECIPE)


def batch_norm() -> nn.Module:
    # No bias before BatchNorm: its gradient is rounding noise, which AdamW turns into full steps.
    return nn.Sequential(nn.Linear(5, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU())


def test_batch_norm_runs_in_every_executor_that_calibration_may_choose() -> None:
    """torch maps BatchNorm where its statistics are mapped too; if it could not, the reason is named."""
    found = calibrated(batch_norm)
    development = make_development("brm")
    architecture = make_architecture(development, encoder=batch_norm)
    members = [joint(3), joint(3, seed=1, learning_rate=1e-2)]
    expected = train(development, members, architecture=architecture)
    assert expected.state.buffers["encoder.1.num_batches_tracked"].tolist() == [24, 24]
    if found.trials[1].problem:
        assert found.trials[1].problem.startswith("cannot run it: ")
        assert found.chosen == "sequential, float32"
        return
    mapped = train(development, members, architecture=architecture, executor="vmap")
    assert distance(mapped.state.buffers, expected.state.buffers) < 1e-5
    torch.testing.assert_close(mapped.loss, expected.loss, atol=1e-5, rtol=0)


def test_calibration_takes_the_sequential_executor_for_torch_randomness() -> None:
    found = calibrated(lambda: nn.Sequential(nn.Linear(5, 8), nn.AlphaDropout(0.5)))
    assert found.chosen == "sequential, float32"
    sequential, mapped = found.trials
    assert (sequential.problem, mapped.name) == ("", "vectorised (vmap), float32")
    assert mapped.problem.startswith("cannot run it: ")
    assert len(mapped.problem) > len("cannot run it: ") + 20
    assert mapped.seconds == float("inf")
    assert mapped.problem in str(found)


def test_calibration_lets_any_mappable_network_be_mapped() -> None:
    found = calibrated(lambda: nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.5), nn.Tanh()))
    assert [trial.problem for trial in found.trials] == ["", ""]
    assert all(0 < trial.seconds < 1 for trial in found.trials)


def test_calibration_of_the_built_in_network_vectorises() -> None:
    found = calibrated()
    assert found.chosen == "vectorised (fused MLP), float32"
    assert [trial.name for trial in found.trials] == [found.chosen, "sequential, float32"]


def test_low_precision_is_one_candidate_more() -> None:
    names = [trial.name for trial in calibrated(low_precision=True).trials]
    assert names[0] == "vectorised (fused MLP), bfloat16"
    assert len(names) == 3


def test_an_executor_that_computes_something_else_is_out() -> None:
    development = make_development("brm")
    architecture = make_architecture(development)
    other = make_architecture(development, dropout=0.0, input_dropout=0.0).build(seed=0)
    wrong = FusedMLPExecutor(other)  # believes that nothing is dropped
    sequential = candidates(architecture, low_precision=False)[1]
    found = calibrate([wrong, sequential], architecture, development, RECIPE)
    assert found.chosen == sequential.name
    assert found.trials[0].problem.startswith("gradients disagree (cosine 0.")


def test_a_calibration_prints_as_one_line() -> None:
    trials = (Trial(name="a", seconds=0.0012), Trial(name="b", seconds=1.0, problem="cannot"))
    found = Calibration(chosen="a", trials=trials)
    assert str(found) == "engine: a (per member and step: a 1.20 ms; b cannot)"


def test_the_fused_executor_refuses_other_networks() -> None:
    development = make_development("b")
    architecture = make_architecture(development, encoder=lambda: nn.Linear(5, 4))
    with pytest.raises(TypeError, match="the fused executor runs the built-in MLP only"):
        make_executor("fused", architecture)


@pytest.mark.parametrize("weights", [(0.0, 0.0), (-1.0, 1.0), (float("nan"), 1.0), (float("inf"),)])
def test_weights_that_train_nothing_are_refused(weights: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"member 'm': weights must be finite, >= 0 and not all 0"):
        Member(name="m", weights=weights)


def test_indicators() -> None:
    assert one_hot(2, 4) == (0.0, 0.0, 1.0, 0.0)
    assert indicator((0, 3), 4) == (1.0, 0.0, 0.0, 1.0)


def make_engine(folder: Path, recipe: Recipe = RECIPE, watch: list[Update] | None = None) -> Engine:
    development = make_development("brm", rows=100)
    told = (watch if watch is not None else []).append
    return small_engine(development, folder, recipe=recipe, watch=told)


def test_examples_are_counted_by_rounds_run(tmp_path: Path) -> None:
    engine = make_engine(tmp_path, replace(RECIPE, epochs=6, patience=2))
    members = [joint(3), joint(3, seed=1, learning_rate=0.0), joint(3, seed=2, learning_rate=1e30)]
    trained = engine.train("tune", members)
    assert engine.batches_in_epoch == 7  # 100 rows in batches of 14, two rows left out
    assert trained.epochs_run.tolist() == [6, 3, 1]
    assert engine.examples(trained) == 10 * 7 * 14
    assert engine.examples_in_epoch == 7 * 14


def test_watchers_see_progress_rise_to_the_total(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cotrain.engine.engine.MOST_MEMBERS", 2)
    news: list[Update] = []
    engine = make_engine(tmp_path, replace(RECIPE, epochs=4, patience=2), news)
    engine.train("tune", [joint(3), joint(3, learning_rate=0.0), joint(3, seed=1)])
    done = [update.done for update in news]
    assert done == sorted(done)
    assert done == [2, 4, 7, 8, 9, 10, 11, 12]
    assert {update.total for update in news} == {12}
    assert all(np.isfinite(update.loss) for update in news)


def test_predictions_come_from_each_tasks_best_round(tmp_path: Path) -> None:
    engine = make_engine(tmp_path, replace(RECIPE, epochs=8))
    members = [joint(3, learning_rate=0.1), Member(name="s", weights=(0.0, 1.0, 0.0), seed=1)]
    trained = engine.train("tune", members)
    again = engine.predict(trained, engine.development.valid.inputs)
    slices = output_slices(engine.development.tasks)
    torch.testing.assert_close(again[0], trained.outputs[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(
        again[1, slices[1]], trained.outputs[1, slices[1]], atol=1e-5, rtol=0
    )
    assert (again[1, slices[0]] == 0).all()
    assert trained.best_epoch[1].tolist()[::2] == [0, 0]
    assert set(trained.models) == {
        (p, r) for p, row in enumerate(trained.best_epoch.tolist()) for r in row if r
    }
    assert len(set(trained.best_epoch[0].tolist())) > 1  # the story needs different epochs


def two_members() -> Trained:
    development = make_development("brm")
    members = [joint(3), Member(name="s", weights=(0.0, 1.0, 0.0), seed=1)]
    return from_progress(members, train(development, members), seconds=2.0)


def test_select_and_merge_are_inverse() -> None:
    trained = two_members()
    parts = [trained.select(lambda m, name=name: m.name == name) for name in ("joint", "s")]  # type: ignore[misc]
    back = merge(parts)
    assert back.members == trained.members
    assert torch.equal(back.loss, trained.loss)
    assert back.models.keys() == trained.models.keys()
    assert all(same(back.models[key], trained.models[key]) for key in back.models)
    assert back.seconds == 4.0


def test_serving_keeps_only_what_is_used() -> None:
    trained = two_members()
    used = torch.tensor([[True, False, False], [False, False, False]])
    epochs, models = trained.serving(used)
    assert epochs.tolist() == [[int(trained.best_epoch[0, 0]), 0, 0], [0, 0, 0]]
    assert set(models) == {(0, int(trained.best_epoch[0, 0]))}


def test_the_best_round_is_where_the_loss_was_least() -> None:
    development = make_development("brm")
    architecture = make_architecture(development)
    history: list[torch.Tensor] = []
    losses = TaskLosses(development.tasks)
    runner = make_executor("fused", architecture)
    valid = take(development.valid, torch.arange(48))

    def watch(progress: object) -> None:
        outputs = runner.outputs(progress.state, valid.inputs)  # type: ignore[attr-defined]
        history.append(losses.means(outputs, valid.targets, valid.shares)[0])

    progress = train(
        development,
        [joint(3, learning_rate=0.1)],
        executor=runner,
        architecture=architecture,
        recipe=replace(RECIPE, epochs=10),
        after_epoch=watch,
    )
    best, at = torch.stack(history).min(dim=0)
    assert torch.equal(progress.best_epoch[0], at + 1)
    torch.testing.assert_close(progress.loss[0], best)
