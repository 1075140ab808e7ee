"""The engine as an objective: its scores, its files, and searches that are killed and go on."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import RECIPE, make_development, small_engine

from cotrain.engine.engine import Engine, Update, Watch
from cotrain.engine.member import Member
from cotrain.engine.objective import EngineObjective
from cotrain.engine.tuning import Setting, member_scores
from cotrain.errors import InputError
from cotrain.folder import RunFolder
from cotrain.grouping import sample_gains
from cotrain.measure.gains.gains import Gains

DEVELOPMENT = make_development("brm")
TASKS = ("b0", "r1", "m2")
SETTING = Setting(learning_rate=2e-2, dropout=0.5)
WEIGHTS = np.array([[1, 0, 0], [1, 1, 1], [0, 1, 1], [1, 1, 1]], dtype=float)
SEEDS = [0, 0, 3, 1]
SEARCH = ("b0", "r1", "m2", "b3")
SEARCHED = make_development("brmb")


class Killed(Exception):
    """Stands for a kill."""


def make_engine(folder: Path, watch: Watch = lambda _: None, data: object = DEVELOPMENT) -> Engine:
    development = SEARCHED if data is SEARCHED else DEVELOPMENT
    return small_engine(development, folder, watch=watch, checkpoint_seconds=0.0)


def objective(folder: Path, watch: Watch = lambda _: None) -> EngineObjective:
    return EngineObjective(engine=make_engine(folder, watch), stage="sets", setting=SETTING)


def refuse_to_train(monkeypatch: pytest.MonkeyPatch) -> None:
    def train(*_: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(Engine, "train", train)


def test_scores_are_those_of_members_trained_directly(tmp_path: Path) -> None:
    found = objective(tmp_path / "asked")(WEIGHTS, SEEDS)
    members = [
        Member(
            name=f"m{row}",
            weights=tuple(weights),
            seed=seed,
            learning_rate=SETTING.learning_rate,
            dropout=SETTING.dropout,
        )
        for row, (weights, seed) in enumerate(zip(WEIGHTS.tolist(), SEEDS, strict=True))
    ]
    engine = make_engine(tmp_path / "direct")
    trained = engine.train("direct", members)
    np.testing.assert_array_equal(found, member_scores(trained, DEVELOPMENT.valid))
    np.testing.assert_array_equal(np.isfinite(found), WEIGHTS > 0)
    assert found.dtype == np.float64
    assert (found[1] != found[3]).any()  # the seed matters


@pytest.mark.parametrize(
    "setting", [replace(SETTING, learning_rate=1e-4), replace(SETTING, dropout=0.0)]
)
def test_the_setting_is_that_of_every_member(tmp_path: Path, setting: Setting) -> None:
    other = EngineObjective(engine=make_engine(tmp_path / "b"), stage="sets", setting=setting)
    found, changed = objective(tmp_path / "a")(WEIGHTS, SEEDS), other(WEIGHTS, SEEDS)
    assert (found[WEIGHTS > 0] != changed[WEIGHTS > 0]).any()


def test_it_counts_what_it_trained_and_keeps_no_models(tmp_path: Path) -> None:
    asked = objective(tmp_path)
    assert (asked.trainings, asked.examples, asked.seconds) == (0, 0, 0.0)
    asked(WEIGHTS, SEEDS)
    a_run = RECIPE.epochs * 96  # nobody stops within four epochs
    assert (asked.trainings, asked.examples) == (4, 4 * a_run)
    took = asked.seconds
    assert took > 0
    asked(WEIGHTS[:1], SEEDS[:1])
    assert (asked.trainings, asked.examples) == (5, 5 * a_run)
    assert asked.seconds > took
    kept = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.safetensors"))
    assert kept == ["scores/sets-0.safetensors", "scores/sets-1.safetensors"]


def test_asked_again_it_answers_from_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = objective(tmp_path)
    scores = [first(WEIGHTS, SEEDS), first(WEIGHTS[:2], [5, 6])]
    refuse_to_train(monkeypatch)
    again = objective(tmp_path)
    for expected, found in zip(
        scores, (again(WEIGHTS, SEEDS), again(WEIGHTS[:2], [5, 6])), strict=True
    ):
        assert found.tobytes() == expected.tobytes()
    assert again.trainings == first.trainings == 6
    assert again.examples == first.examples
    assert again.seconds == first.seconds
    with pytest.raises(AssertionError, match="trained again"):
        again(WEIGHTS, SEEDS)  # a third call is new


def test_stages_do_not_meet(tmp_path: Path) -> None:
    first = objective(tmp_path)
    scores = first(WEIGHTS, SEEDS)
    other = EngineObjective(engine=first.engine, stage="others", setting=SETTING)
    np.testing.assert_array_equal(other(WEIGHTS[::-1].copy(), SEEDS[::-1]), scores[::-1])
    assert other.trainings == 4


@pytest.mark.parametrize(
    ("weights", "seeds"),
    [(WEIGHTS[::-1].copy(), SEEDS), (WEIGHTS, [0, 0, 3, 2]), (WEIGHTS[:3], SEEDS[:3])],
)
def test_other_sets_in_the_same_call_are_refused(
    tmp_path: Path, weights: np.ndarray, seeds: list[int]
) -> None:
    objective(tmp_path)(WEIGHTS, SEEDS)
    again = objective(tmp_path)
    message = f"{tmp_path / 'scores/sets-0.safetensors'} holds other task sets: start afresh"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        again(weights, seeds)
    assert (again.trainings, again.examples, again.seconds) == (0, 0, 0.0)


def search(asked: EngineObjective, watch: object = None) -> Gains:
    """Four singles and all together, then twice two sets more."""
    return sample_gains(
        asked,
        SEARCH,
        trainings=9,
        max_groups=2,
        batch=2,
        watch=watch,  # type: ignore[arg-type]
    )


def searching(folder: Path, watch: Watch = lambda _: None) -> EngineObjective:
    engine = make_engine(folder, watch, SEARCHED)
    return EngineObjective(engine=engine, stage="sampled", setting=SETTING)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[EngineObjective, Gains]:
    asked = searching(tmp_path_factory.mktemp("whole"))
    return asked, search(asked)


def check_same(
    uninterrupted: tuple[EngineObjective, Gains], resumed: EngineObjective, found: Gains
) -> None:
    asked, gains = uninterrupted
    assert found.sets.tobytes() == gains.sets.tobytes()
    assert found.gain.tobytes() == gains.gain.tobytes()
    assert len(gains.sets) == 9
    assert (resumed.trainings, resumed.examples) == (asked.trainings, asked.examples)
    assert list(resumed.engine.folder.path("population").iterdir()) == []


@pytest.mark.parametrize("batches", [1, 2])
def test_killed_between_two_calls(
    tmp_path: Path, uninterrupted: tuple[EngineObjective, Gains], batches: int
) -> None:
    seen: list[int] = []

    def kill(gains: Gains) -> None:
        seen.append(len(gains.sets))
        if len(seen) == batches:
            raise Killed

    with pytest.raises(Killed):
        search(searching(tmp_path), kill)
    assert seen == [5, 7][:batches]
    resumed = searching(tmp_path)
    check_same(uninterrupted, resumed, search(resumed))


@pytest.mark.parametrize("updates", [2, 6, 11])
def test_killed_within_a_population(
    tmp_path: Path, uninterrupted: tuple[EngineObjective, Gains], updates: int
) -> None:
    """Four epochs a population: the kills hit the first, the second and the third."""
    news: list[Update] = []

    def kill(update: Update) -> None:
        news.append(update)
        if len(news) == updates:
            raise Killed

    with pytest.raises(Killed):
        search(searching(tmp_path, kill))
    stage = f"sampled-{(updates - 1) // 4}"
    assert news[-1].stage == stage
    checkpoint = tmp_path / f"population/{stage}-0.checkpoint.safetensors"
    assert checkpoint.exists()
    resumed = searching(tmp_path)
    check_same(uninterrupted, resumed, search(resumed))


@pytest.mark.parametrize(
    "method",
    [
        "write_tensors",
        pytest.param(
            "forget",
        ),
    ],
)
def test_killed_while_a_population_is_put_away(
    tmp_path: Path,
    uninterrupted: tuple[EngineObjective, Gains],
    method: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before the scores are written, and between them and the end of the models."""
    owner = Engine if method == "forget" else RunFolder
    original = getattr(owner, method)

    def kill(self: object, *given: object) -> None:
        if method == "forget" or str(given[0]).startswith("scores/"):
            raise Killed
        original(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(owner, method, kill)
        with pytest.raises(Killed):
            search(searching(tmp_path))
    assert (tmp_path / "population/sampled-0-0.safetensors").exists()
    assert (tmp_path / "scores/sampled-0.safetensors").exists() == (method == "forget")
    resumed = searching(tmp_path)
    check_same(uninterrupted, resumed, search(resumed))


def test_a_member_that_diverges_has_no_gain(tmp_path: Path) -> None:
    wild = EngineObjective(
        engine=make_engine(tmp_path),
        stage="wild",
        setting=Setting(learning_rate=1e30, dropout=1.0),
    )
    with torch.no_grad():
        found = wild(WEIGHTS, SEEDS)
    assert np.isnan(found).all()
    assert wild.examples == 4 * 96  # one epoch each
