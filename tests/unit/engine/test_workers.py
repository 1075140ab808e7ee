"""Shards of progress, the driver's loop when workers lose things, and clusters that are not there."""

from __future__ import annotations

import copy
import importlib.util
import pickle
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from end_to_end.command import cotrain, write_table
from tiny import RECIPE, joint, make_architecture, make_development, same, small_engine, train

import cotrain as cotrain_package
from cotrain import InputError, RayCluster
from cotrain.engine.cohorts.local import LocalWorkers
from cotrain.engine.cohorts.shards import join, split, take
from cotrain.engine.cohorts.workers import LostError, Partition, Report, WorkerContext
from cotrain.engine.engine import Engine, cohort_size
from cotrain.engine.executors.calibrate import candidates, executor_by_name
from cotrain.engine.training import Progress
from cotrain.weighting import PBT, optimize_weights

DEVELOPMENT = make_development("brm")
MEMBERS = [
    joint(3),
    joint(3, seed=1, learning_rate=1e30),  # diverges
    joint(3, seed=2, learning_rate=0.0),  # stands still, and stops
    joint(3, seed=3, learning_rate=1e-2),
]


def trained() -> Progress:
    return train(DEVELOPMENT, MEMBERS, recipe=replace(RECIPE, epochs=6, patience=3))


def assert_same(a: Progress, b: Progress) -> None:
    assert (a.active, a.epoch, a.diverged) == (b.active, b.epoch, b.diverged)
    assert a.state.step == b.state.step
    assert same(a.state.to_flat(), b.state.to_flat())
    for name in ("loss", "best_epoch", "outputs", "epochs_run"):
        assert torch.equal(getattr(a, name), getattr(b, name))
    assert a.models.keys() == b.models.keys()
    assert all(same(a.models[key], b.models[key]) for key in a.models)


def test_what_is_split_and_joined_is_the_same() -> None:
    progress = trained()
    assert (progress.active, progress.diverged) == ([0, 3], {1})
    parts = split(progress)
    assert [part.active for part in parts] == [[0], [], [], [0]]
    assert_same(join(parts), progress)
    assert_same(join([take(progress, [0, 1]), take(progress, [2, 3])]), progress)
    assert_same(take(join([parts[3], parts[1], parts[0], parts[2]]), [2, 1, 3, 0]), progress)


def test_joined_parts_share_no_memory() -> None:
    progress = trained()
    before = copy.deepcopy(progress)
    joined = join([progress])
    for tensors in (joined.state.to_flat(), *joined.models.values()):
        for tensor in tensors.values():
            tensor.fill_(7)
    for name in ("loss", "best_epoch", "outputs", "epochs_run"):
        getattr(joined, name).fill_(7)
    assert_same(progress, before)


def test_a_member_may_be_taken_twice() -> None:
    progress = trained()
    found = take(progress, [3, 3, 0])
    for row, source in enumerate((3, 3, 0)):
        assert_same(take(found, [row]), take(progress, [source]))
    memory = [t.data_ptr() for model in found.models.values() for t in model.values()]
    assert len(set(memory)) == len(memory)  # safetensors refuses shared memory


def test_packed_tensors_come_back() -> None:
    pytest.importorskip("ray")
    from cotrain.engine.cohorts.packing import pack, size, unpack

    scale = 3
    tensors: dict[str, Any] = {
        "odd": torch.arange(12.0).view(3, 4).T[1:],
        "low": torch.ones(2, 2, dtype=torch.bfloat16),
        "none": torch.zeros(0, 5),
        "one": torch.tensor(True),
        "code": lambda x: scale * x,
    }
    packed = pack(tensors)
    assert size(packed) >= 9 * 4 + 4 * 2 + 1
    found = unpack(packed)
    assert found.pop("code")(2) == 6
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in found.items())
    assert found["low"].dtype is torch.bfloat16
    large = torch.zeros(10**5)
    assert len(pack(large)[0]) < 500 < len(pickle.dumps(large))  # beside the pickle, not in it
    assert unpack(pack(large)).shape == (10**5,)


def test_parts_share_a_population_out(tmp_path: Path) -> None:
    def sizes(partition: Partition, members: int) -> list[int]:
        engine = small_engine(DEVELOPMENT, tmp_path, partition=partition)
        return [len(cohort) for cohort in engine.cohorts([joint(3)] * members)]

    assert sizes(Partition(), 70) == [64, 6]
    assert sizes(Partition(parts=3), 70) == [24, 24, 22]
    assert sizes(Partition(parts=100), 3) == [1, 1, 1]
    architecture = make_architecture(DEVELOPMENT)
    half = next(r for r in range(10**3, 10**6, 10**3) if cohort_size(architecture, RECIPE, r) == 5)
    assert sizes(Partition(memory_budget=half, parts=2), 12) == [5, 5, 2]


def test_an_executor_is_found_by_its_name() -> None:
    architecture = make_architecture(DEVELOPMENT)
    for low_precision in (False, True):
        for executor in candidates(architecture, low_precision=low_precision):
            found = executor_by_name(architecture, executor.name)
            assert (type(found), found.name) == (type(executor), executor.name)


@dataclass(kw_only=True)
class Forgetful(LocalWorkers):
    """Lose what they are at, some times."""

    at: list[int]  # work items that are lost
    taken: int = field(default=0, init=False)

    def wait(self) -> Sequence[tuple[int, Report]]:
        self.taken += 1
        if self.taken in self.at:
            raise LostError("gone")
        return super().wait()


@dataclass(frozen=True)
class Careless:
    """A cluster of such workers."""

    at: list[int]

    def partition(self) -> Partition:
        return Partition(parts=2)

    def workers(self, context: WorkerContext) -> Forgetful:
        return Forgetful(context=context, at=self.at)


def engine(folder: Path, **options: Any) -> Engine:
    recipe = replace(RECIPE, epochs=6, patience=3)
    return small_engine(DEVELOPMENT, folder, recipe=recipe, partition=Partition(parts=2), **options)


@pytest.mark.parametrize("saved", [0.0, 100.0])  # with checkpoints and without
def test_what_is_lost_comes_from_the_run_folder(saved: float, tmp_path: Path) -> None:
    expected = engine(tmp_path / "whole").train("tune", MEMBERS)
    ours = engine(tmp_path / "lost", cluster=Careless([3, 8]), checkpoint_seconds=saved)
    found = ours.train("tune", MEMBERS)
    assert torch.equal(found.outputs, expected.outputs)
    assert torch.equal(found.epochs_run, expected.epochs_run)
    searcher = PBT(members=4, learning_rate=1e-2)
    history, _ = optimize_weights(engine(tmp_path / "whole"), searcher, stage="s", every=2)
    ours = engine(tmp_path / "lost", cluster=Careless([3, 8]), checkpoint_seconds=saved)
    again, _ = optimize_weights(ours, searcher, stage="s", every=2)
    assert (again.scores == history.scores).all()


def test_what_is_lost_again_and_again_is_an_error(tmp_path: Path) -> None:
    ours = engine(tmp_path, cluster=Careless([1, 2, 3]))
    with pytest.raises(LostError, match="gone"):
        ours.train("tune", MEMBERS)


def test_ray_that_is_absent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda n: None if n == "ray" else find(n))
    table = write_table(tmp_path / "t.csv")
    outcome = cotrain(
        "run", table, "--targets", "up,twice", "--executor", "ray", "--out", tmp_path / "run"
    )
    assert outcome.code == 2
    assert outcome.err.strip() == "error: Ray is not installed: pip install 'cotrain[ray]'"
    assert not (tmp_path / "run").exists()


def test_a_cluster_that_cannot_be_reached() -> None:
    pytest.importorskip("ray")
    began = time.monotonic()
    with pytest.raises(InputError, match=r"no Ray cluster can be reached at '127\.0\.0\.1:1'"):
        RayCluster(address="127.0.0.1:1", patience=2.0).connect()
    assert time.monotonic() - began < 10
    with pytest.raises(InputError, match="no Ray cluster can be reached at 'nonsense'"):
        RayCluster(address="nonsense").connect()


def test_an_address_without_ray(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.csv")
    outcome = cotrain(
        "run", table, "--targets", "up", "--address", "auto", "--out", tmp_path / "run"
    )
    assert outcome.code == 2
    assert "--address is the address of a Ray cluster: add --executor ray" in outcome.err


def test_ray_is_imported_by_nobody_who_did_not_ask() -> None:
    source = Path(cotrain_package.__file__).parent
    imports = [
        (path.name, line)
        for path in source.rglob("*.py")
        for line in path.read_text().splitlines()
        if line.startswith(("import ray", "from ray"))  # at the top of a file
    ]
    assert imports == []
