"""Law 2 for Ray: its workers' populations equal local ones, also when workers or the driver die."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from end_to_end.command import QUICK, cotrain, small_table, write_table
from tiny import RECIPE, make_architecture, make_development, same, small_engine
from torch import nn
from traps import Broken, Deadly

from cotrain import InputError, RayCluster
from cotrain.engine.cohorts.local import LOCAL
from cotrain.engine.cohorts.workers import Partition
from cotrain.engine.engine import Engine, Update
from cotrain.engine.executors.calibrate import candidates
from cotrain.engine.member import Member
from cotrain.engine.trained import Trained
from cotrain.weighting import PBT, Uncertainty, optimize_weights

ray = pytest.importorskip("ray")
# Ray ended the process of a test worker once in five runs of the suite; alone these tests have not failed.
pytestmark = pytest.mark.slow
DEVELOPMENT = make_development("brm")
ROUNDS = replace(RECIPE, epochs=8, patience=2)
PARTITION = Partition(parts=2)
MEMBERS = [
    Member(name="slow", weights=(1.0, 1.0, 1.0), learning_rate=1e-3),
    Member(name="fast", weights=(1.0, 1.0, 1.0), seed=1, learning_rate=0.3, dropout=0.0),
    Member(name="lost", weights=(1.0, 1.0, 0.0), seed=2, learning_rate=1e30),
    Member(name="still", weights=(1.0, 0.0, 1.0), seed=4, learning_rate=0.0),
    Member(name="one", weights=(0.0, 0.0, 1.0), seed=3, learning_rate=3e-2, dropout=0.5),
    Member(name="own", weights=(1.0, 2.0, 1.0), weighting=Uncertainty()),
    Member(name="other", weights=(1.0, 1.0, 1.0), seed=5, weighting=Uncertainty()),
]


@pytest.fixture(scope="module", autouse=True)
def _two_workers() -> Iterator[None]:
    tests = str(Path(__file__).parents[1])  # where workers find the traps
    options = {"object_store_memory": 100 << 20, "include_dashboard": False}
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", tests, prepend=os.pathsep)
        patched.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(address="local", num_cpus=2, log_to_driver=False, logging_level="ERROR", **options)
        yield
        ray.shutdown()


def engine(folder: Path, *, on_ray: bool, **options: Any) -> Engine:
    cluster = RayCluster(pause=0.0) if on_ray else LOCAL  # pauses after every epoch
    return small_engine(
        DEVELOPMENT,
        folder,
        **{"recipe": ROUNDS, "cluster": cluster, "partition": PARTITION} | options,
    )


def assert_identical(a: Trained, b: Trained) -> None:
    assert a.members == b.members
    for name in ("loss", "best_epoch", "epochs_run", "outputs"):
        assert torch.equal(getattr(a, name), getattr(b, name)), name
    assert a.models.keys() == b.models.keys()
    assert all(same(a.models[key], b.models[key]) for key in a.models)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return engine(tmp_path_factory.mktemp("local"), on_ray=False).train("tune", MEMBERS)


def test_a_population_is_equal_to_the_local_one(expected: Trained, tmp_path: Path) -> None:
    news: list[Update] = []
    ours = engine(tmp_path, on_ray=True, watch=news.append)
    assert [len(cohort) for cohort in ours.cohorts(MEMBERS)] == [3, 2, 1, 1]
    found = ours.train("tune", MEMBERS)
    # The story holds what it is meant to: a member stops early, one diverges, one runs to the end.
    assert expected.epochs_run.tolist()[:4] == [8, int(expected.epochs_run[1]), 1, 3]
    assert_identical(found, expected)
    assert found.seconds > 0
    assert news[-1].done == news[-1].total == 7 * 8
    assert [update.done for update in news] == sorted(update.done for update in news)


def test_the_cut_changes_nothing(expected: Trained, tmp_path: Path) -> None:
    found = engine(tmp_path, on_ray=True, partition=Partition(parts=5)).train("tune", MEMBERS)
    assert torch.equal(found.best_epoch, expected.best_epoch)
    torch.testing.assert_close(found.loss, expected.loss, atol=1e-6, rtol=0)


def test_a_worker_that_is_killed_in_a_round(tmp_path: Path) -> None:
    file = tmp_path / "killed"
    members = [replace(member, weighting=Deadly(file=str(file), step=20)) for member in MEMBERS[:5]]
    found = engine(tmp_path / "ray", on_ray=True).train("tune", members)
    assert int(file.read_text()) != os.getpid()  # it did happen, and elsewhere
    assert_identical(found, engine(tmp_path / "local", on_ray=False).train("tune", members))


@pytest.mark.parametrize("deadly", [False, True])
def test_a_search_is_equal_to_the_local_one(
    deadly: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "killed"
    if deadly:
        plain, trap = Member, Deadly(file=str(file), step=40)
        monkeypatch.setattr(
            "cotrain.weighting.optimize.Member", lambda **given: plain(weighting=trap, **given)
        )
    searcher = PBT(members=6, learning_rate=1e-2, search_rate=True)
    found, trained = optimize_weights(
        engine(tmp_path / "ray", on_ray=True), searcher, stage="s", every=2
    )
    if deadly:
        assert int(file.read_text()) != os.getpid()
    local = engine(tmp_path / "local", on_ray=False)
    history, whole = optimize_weights(local, searcher, stage="s", every=2)
    moved = {
        (int(parent) // 3, child // 3) for own in found.parents for child, parent in enumerate(own)
    }
    assert moved & {(0, 1), (1, 0)}  # copies went from cohort to cohort
    assert np.array_equal(found.parents, history.parents)
    assert np.array_equal(found.scores, history.scores)
    assert_identical(trained, whole)
    alone, _ = optimize_weights(
        engine(tmp_path / "one", on_ray=False, partition=Partition()), searcher, stage="s", every=2
    )
    np.testing.assert_allclose(found.scores, alone.scores, atol=1e-5)


class KilledError(BaseException):
    """What stops the driver in these tests, as Ctrl-C does."""


def stopping(after: int) -> Callable[[Update], None]:
    seen: list[Update] = []

    def watch(update: Update) -> None:
        seen.append(update)
        if len(seen) == after:
            raise KilledError

    return watch


@pytest.mark.parametrize(("first", "then"), [(True, False), (False, True)])
def test_a_killed_driver_goes_on_anywhere(
    first: bool, then: bool, expected: Trained, tmp_path: Path
) -> None:
    killed = engine(tmp_path, on_ray=first, watch=stopping(4), checkpoint_seconds=0)
    with pytest.raises(KilledError):
        killed.train("tune", MEMBERS)
    assert list((tmp_path / "population").glob("tune-*.checkpoint.safetensors"))
    assert_identical(engine(tmp_path, on_ray=then).train("tune", MEMBERS), expected)


def test_a_killed_search_goes_on(tmp_path: Path) -> None:
    searcher = PBT(members=5, learning_rate=1e-2)
    whole, expected = optimize_weights(
        engine(tmp_path / "whole", on_ray=False), searcher, stage="s", every=3
    )
    killed = engine(tmp_path / "ray", on_ray=True, watch=stopping(8), checkpoint_seconds=0)
    with pytest.raises(KilledError):
        optimize_weights(killed, searcher, stage="s", every=3)
    assert (tmp_path / "ray" / "population" / "s.search.safetensors").exists()
    again, found = optimize_weights(
        engine(tmp_path / "ray", on_ray=True), searcher, stage="s", every=3
    )
    assert np.array_equal(again.scores, whole.scores)
    assert_identical(found, expected)


def test_what_the_work_raises_is_raised_here(tmp_path: Path) -> None:
    member = Member(name="m", weights=(1.0, 1.0, 1.0), weighting=Broken())
    with pytest.raises(InputError, match="this weighting is broken"):
        engine(tmp_path, on_ray=True).train("tune", [member])


def test_a_network_of_the_users_travels(tmp_path: Path) -> None:
    def encoder() -> nn.Module:
        return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.ReLU())

    found = []
    for on_ray in (True, False):
        architecture = make_architecture(DEVELOPMENT, encoder=encoder)
        ours = engine(tmp_path / str(on_ray), on_ray=on_ray)
        executor = next(
            e for e in candidates(architecture, low_precision=False) if "sequential" in e.name
        )
        ours = replace(ours, architecture=architecture, executor=executor)
        found.append(ours.train("tune", MEMBERS[:3]))
    assert_identical(*found)


def test_the_command(tmp_path: Path) -> None:
    table, results = write_table(tmp_path / "t.csv", small_table(80)), []
    options = ("--targets", "up,twice,price", *QUICK)
    for executor in ("ray", "local"):
        folder = tmp_path / executor
        outcome = cotrain("run", table, *options, "--executor", executor, "--out", folder)
        assert outcome.code == 0, outcome.err
        results.append(json.loads((folder / "result.json").read_text()))
    assert json.loads((tmp_path / "ray" / "engine.json").read_text())["partition"]["parts"] == 2
    assert results[0]["grouping"]["groups"] == results[1]["grouping"]["groups"]
    for there, here in zip(*(result["tasks"] for result in results), strict=True):
        assert there["test"].keys() == here["test"].keys()
        for name in here["test"]:
            assert there["test"][name] == pytest.approx(here["test"][name], abs=1e-3)
