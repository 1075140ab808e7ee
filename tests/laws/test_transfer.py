"""The laws of transfer: what reaches an encoder, and what must not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from tiny import distance, make_data, make_development, make_domains, only_tasks, same

from cotrain.data import RandomSplit, from_table, infer_schema
from cotrain.data.dataset import Development, TaskData
from cotrain.engine.engine import Engine, Update
from cotrain.engine.tuning import Setting
from cotrain.folder import RunFolder
from cotrain.transfer import (
    Finetuned,
    Finetuning,
    Pretrained,
    Pretraining,
    build_encoder,
    finetune,
    mixture_weights,
    of_target,
    pretrain,
    source_sizes,
)
from cotrain.transfer.mixtures import Weights

HOW = Pretraining(widths=(8, 6), low_precision=False)
SETTINGS = tuple(Setting(learning_rate=rate, dropout=0.3) for rate in (3e-3, 1e-2))
TUNE = Finetuning(widths=(8, 6), settings=SETTINGS[:1], seeds=2, rows=16, low_precision=False)
DRAWN = torch.Generator().manual_seed(3)
STARTS = {  # the second says nothing
    name: {
        "linears.0.weight": torch.randn(8, 5, generator=DRAWN),
        "linears.0.bias": torch.zeros(8),
        "linears.1.weight": torch.randn(6, 8, generator=DRAWN) * scale,
        "linears.1.bias": torch.zeros(6),
    }
    for name, scale in (("a", 0.3), ("b", 0.0))
}


@pytest.fixture(autouse=True)
def every_round_is_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cotrain.engine.build.Engine", partial(Engine, checkpoint_seconds=0.0))


def encoders(
    folder: Path, sources: Development, mixtures: dict[str, list[int]] | dict[str, Weights]
) -> Pretrained:
    """By size; the mixtures as lists of sources, or as weights."""
    sizes = source_sizes(sources.train)
    weights = {
        name: own if isinstance(own, tuple) else mixture_weights(sizes, own)
        for name, own in mixtures.items()
    }
    return pretrain(RunFolder(folder), sources, weights, how=HOW)


@pytest.mark.parametrize("one", [True, False])
def test_a_mixture_does_not_depend_on_the_others(tmp_path: Path, one: bool) -> None:
    sources = make_domains((70, 50, 40), one_label_space=False) if one else make_development("bmr")
    together = encoders(tmp_path / "a", sources, {"all": [0, 1, 2], "one": [1], "two": [0, 2]})
    alone = encoders(tmp_path / "b", sources, {"two": [0, 2]})
    assert distance(alone.encoders["two"], together.encoders["two"]) < 1e-5
    assert alone.best_epoch[0] == together.best_epoch[2]
    assert distance(together.encoders["all"], together.encoders["one"]) > 1e-2


@pytest.mark.parametrize("order", [[2, 0, 1]])
def test_permuting_sources_changes_no_encoder(tmp_path: Path, order: list[int]) -> None:
    sources = make_development("bmr")
    expected = encoders(tmp_path / "a", sources, {"all": [0, 1, 2], "two": [0, 2]})
    mixtures = {"all": [0, 1, 2], "two": [order.index(0), order.index(2)]}
    found = encoders(tmp_path / "b", only_tasks(sources, order), mixtures)
    for name in mixtures:
        assert distance(found.encoders[name], expected.encoders[name]) < 1e-5
    torch.testing.assert_close(found.loss, expected.loss[:, order])
    assert torch.equal(found.best_epoch, expected.best_epoch)


def with_other_labels(data: TaskData, task: int) -> TaskData:
    """The same rows with another task's labels turned epoch."""
    targets = data.targets.clone()
    targets[:, task] = 1 - targets[:, task]
    return replace(data, targets=targets)


def test_a_source_of_weight_zero_leaves_the_encoder_bit_identical(tmp_path: Path) -> None:
    sources = make_development("bmrb")
    changed = Development(
        train=with_other_labels(sources.train, 3), valid=with_other_labels(sources.valid, 3)
    )
    mixture = {"three": [0, 1, 2]}
    expected = encoders(tmp_path / "a", sources, mixture)
    found = encoders(tmp_path / "b", changed, mixture)
    assert same(found.encoders["three"], expected.encoders["three"])
    assert not same(
        encoders(tmp_path / "c", changed, {"four": [0, 1, 2, 3]}).encoders["four"],
        encoders(tmp_path / "d", sources, {"four": [0, 1, 2, 3]}).encoders["four"],
    )


def test_the_encoder_speaks_from_one_round_without_its_heads(tmp_path: Path) -> None:
    found = encoders(tmp_path, make_development("bmr"), {"all": [0, 1, 2], "one": [1]})
    assert sorted(found.encoders["all"]) == [
        "linears.0.bias",
        "linears.0.weight",
        "linears.1.bias",
        "linears.1.weight",
    ]
    assert found.loss.isfinite().tolist() == [[True] * 3, [False, True, False]]
    assert bool((found.epochs_run >= found.best_epoch).all())


def killed(run: Callable[[Callable[[Update], None]], object], after: int) -> None:
    """Start a run and end it by force after so many epochs."""

    class Killed(Exception):
        pass

    epochs = 0

    def kill(_: Update) -> None:
        nonlocal epochs
        epochs += 1
        if epochs == after:
            raise Killed

    with pytest.raises(Killed):
        run(kill)


def test_kill_and_resume_stage_1(tmp_path: Path) -> None:
    sources, mixtures = make_development("bmr"), {"all": (1.0,) * 3, "one": (0.0, 1.0, 0.0)}
    expected = encoders(tmp_path / "whole", sources, mixtures)
    cut = RunFolder(tmp_path / "cut")
    killed(lambda kill: pretrain(cut, sources, mixtures, how=HOW, watch=kill), after=3)
    found = pretrain(cut, sources, mixtures, how=HOW)
    for name in mixtures:
        assert same(found.encoders[name], expected.encoders[name])
    assert torch.equal(found.loss, expected.loss)


def tuned(folder: Path, target: Development) -> Finetuned:
    """From two encoders and from scratch."""
    return finetune(RunFolder(folder), target, STARTS, how=TUNE)


def test_kill_and_resume_stage_2(tmp_path: Path) -> None:
    target = of_target(make_development("bm"), 0)
    expected = tuned(tmp_path / "whole", target)
    cut = RunFolder(tmp_path / "cut")
    killed(lambda kill: finetune(cut, target, STARTS, how=TUNE, watch=kill), after=120)
    found = tuned(tmp_path / "cut", target)
    np.testing.assert_array_equal(found.valid, expected.valid)
    np.testing.assert_array_equal(
        found.predict(target.valid.inputs), expected.predict(target.valid.inputs)
    )


def test_an_encoder_that_says_nothing_learns_nothing_but_the_base_rate(tmp_path: Path) -> None:
    target = of_target(make_development("bm"), 0)
    found = tuned(tmp_path, target)
    assert found.starts == ("scratch", "a", "b")
    # relu(0) everywhere: no gradient leaves or enters the encoder, so all rows are predicted alike
    assert (found.valid[2] == 0.5).all()
    assert (found.valid[0] > 0.6).all()
    assert len({tuple(row) for row in found.valid[:2]}) == 2


def test_other_labels_of_the_table_have_no_influence_on_a_target(tmp_path: Path) -> None:
    data = make_development("bm")
    changed = Development(train=with_other_labels(data.train, 1), valid=data.valid)
    expected = tuned(tmp_path / "a", of_target(data, 0))
    found = tuned(tmp_path / "b", of_target(changed, 0))
    np.testing.assert_array_equal(found.valid, expected.valid)


def test_starts_keep_company(tmp_path: Path) -> None:
    target = of_target(make_development("bm", rows=64), 1)
    together = tuned(tmp_path / "a", target)
    alone = finetune(RunFolder(tmp_path / "b"), target, {}, how=TUNE)
    np.testing.assert_allclose(alone.valid[0], together.valid[0], atol=1e-6)
    data = make_data("bm", seed=7)
    own = of_target(Development(train=data, valid=data), 1).train
    np.testing.assert_allclose(alone.scores(own)[0], together.scores(own)[0], atol=1e-6)


def test_target_data_never_enters_stage_1(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = pl.DataFrame({f"x{at}": rng.normal(size=60) for at in range(4)}).with_columns(
        a=pl.Series(rng.permutation([0, 1] * 30)), b=pl.Series(rng.permutation([0, 1] * 30))
    )
    found = []
    for place, target in (("one", rng.permutation([0, 1] * 30)), ("other", [None] * 50 + [1] * 10)):
        frame = table.with_columns(target=pl.Series(target, dtype=pl.Int64))
        schema = infer_schema(frame, targets=["a", "b"], ignore=["target"])
        splits = from_table(frame, schema, RandomSplit(), 0, test=False)
        found.append(build_encoder(splits, out=tmp_path / place, how=HOW))
    assert same(found[0].state, found[1].state)
    assert found[0].facts.rows == 54
