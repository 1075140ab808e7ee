"""Instruments on the engine's joint run: they change nothing, and survive being killed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import (
    joint,
    make_development,
    small_engine,
    train,
)

from cotrain.engine.cohorts import checkpoint
from cotrain.engine.engine import Engine, Update
from cotrain.errors import InputError
from cotrain.folder import RunFolder
from cotrain.measure.datamaps.recorder import DataMaps
from cotrain.measure.gradients.comparison import Gradients
from cotrain.measure.joint_run import CHECKPOINT, Watchers, measure_joint_run
from cotrain.measure.points.point import Point
from cotrain.measure.transference.lookahead import Lookahead

TASKS = ("b0", "r1", "m2")
DEVELOPMENT = make_development("brm")


class Killed(Exception):
    """Stands for a kill at the end of an epoch."""


def engine(folder: Path, killed_after: int = 99) -> Engine:
    def watch(update: Update) -> None:
        if update.done == killed_after:
            raise Killed

    return small_engine(DEVELOPMENT, folder, watch=watch, checkpoint_seconds=0.0)


def watchers() -> Watchers:
    return Watchers(
        lookahead=Lookahead(tasks=TASKS),
        gradients=Gradients(tasks=TASKS),
        maps=DataMaps(TASKS, rows=len(DEVELOPMENT.train)),
        every=2,
    )


def results(seen: Watchers) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in seen.state().items()}


@pytest.mark.parametrize("killed_after", [1, 2, 3])
def test_killed_and_resumed_equals_uninterrupted(tmp_path: Path, killed_after: int) -> None:
    whole = watchers()
    examples, _ = measure_joint_run(engine(tmp_path / "whole"), joint(3), whole)
    with pytest.raises(Killed):
        measure_joint_run(engine(tmp_path / "run", killed_after), joint(3), watchers())
    assert (tmp_path / "run" / CHECKPOINT).exists()
    resumed = watchers()
    assert measure_joint_run(engine(tmp_path / "run"), joint(3), resumed)[0] == examples
    a, b = results(whole), results(resumed)
    assert a.keys() == b.keys()
    for name in a:
        assert a[name].numpy().tobytes() == b[name].numpy().tobytes(), name
    assert not (tmp_path / "run" / CHECKPOINT).exists()


def test_all_saw_the_whole_run(tmp_path: Path) -> None:
    seen = watchers()
    measure_joint_run(engine(tmp_path), joint(3), seen)
    # 96 rows in batches of 16 are 6 steps an epoch, 24 in all; 24 // 20 steps from probe to probe
    assert len(seen.lookahead.exact) == 23
    assert seen.gradients is not None
    assert seen.gradients.epochs == [5, 11, 17, 23]
    assert seen.maps is not None
    observed = seen.maps.result().observed[-1]
    assert np.array_equal(observed, 4 * DEVELOPMENT.train.mask.T.numpy())


def test_the_run_is_what_it_is_without_watchers(tmp_path: Path) -> None:
    losses: list[float] = []
    at = replace(engine(tmp_path), watch=lambda update: losses.append(update.loss))
    measure_joint_run(at, joint(3), watchers())
    plain: list[float] = []
    train(
        DEVELOPMENT,
        [joint(3)],
        executor="fused",
        after_epoch=lambda progress: plain.append(float(progress.loss.mean())),
    )
    assert losses == plain


class Breaking(Lookahead):
    """Meets a loss that is not finite in the third epoch."""

    def probe(self, point: Point) -> None:
        if point.step < 13:
            super().probe(point)
        else:
            super().probe(Broken(point))


class Broken:
    """A point where the loss of the second task is NaN."""

    def __init__(self, point: Point) -> None:
        self.step = point.step
        self.present = point.present
        self.losses = torch.where(torch.arange(3) == 1, torch.nan, point.losses)


def test_a_loss_that_is_not_finite_is_named_and_the_checkpoint_stays(tmp_path: Path) -> None:
    broken = replace(watchers(), lookahead=Breaking(tasks=TASKS))
    with pytest.raises(InputError, match="the loss of task 'r1' is nan at step 13"):
        measure_joint_run(engine(tmp_path), joint(3), broken)
    progress, _, _ = checkpoint.load(RunFolder(tmp_path), CHECKPOINT)
    assert progress.epoch in (1, 2)  # writing may be paced


def test_a_run_that_diverges_says_where(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'b0'|'r1'|'m2'"):
        measure_joint_run(engine(tmp_path), joint(3, learning_rate=1e30), watchers())
