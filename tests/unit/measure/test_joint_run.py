"""Instruments on the engine's joint run: they change nothing, and survive being killed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import RECIPE, joint, make_architecture, make_development, make_executor, train

from cotrain.artifacts import RunFolder
from cotrain.errors import InputError
from cotrain.measure.gradients import Gradients
from cotrain.measure.joint_run import CHECKPOINT, Watchers, measure_joint_run
from cotrain.measure.lookahead import Lookahead
from cotrain.measure.recorder import DataMaps
from cotrain.population.calibration import Calibration
from cotrain.population.engine import Engine, Update

TASKS = ("b0", "r1", "m2")
DEVELOPMENT = make_development("brm")


class Killed(Exception):
    """Stands for a kill at the end of a round."""


def engine(folder: Path, killed_after: int = 99) -> Engine:
    def watch(update: Update) -> None:
        if update.done == killed_after:
            raise Killed

    architecture = make_architecture(DEVELOPMENT)
    return Engine(
        architecture=architecture,
        development=DEVELOPMENT,
        recipe=RECIPE,
        executor=make_executor("fused", architecture, DEVELOPMENT.tasks),
        calibration=Calibration(chosen="", trials=()),
        folder=RunFolder(folder),
        watch=watch,
        checkpoint_seconds=0.0,
    )


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
    examples = measure_joint_run(engine(tmp_path / "whole"), joint(3), whole)
    with pytest.raises(Killed):
        measure_joint_run(engine(tmp_path / "run", killed_after), joint(3), watchers())
    assert (tmp_path / "run" / CHECKPOINT).exists()
    resumed = watchers()
    assert measure_joint_run(engine(tmp_path / "run"), joint(3), resumed) == examples
    a, b = results(whole), results(resumed)
    assert a.keys() == b.keys()
    for name in a:
        assert a[name].numpy().tobytes() == b[name].numpy().tobytes(), name
    assert not (tmp_path / "run" / CHECKPOINT).exists()


def test_all_saw_the_whole_run(tmp_path: Path) -> None:
    seen = watchers()
    measure_joint_run(engine(tmp_path), joint(3), seen)
    # 96 rows in batches of 16 are 6 steps a round, 24 in all; 24 // 20 steps from probe to probe
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
        after_round=lambda progress: plain.append(float(progress.loss.mean())),
    )
    assert losses == plain


def test_a_run_that_diverges_says_where_and_keeps_its_checkpoint(tmp_path: Path) -> None:
    at = engine(tmp_path)
    rate = 1e30  # from the first step on
    with pytest.raises(InputError, match=r"'b0'|'r1'|'m2'"):
        measure_joint_run(at, joint(3, learning_rate=rate), watchers())
