"""Tuning: candidates, and who wins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tiny import joint, make_development, population, train

from cotrain.engine.member import Member
from cotrain.engine.models.losses import predictions
from cotrain.engine.trained import Trained, from_progress
from cotrain.engine.tuning import (
    SETTINGS,
    Setting,
    candidates,
    member_scores,
    tuned,
)
from cotrain.tasks import score


def test_candidates() -> None:
    grid = candidates(
        [Member(name="a", weights=(1.0, 0.0)), Member(name="b", weights=(1.0, 1.0))], SETTINGS[:2]
    )
    assert [m.name for m in grid] == ["a", "b", "a", "b"]
    assert [m.learning_rate for m in grid] == [SETTINGS[0].learning_rate] * 2 + [
        SETTINGS[1].learning_rate
    ] * 2
    assert {m.seed for m in grid} == {0}


@pytest.fixture(scope="module")
def trained() -> Trained:
    settings = (Setting(learning_rate=0.0, dropout=1.0), Setting(learning_rate=3e-2, dropout=0.0))
    members = candidates([joint(3), Member(name="single/1", weights=(0.0, 1.0, 0.0))], settings)
    development = make_development("brm", missing=0.2)
    return from_progress(members, train(development, members), 1.0)


def test_member_scores_are_scores(trained: Trained) -> None:
    valid = make_development("brm", missing=0.2).valid
    found = member_scores(trained, valid)
    assert np.isnan(found[1]).tolist() == [True, False, True]
    values = predictions(valid.tasks, trained.outputs)
    for t in range(3):
        rows, y = valid.labels(t)
        assert found[2, t] == score(valid.tasks[t], values[t][2][rows], y)


def test_tuning_takes_the_member_that_learned(trained: Trained) -> None:
    best = tuned(trained, make_development("brm", missing=0.2), 2)
    assert [(m.name, m.learning_rate) for m in best] == [("joint", 3e-2), ("single/1", 3e-2)]


def test_tuning_names_a_member_even_if_all_diverged() -> None:
    members = [Member(name="joint", weights=(1.0,) * 3, learning_rate=1e30)]
    development = make_development("brm")
    lost = from_progress(members, train(development, members), 1.0)
    assert lost.loss.isinf().all()
    assert tuned(lost, development, 1) == tuple(members)


def test_tuning_weighs_scores_as_the_member_weighs_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """With weights 1 and ¼, scores .5 and .9 average .58, and .6 and .52 .584: less than .7 and .56."""
    members = [
        Member(name="soft", weights=(1.0, 0.25), learning_rate=rate) for rate in (1e-3, 3e-3)
    ]
    scores = np.array([[0.5, 0.9], [0.6, 0.52]])
    monkeypatch.setattr("cotrain.engine.tuning.held_scores", lambda trained, development: scores)
    trained = population([(1.0, 0.25)] * 2, [0, 0])
    trained = replace(trained, members=tuple(members))
    assert tuned(trained, make_development("bb"), 1) == (members[1],)
    scores[0, 1] = 1.0  # .6
    assert tuned(trained, make_development("bb"), 1) == (members[0],)
