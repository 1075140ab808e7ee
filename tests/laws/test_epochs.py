"""A member of a share of the epochs is one that a shorter recipe trains, whoever trains beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from tiny import RECIPE, joint, make_development, small_engine

from cotrain.data.folds import crossfitted
from cotrain.engine.recipe import share_of


def test_a_share_is_a_shorter_recipe(tmp_path: Path) -> None:
    development = crossfitted(make_development("brm"), seeds=5, seed=0)
    recipe = replace(RECIPE, epochs=8, to_end=True)
    members = [
        replace(joint(3, seed=seed, learning_rate=3e-3), epochs=share)
        for share in (0.25, 1.0)
        for seed in (0, 1)
    ]
    together = small_engine(development, tmp_path / "1", recipe=recipe).train("all", members)
    assert together.epochs_run.tolist() == [2, 2, 8, 8]
    assert together.best_epoch[:, 0].tolist() == [2, 2, 8, 8]
    short = small_engine(development, tmp_path / "2", recipe=share_of(recipe, 0.25))
    alone = short.train("all", [replace(member, epochs=1.0) for member in members[:2]])
    assert torch.equal(alone.outputs, together.outputs[:2])
    assert torch.equal(alone.loss, together.loss[:2])
    engine = small_engine(development, tmp_path / "1", recipe=recipe)
    assert engine.examples(together) == 20 * engine.examples_in_epoch


def test_progress_counts_what_is_trained(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    engine = small_engine(
        make_development("brm"),
        tmp_path,
        recipe=replace(RECIPE, epochs=8, to_end=True),
        watch=lambda news: seen.append((news.done, news.total)),
    )
    engine.train("all", [replace(joint(3), epochs=0.5), joint(3)])
    assert [done for done, _ in seen] == list(range(1, 13))
    assert {total for _, total in seen} == {12}
