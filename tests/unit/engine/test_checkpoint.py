"""A checkpoint holds everything that training goes on from."""

from __future__ import annotations

from pathlib import Path

import torch
from tiny import joint, make_development, same, train

from cotrain.engine.cohorts import checkpoint
from cotrain.folder import RunFolder


def test_everything_comes_back(tmp_path: Path) -> None:
    members = [joint(3), joint(3, learning_rate=1e30, seed=1), joint(3, seed=2)]
    progress = train(make_development("brm"), members)
    folder = RunFolder(tmp_path)
    checkpoint.save(folder, "x.safetensors", progress, seconds=1.5)
    found, facts, _ = checkpoint.load(folder, "x.safetensors")
    assert facts == {"seconds": 1.5}
    assert found.diverged == progress.diverged == {1}
    assert found.active == progress.active == [0, 2]
    assert (found.epoch, found.state.step) == (4, 24)
    assert same(found.state.to_flat(), progress.state.to_flat())
    for name in checkpoint.MEASURED:
        assert torch.equal(getattr(found, name), getattr(progress, name))
    assert found.models.keys() == progress.models.keys()
    assert all(same(found.models[key], progress.models[key]) for key in found.models)


def test_a_finished_cohort_keeps_results_and_drops_the_state(tmp_path: Path) -> None:
    members = [joint(3), joint(3, seed=2)]
    progress = train(make_development("brm"), members)
    folder = RunFolder(tmp_path)
    checkpoint.save(folder, "whole", progress, seconds=0)
    loss = progress.loss.clone()
    checkpoint.save(folder, "done", checkpoint.without_training_state(progress), seconds=0)
    found, _, _ = checkpoint.load(folder, "done")
    assert torch.equal(found.loss, loss)
    assert found.active == []
    assert folder.path("done").stat().st_size < folder.path("whole").stat().st_size
