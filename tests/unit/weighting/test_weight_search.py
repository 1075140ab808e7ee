"""Searching weights: lineage and searchers on fake objectives; with the engine, that copies are copies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny import OPTIMIZERS, make_development, small_engine, train

from cotrain import InputError
from cotrain.engine.engine import Engine
from cotrain.engine.member import Change, Member
from cotrain.engine.recipe import Recipe
from cotrain.measure.measurement import Measurement
from cotrain.weighting import (
    PB2,
    PBT,
    Halving,
    Move,
    Searcher,
    WeightSchedule,
    WeightSearch,
    WeightSetting,
    optimize_weights,
    search_weights,
)
from cotrain.weighting.bandit import best_candidates

TASKS = ("a", "b", "c")
RECIPE = Recipe(epochs=9, batch_size=32, patience=99)


class Fake:
    """A member's skill grows by how near its weights are to (2, 1, 0), and is inherited."""

    def __init__(self, lost: dict[int, set[int]] | None = None) -> None:
        self.skill: NDArray[np.float64] = np.zeros(0)
        self.lost = lost or {}
        self.calls: list[list[Move]] = []

    def __call__(self, moves: Sequence[Move], until: int) -> NDArray[np.float64]:
        inherited = self.skill if len(self.skill) else np.zeros(len(moves))
        best = np.array([2.0, 1.0, 0.0])
        away = [np.abs(np.array(move.setting.weights) - best).sum() for move in moves]
        self.skill = np.array([inherited[move.parent] for move in moves]) + 1 - np.array(away) / 4
        self.calls.append(list(moves))
        scores = np.repeat(self.skill[:, None], 3, axis=1)
        scores[list(self.lost.get(len(self.calls), ()))] = np.nan
        return scores


def last_weights(history: WeightSearch) -> NDArray[np.float64]:
    return np.array(history.schedule().changes[-1].weights)


@pytest.mark.parametrize("searcher", [PBT(members=12), PB2(members=12)], ids=["pbt", "pb2"])
def test_good_weights_are_found(searcher: Searcher) -> None:
    found = search_weights(Fake(), searcher, TASKS, epochs=60, every=2)
    assert np.abs(last_weights(found) - [2, 1, 0]).sum() < 0.9
    uniform = 60 / 2 * (1 - 2 / 4)
    assert found.mean_scores[-1].max() > 1.4 * uniform


def test_the_bandit_needs_fewer_settings() -> None:
    """Mean skill at the end over seeds, after few intervals."""

    def reached(kind: type[PBT]) -> float:
        runs = [
            search_weights(Fake(), kind(members=8, seed=s), TASKS, epochs=12, every=1)
            for s in range(8)
        ]
        return float(np.mean([run.mean_scores[-1].max() for run in runs]))

    assert reached(PB2) > reached(PBT)


def test_as_many_settings_as_the_paper_says() -> None:
    """N (1 + Q · E_total / E), the last interval being followed by none."""
    found = search_weights(Fake(), PBT(members=8, quantile=0.25), TASKS, epochs=40, every=4)
    assert found.settings_tried == 8 + 2 * 9
    assert found.ends == tuple(range(4, 41, 4))


def test_weights_stay_on_the_simplex_and_the_first_are_uniform() -> None:
    found = search_weights(Fake(), PBT(members=6, search_rate=True), TASKS, epochs=20, every=1)
    assert found.weights.sum(axis=2) == pytest.approx(3.0)
    assert (found.weights >= 0).all()
    assert found.weights[0, 0].tolist() == [1, 1, 1]
    assert len(np.unique(found.learning_rate)) > 3
    steps = np.log(found.learning_rate / 3e-3) / math.log(1.25)
    assert steps == pytest.approx(steps.round(), abs=1e-9)


def test_the_worst_copy_the_best_and_nobody_else_moves() -> None:
    fake = Fake()
    found = search_weights(fake, PBT(members=8, quantile=0.25), TASKS, epochs=2, every=1)
    order = np.argsort(found.mean_scores[0])
    moved = [row for row, move in enumerate(fake.calls[1]) if move.parent != row]
    assert sorted(moved) == sorted(order[:2].tolist())
    assert {fake.calls[1][row].parent for row in moved} <= set(order[-2:].tolist())
    stays = fake.calls[1][int(order[4])]
    assert stays.setting == fake.calls[0][int(order[4])].setting


@pytest.mark.parametrize("kind", [PBT, PB2])
def test_diverged_members_are_replaced_and_never_copied(kind: type[PBT]) -> None:
    fake = Fake(lost={1: {0, 3, 5}, 3: {1}})
    found = search_weights(fake, kind(members=6), TASKS, epochs=6, every=1)
    assert not {fake.calls[1][row].parent for row in range(6)} & {0, 3, 5}
    assert 1 not in {move.parent for move in fake.calls[3]}
    assert np.isneginf(found.mean_scores[0, [0, 3, 5]]).all()
    assert np.isfinite(found.mean_scores[-1]).all()


def test_all_diverged_is_an_error() -> None:
    with pytest.raises(InputError, match="every member diverged before epoch 2"):
        search_weights(Fake(lost={2: {0, 1}}), PBT(members=2), TASKS, epochs=4, every=1)


def test_a_population_of_one_is_plain_training() -> None:
    fake = Fake()
    found = search_weights(fake, PBT(members=1), TASKS, epochs=4, every=1)
    assert found.settings_tried == 1
    assert found.schedule().changes == (Change(epoch=0, weights=(1.0,) * 3, learning_rate=3e-3),)


def test_one_task_has_nothing_to_weigh() -> None:
    def fake(moves: Sequence[Move], until: int) -> NDArray[np.float64]:
        return np.zeros((len(moves), 1))

    found = search_weights(fake, PBT(members=3), ["a"], epochs=4, every=2)
    assert (found.weights == 1).all()


def test_halving_keeps_the_better_half() -> None:
    fake = Fake()
    found = search_weights(fake, Halving(members=8), TASKS, epochs=4, every=1)
    assert [len(moves) for moves in fake.calls] == [8, 4, 2, 1]
    assert found.settings_tried == 8
    best = int(np.argmax(found.mean_scores[0]))
    assert found.schedule().changes[0].weights == tuple(found.weights[0, best].tolist())


@pytest.mark.parametrize("searcher", [PBT(members=5), PB2(members=5), Halving(members=5)])
def test_an_interrupted_search_goes_on_as_if_never_stopped(searcher: Searcher) -> None:
    whole = search_weights(Fake(), searcher, TASKS, epochs=9, every=1)
    kept: list[WeightSearch] = []
    fake = Fake()
    search_weights(fake, searcher, TASKS, epochs=4, every=1, watch=kept.append)
    again = search_weights(fake, searcher, TASKS, epochs=9, every=1, history=kept[-1])
    for name in ("weights", "parents", "scores", "learning_rate"):
        assert np.array_equal(getattr(whole, name), getattr(again, name), equal_nan=True), name


def test_the_schedule_follows_the_line_of_ancestors() -> None:
    def setting(first: float) -> WeightSetting:
        return WeightSetting(weights=(first, 2 - first), learning_rate=0.1)

    history = WeightSearch.empty(["a", "b"], 2)
    for end, (parents, firsts) in enumerate(
        [((0, 1), (1.0, 0.5)), ((1, 1), (0.7, 0.5)), ((0, 0), (0.7, 0.2))], start=1
    ):
        moves = [Move(parent=p, setting=setting(f)) for p, f in zip(parents, firsts, strict=True)]
        history = history.extended(moves, end, np.array([[0.0, 0.0], [1.0, 1.0]]) * end)
    line = history.schedule()
    assert [(c.epoch, c.weights[0]) for c in line.changes] == [(0, 0.5), (1, 0.7), (2, 0.2)]
    assert [(c.epoch, c.weights[0]) for c in history.schedule(0).changes] == [(0, 0.5), (1, 0.7)]
    assert str(history).startswith("2 members, 3 intervals, 4 settings tried")


def test_what_it_finds_saves_loads_and_draws(tmp_path: Path) -> None:
    found = search_weights(Fake(), PBT(members=4), TASKS, epochs=6, every=2)
    found.save(tmp_path / "search.safetensors")
    again: Measurement = WeightSearch.load(tmp_path / "search.safetensors")
    assert str(again) == str(found)
    data = again.figure()["data"]
    assert isinstance(data, list)
    assert [trace["name"] for trace in data] == list(TASKS)
    assert data[0]["x"][-1] == 6


def test_a_schedule_saves_by_name_and_refuses_what_does_not_fit(tmp_path: Path) -> None:
    schedule = search_weights(Fake(), PBT(members=4), TASKS, epochs=6, every=2).schedule()
    path = tmp_path / "schedule.json"
    schedule.save(path)
    assert WeightSchedule.load(path, TASKS) == schedule
    turned = WeightSchedule.load(path, ["c", "a", "b"])
    assert turned.changes[0].weights == tuple(schedule.changes[0].weights[t] for t in (2, 0, 1))
    with pytest.raises(InputError, match="weighs 'c': there are: a, b"):
        WeightSchedule.load(path, ["a", "b"])
    with pytest.raises(InputError, match="has no weight for 'd'"):
        WeightSchedule.load(path, [*TASKS, "d"])
    path.write_text(path.read_text().replace('"weights"', '"height"'))
    with pytest.raises(InputError, match="is not a weight schedule"):
        WeightSchedule.load(path, TASKS)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ((1.0, -0.5), "weight of 'b' must be finite and not negative, found -0.5"),
        ((math.nan, 1.0), "weight of 'a' must be finite and not negative, found nan"),
        ((0.0, 0.0), "all weights are 0"),
        ((1.0,), "1 weights for 2 tasks"),
    ],
)
def test_weights_that_cannot_be(weights: tuple[float, ...], said: str) -> None:
    change = Change(epoch=0, weights=weights, learning_rate=1e-3)
    with pytest.raises(InputError, match=said):
        WeightSchedule(tasks=("a", "b"), changes=(change,))


def test_a_schedule_starts_at_the_start() -> None:
    late = Change(epoch=3, weights=(1.0,), learning_rate=1e-3)
    with pytest.raises(InputError, match="starts at epoch 0"):
        WeightSchedule(tasks=("a",), changes=(late,))


def test_candidates_beside_each_other_count_as_tried() -> None:
    """Two equal candidates are not both taken where uncertainty is what makes them good."""
    seen = np.array([[0.0], [0.1], [0.2]])
    growth = np.array([1.0, 0.0, -1.0])
    candidates = np.array([[9.0], [9.0], [-9.0]])
    rows = best_candidates(seen, np.ones(3), growth, candidates, now=2, count=2)
    assert len({float(candidates[row, 0]) for row in rows}) == 2


def test_old_growth_counts_less() -> None:
    """The same setting grew long ago and shrank just now, the other way epoch elsewhere."""
    seen = np.array([[0.0], [0.0], [5.0], [5.0]])
    when = np.array([0.0, 30.0, 0.0, 30.0])
    growth = np.array([1.0, -1.0, -1.0, 1.0])
    rows = best_candidates(seen, when, growth, np.array([[0.0], [5.0]]), now=31, count=1)
    assert rows == [1]


@pytest.mark.parametrize(
    "options",
    [
        {"members": 0},
        {"quantile": 0.0},
        {"quantile": 0.6},
        {"resample": 1.5},
        {"factor": 0.0},
        {"learning_rate": -1.0},
    ],
)
def test_populations_that_cannot_be(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match="a population needs members"):
        PBT(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("epochs", "every"), [(0, 1), (4, 0), (4, -1)])
def test_searches_that_cannot_be(epochs: int, every: int) -> None:
    with pytest.raises(InputError, match="needs epochs and intervals of one or more"):
        search_weights(Fake(), PBT(members=2), TASKS, epochs=epochs, every=every)
    with pytest.raises(InputError, match="keep must be above 0"):
        Halving(keep=0.0)
    history = search_weights(Fake(), PBT(members=2), TASKS, epochs=2, every=1)
    with pytest.raises(InputError, match="the history is of other tasks: a, b, c"):
        search_weights(Fake(), PBT(members=2), ["x", "y", "z"], epochs=4, every=1, history=history)


def make_engine(folder: Path, **options: object) -> Engine:
    development = make_development("brm", missing=0.2)
    return small_engine(development, folder, recipe=RECIPE, **options)


@pytest.mark.parametrize("name", ["AdamW", "SGD", "TaskAdam"])
def test_a_replay_is_the_line_of_the_best(name: str, tmp_path: Path) -> None:
    """Copying is copying tensors: training along the schedule from the same seed ends at the same place."""
    engine = make_engine(tmp_path)
    history, trained = optimize_weights(
        engine,
        PBT(members=6, learning_rate=1e-2, search_rate=True),
        stage="pbt",
        every=2,
        seed=3,
        optimizer=OPTIMIZERS[name],
    )
    assert history.ends == (2, 4, 6, 8, 9)
    schedule = history.schedule()
    assert len(schedule.changes) > 1
    member = replace(schedule.member("replay", seed=3), optimizer=OPTIMIZERS[name])
    replayed = train(engine.development, [member], executor="fused", recipe=RECIPE)
    own = trained.select(lambda member: member.name == f"pbt/{history.best}")
    assert torch.equal(own.best_epoch, replayed.best_epoch)
    torch.testing.assert_close(own.loss, replayed.loss, atol=1e-5, rtol=0)
    torch.testing.assert_close(own.outputs, replayed.outputs, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ["AdamW", "SGD", "TaskAdam"])
def test_a_killed_search_ends_where_it_would_have(name: str, tmp_path: Path) -> None:
    search = partial(
        optimize_weights,
        searcher=PBT(members=4, learning_rate=1e-2),
        stage="s",
        every=3,
        optimizer=OPTIMIZERS[name],
    )
    whole, expected = search(make_engine(tmp_path / "a"))

    class Killed(Exception):
        pass

    def kill(update: object) -> None:
        if update.done == 8:  # type: ignore[attr-defined]
            raise Killed

    with pytest.raises(Killed):
        search(make_engine(tmp_path / "b", watch=kill, checkpoint_seconds=0.0))
    seen: list[int] = []
    engine = make_engine(tmp_path / "b", watch=lambda update: seen.append(update.done))
    again, found = search(engine)
    assert seen == [7, 8, 9]
    assert np.array_equal(again.scores, whole.scores)
    assert np.array_equal(again.parents, whole.parents)
    assert torch.equal(found.outputs, expected.outputs)
    seen.clear()
    search(engine)
    assert seen == []


def test_a_member_that_diverges_in_training_is_replaced(tmp_path: Path) -> None:
    class Wild(PBT):
        """The second member has an impossible learning rate."""

        def begin(self, tasks: int) -> list[WeightSetting]:
            first = super().begin(tasks)
            return [first[0], replace(first[1], learning_rate=1e30), *first[2:]]

    history, trained = optimize_weights(
        make_engine(tmp_path), Wild(members=4, learning_rate=1e-2), stage="s", every=3
    )
    assert np.isnan(history.scores[0, 1]).all()
    assert history.parents[1, 1] != 1
    assert np.isfinite(history.scores[1:]).all()
    assert trained.loss.isfinite().all()


def test_changes_of_a_member_take_effect_at_their_round() -> None:
    """Weights 0 for a task from epoch 3 on: its head stays as a run of three epochs left it."""
    development = make_development("brm", missing=0.0)
    stop = Change(epoch=3, weights=(1.0, 0.0, 1.0), learning_rate=1e-2)
    member = Member(name="m", weights=(1.0,) * 3, learning_rate=1e-2, changes=(stop,))
    short = train(development, [member], executor="fused", recipe=replace(RECIPE, weight_decay=0.0))
    assert short.best_epoch[0, 1] <= 3
    assert short.best_epoch[0].max() > 3
