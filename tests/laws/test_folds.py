"""Laws of cross-fitting: nothing that decides about a row has learned from it, nor from its twin."""

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
    joint,
    make_architecture,
    make_data,
    make_development,
    make_domains,
    same,
    small_engine,
    train,
)
from torch import nn

from cotrain.baselines.boosted import HistTrees
from cotrain.contenders import ExtraTrees, Linear, ModelContender, Trees
from cotrain.data.dataset import Development, TaskData
from cotrain.data.folds import crossfitted
from cotrain.engine.executors.sequential import SequentialExecutor
from cotrain.engine.member import Member

KINDS = "brm"
PLANTED = 7  # a row


def plant(development: Development) -> Development:
    """The same rows, but one of them says the contrary of what it said, and so only itself knows it.

    The regression label moves to the other end of its quarter, so that the folds stay.
    """
    targets = development.train.targets.clone()
    quarter = targets[:, 1] >= targets[:, 1].quantile(0.75)
    assert quarter[PLANTED]
    targets[PLANTED, 1] += 40.0
    return replace(development, train=replace(development.train, targets=targets))


def folded(kinds: str = KINDS, seeds: int = 5) -> Development:
    return crossfitted(make_development(kinds, rows=60, missing=0.0), seeds=seeds, seed=0)


@pytest.fixture(scope="module")
def pair() -> tuple[Development, Development]:
    """With the row as it was, and as it was planted; in the same folds."""
    plain = make_development(KINDS, rows=60, missing=0.0)
    order = torch.arange(60)
    highest = int(plain.train.targets[:, 1].argmax())
    order[[PLANTED, highest]] = order[[highest, PLANTED]]
    plain = replace(plain, train=plain.train.rows(order))
    both = (crossfitted(plain, seeds=5, seed=0), crossfitted(plant(plain), seeds=5, seed=0))
    for one, other in zip(both[0].folds, both[1].folds, strict=True):
        assert np.array_equal(one.held, other.held)
    return both


def fold_of(development: Development, row: int) -> int:
    return next(k for k, fold in enumerate(development.folds) if row in fold.held)


@pytest.mark.parametrize("name", EXECUTORS)
def test_a_planted_label_moves_no_network_that_decides_about_it(
    name: str, pair: tuple[Development, Development]
) -> None:
    members = [joint(3, seed=seed, learning_rate=3e-3) for seed in range(5)]
    architecture = make_architecture(pair[0])
    plain, planted = (train(own, members, executor=name, architecture=architecture) for own in pair)
    own = fold_of(pair[0], PLANTED)
    for seed in range(5):
        params = [found.state.select([seed]).params for found in (plain, planted)]
        assert same(*params) == (seed == own)
    assert torch.equal(plain.outputs[own], planted.outputs[own])
    key = (own, int(plain.best_epoch[own, 0]))
    assert same(plain.models[key], planted.models[key])


@pytest.mark.parametrize(
    "contender", [Linear(), ExtraTrees(), Trees(learner=HistTrees())], ids=lambda own: own.name
)
def test_a_planted_label_moves_no_model_that_decides_about_it(
    contender: ModelContender, pair: tuple[Development, Development]
) -> None:
    found = []
    for development in pair:
        cuts = [development.cut(seed) for seed in range(5)]
        models = contender.fit(cuts, 1, tried=1)
        found.append([contender.predict(cuts[0].tasks[1], m, pair[0].rows) for m in models])
    own = fold_of(pair[0], PLANTED)
    for seed in range(5):
        assert np.array_equal(found[0][seed], found[1][seed]) == (seed == own)


class Normalised(nn.Module):
    """A user's encoder whose statistics come from the rows of each batch."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU())

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.layers(inputs)
        return found


def test_statistics_of_batches_see_no_rows_that_are_left_out() -> None:
    plain = folded()
    own = fold_of(plain, PLANTED)
    inputs = plain.train.inputs.clone()
    inputs[PLANTED] = 1e3
    moved = replace(plain, train=replace(plain.train, inputs=inputs))
    architecture = make_architecture(plain, encoder=Normalised)
    states = []
    for development in (plain, moved):
        executor = SequentialExecutor(architecture.build(0))
        members = [joint(3, seed=seed, learning_rate=3e-3) for seed in range(5)]
        states.append(
            train(development, members, executor=executor, architecture=architecture).state
        )
    for seed in range(5):
        params, buffers = (
            [getattr(state.select([seed]), part) for state in states]
            for part in ("params", "buffers")
        )
        assert same(*buffers) == same(*params) == (seed == own)
    assert any("running_mean" in name for name in states[0].buffers)


@pytest.mark.parametrize("seeds", [2, 5, 7, 12])
def test_every_row_is_left_out_once_a_turn(seeds: int) -> None:
    development = folded(seeds=seeds)
    count = {2: 5, 5: 5, 7: 7, 12: 10}[seeds]
    assert len(development.folds) == count * -(-seeds // count)
    for turn in range(0, len(development.folds), count):
        held = np.concatenate([fold.held for fold in development.folds[turn : turn + count]])
        assert sorted(held) == list(range(90))
    for fold in development.folds:
        assert sorted([*fold.train, *fold.held]) == list(range(90))
        assert abs(len(fold.held) - 90 / count) <= 3


def test_twins_never_cross_folds() -> None:
    """Every third row is one of the first ten again, with other labels."""
    development = make_development(KINDS, rows=60, missing=0.2)
    copies = torch.where(torch.arange(60) % 3 == 0, torch.arange(60) % 10, torch.arange(60))
    data = replace(development.train, inputs=development.train.inputs[copies])
    found = crossfitted(replace(development, train=data), seeds=5, seed=0)
    assert len(found.folds) == 5
    for fold in found.folds:
        held, trained = (
            {row.numpy().tobytes() for row in found.rows.inputs[part]}
            for part in (fold.held, fold.train)
        )
        assert held.isdisjoint(trained)


def test_units_stay_whole_and_times_are_cut_into_blocks() -> None:
    development = make_development(KINDS, rows=60, missing=0.0)
    units = np.arange(90) // 4
    found = crossfitted(replace(development, units=units), seeds=5, seed=0)
    for fold in found.folds:
        assert set(units[fold.held]).isdisjoint(units[fold.train])
    times = np.random.default_rng(0).permutation(90) // 3.0  # three rows of each time
    later = crossfitted(replace(development, times=times), seeds=5, seed=0)
    assert len(later.folds) == 5
    for fold in later.folds:
        others, (first, last) = times[fold.train], (times[fold.held].min(), times[fold.held].max())
        assert not ((first <= others) & (others <= last)).any()
        assert sorted([*fold.train, *fold.held]) == list(range(90))
        assert 15 <= len(fold.held) <= 21  # three rows of each time


def test_classes_and_domains_are_spread_evenly() -> None:
    rare = make_data("b", rows=200, missing=0.0)
    targets = torch.zeros(200, 1)
    targets[:20] = 1
    development = Development(train=replace(rare, targets=targets), valid=rare.rows(np.arange(1)))
    for fold in crossfitted(development, seeds=5, seed=0).folds:
        assert int(development.rows.targets[fold.held].sum()) == 4
    domains = crossfitted(make_domains([40, 80, 24]), seeds=4, seed=0)
    sizes = [[int(n) for n in domains.rows.rows(f.held).mask.sum(dim=0)] for f in domains.folds]
    total = domains.rows.mask.sum(dim=0)
    assert np.abs(np.array(sizes) - total.numpy() / len(domains.folds)).max() <= 1


def test_no_folds_where_one_would_teach_nothing() -> None:
    """The only two rows of a class are twins: the fold that leaves them out has nothing to learn."""
    data = make_data("b", rows=40, missing=0.0)
    targets = torch.zeros(40, 1)
    targets[:2] = 1
    inputs = data.inputs.clone()
    inputs[1] = inputs[0]
    valid = make_data("b", rows=8, seed=1)
    twins = Development(
        train=replace(data, targets=targets, inputs=inputs),
        valid=replace(valid, targets=torch.zeros(8, 1)),
    )
    assert crossfitted(twins, seeds=5, seed=0) is twins
    assert twins.fold(3).held.tolist() == list(range(40, 48))


@pytest.mark.parametrize("name", EXECUTORS)
def test_company_changes_nothing_in_folds(name: str) -> None:
    development = folded("brmb")
    weights = [(1.0,) * 4, (0.0, 0.0, 1.0, 0.0), (1.0, 0.5, 0.0, 2.0)]
    members = [
        Member(name=f"m{at}", weights=weights[at % 3], seed=at % 5, learning_rate=3e-3)
        for at in range(6)
    ]
    together = train(development, members, executor=name)
    expected = train(development, members)
    assert distance(together.state.params, expected.state.params) < 1e-5
    for alone in (0, 4):
        single = train(development, [members[alone]], executor=name)
        assert distance(single.state.params, together.state.select([alone]).params) < 1e-6
        torch.testing.assert_close(single.loss[0], together.loss[alone], atol=1e-6, rtol=0)


def test_labels_in_other_units_move_nothing(tmp_path: Path) -> None:
    """A fold's units are undone in the head: outputs answer in the units of the task."""
    development = make_development("rr", rows=60, missing=0.0)

    def shifted(data: TaskData) -> TaskData:
        return replace(data, targets=data.targets * 10 + 50)

    far = replace(development, train=shifted(development.train), valid=shifted(development.valid))
    members = [joint(2, seed=seed, learning_rate=3e-3) for seed in range(5)]
    found = []
    for at, own in enumerate((development, far)):
        engine = small_engine(
            crossfitted(own, seeds=5, seed=0),
            tmp_path / str(at),
            recipe=replace(RECIPE, to_end=True),
        )
        trained = engine.train("all", members)
        found.append((trained.outputs, engine.predict(trained, development.valid.inputs)))
    for plain, moved in zip(*found, strict=True):
        known = plain != 0  # outputs beyond a fold's rows are 0
        torch.testing.assert_close(moved[known], 10 * plain[known] + 50, atol=2e-3, rtol=1e-4)
