"""Law 3: the value under a masked cell changes nothing, bit for bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import (
    EXECUTORS,
    OPTIMIZERS,
    first_batch,
    joint,
    make_architecture,
    make_development,
    on_both,
    point_of,
    same,
    train,
    transference,
)

from cotrain.data.dataset import Development, TaskData
from cotrain.engine.models.losses import starting_bias
from cotrain.engine.trained import from_progress
from cotrain.engine.tuning import member_scores

POISONS = [1e30, float("nan"), float("inf"), float("-inf"), -7.0]


def poisoned(development: Development, poison: float) -> Development:
    def change(data: TaskData) -> TaskData:
        assert not data.mask.all()
        return replace(data, targets=torch.where(data.mask, data.targets, poison))

    return on_both(development, change)


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("poison", POISONS)
def test_training_and_scores(executor: str, poison: float) -> None:
    clean = make_development("brm", missing=0.4)
    dirty = poisoned(clean, poison)
    results = []
    for development in (clean, dirty):
        progress = train(development, [joint(3), joint(3, seed=1)], executor=executor)
        trained = from_progress([joint(3), joint(3, seed=1)], progress, 0.0)
        results.append((progress, member_scores(trained, development.valid)))
    (a, scores), (b, dirty_scores) = results
    assert torch.equal(a.loss, b.loss)
    assert same(a.state.params, b.state.params)
    assert same(a.state.variance, b.state.variance)
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(scores, dirty_scores)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_whatever_the_optimizer(name: str) -> None:
    clean = make_development("brm", missing=0.4)
    a, b = (
        train(data, [joint(3, optimizer=OPTIMIZERS[name])], executor="fused")
        for data in (clean, poisoned(clean, float("nan")))
    )
    assert torch.equal(a.loss, b.loss)
    for part in ("params", "momentum", "variance"):
        assert same(getattr(a.state, part), getattr(b.state, part))


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("poison", POISONS)
def test_lookahead(executor: str, poison: float) -> None:
    clean = make_development("brm", missing=0.4)
    architecture = make_architecture(clean)
    state = train(clean, [joint(3)], executor=executor, architecture=architecture).state
    a, b = (
        transference(
            point_of(
                state,
                first_batch(data.train),
                architecture=architecture,
                tasks=clean.tasks,
                executor=executor,
            ),
            clean.tasks,
        )
        for data in (clean, poisoned(clean, poison))
    )
    assert a.isfinite().all()
    assert torch.equal(a, b)


@pytest.mark.parametrize("poison", POISONS)
def test_starting_bias_and_labels(poison: float) -> None:
    clean = make_development("brm", missing=0.4).train
    targets = torch.where(clean.mask, clean.targets, poison)
    assert torch.equal(
        starting_bias(clean.tasks, clean.targets, clean.mask),
        starting_bias(clean.tasks, targets, clean.mask),
    )
    dirty = replace(clean, targets=targets)
    for t in range(3):
        np.testing.assert_array_equal(dirty.labels(t)[1], clean.labels(t)[1])


def test_a_labelled_cell_does_count() -> None:
    clean = make_development("brm", missing=0.4)
    row, task = clean.train.mask.nonzero()[0].tolist()
    targets = clean.train.targets.clone()
    targets[row, task] = 1 - targets[row, task]
    other = replace(clean, train=replace(clean.train, targets=targets))
    assert not torch.equal(train(clean, [joint(3)]).loss, train(other, [joint(3)]).loss)
