"""The optimizer study from data to result: resumed, sealed, and the same in any company."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from end_to_end.command import cotrain, small_table, write_table

from cotrain.data import from_arrays
from cotrain.data.dataset import FinishedDecision, Splits, TaskData
from cotrain.engine.engine import Update
from cotrain.engine.loss_weighting import FIXED
from cotrain.engine.optimizers import SGD, AdamW, TaskAdam
from cotrain.engine.recipe import Recipe
from cotrain.errors import InputError
from cotrain.studies import Contestant, Method, OptimizerGrid, OptimizerStudy, study_optimizers
from cotrain.weighting import IMTLL, ITMTL, FirstOrderScore, Uncertainty

RATES = (3e-2, 3.0)
DRAWS = 20
GRID = OptimizerGrid(
    contestants=(
        Contestant(name="AdamW", optimizer=AdamW(), learning_rates=RATES),
        Contestant(name="SGD", optimizer=SGD(), learning_rates=(0.03, 0.3), weight_decay=1e-4),
        Contestant(name="task Adam", optimizer=TaskAdam(), learning_rates=RATES),
    ),
    methods=(
        Method(name="uniform", weighting=FIXED),
        Method(name="UW", weighting=Uncertainty()),
        Method(name="IT-MTL", weighting=ITMTL(score=FirstOrderScore())),
    ),
    seeds=2,
    widths=(12,),
    recipe=Recipe(epochs=3, batch_size=32, patience=9),
)


def splits(*, poison: float = 0.0) -> Splits:
    """Images of 4 × 4: is the left half brighter, how bright the top is, which row is brightest."""
    rng = np.random.default_rng(0)
    images = rng.random((260, 4, 4))
    left = images[..., :2].mean(axis=(1, 2)) > images[..., 2:].mean(axis=(1, 2))
    top, row = images[:, :2].mean(axis=(1, 2)), images.mean(axis=2).argmax(axis=1)
    targets = np.stack([left, top, row], axis=1).astype(np.float64)
    targets[rng.random(targets.shape) < 0.1] = np.nan
    names = ["left", "top", "row"]
    return from_arrays(images.reshape(-1, 16), targets + poison, names=names, seed=0)


def arrays(study: OptimizerStudy) -> dict[str, Any]:
    found = {field.name: getattr(study, field.name) for field in dataclasses.fields(study)}
    return {name: value for name, value in found.items() if isinstance(value, np.ndarray)}


def assert_same(a: OptimizerStudy, b: OptimizerStudy) -> None:
    for name, value in arrays(a).items():
        np.testing.assert_array_equal(value, getattr(b, name), err_msg=name)
    assert (a.trainings, a.examples, a.steady, a.lone) == (
        b.trainings,
        b.examples,
        b.steady,
        b.lone,
    )


@pytest.fixture(scope="module", autouse=True)
def few_draws_and_probes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cotrain.studies.redrawn.DRAWS", DRAWS)
        patch.setattr("cotrain.studies.optimizers.inter_task.PROBES", 4)
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> OptimizerStudy:
    folder = tmp_path_factory.mktemp("study")
    return study_optimizers(splits(), out=folder, grid=GRID, images=(4, 4))


def test_what_it_holds(whole: OptimizerStudy) -> None:
    assert whole.valid.shape == (3, 3, 2, 2, 3)
    assert whole.test.shape == (1 + DRAWS, 3, 3, 2, 3)
    assert whole.alone_test.shape == (1 + DRAWS, 2, 2, 3)
    assert whole.robustness.shape == (1 + DRAWS, 2, 2, 36, 3)
    assert whole.gradients.shape == (3, 2, 2, 3)
    assert whole.lone == (0, 1)
    assert whole.rules == ("AdamW", "SGD", "TaskAdam")
    assert whole.trainings == 3 * 3 * 2 * 2 + 2 * 2 * 2 * 3 + 3 * 2  # together, alone, gradients
    assert whole.examples == whole.trainings * 3 * 203  # epochs of seven batches of 29
    assert np.isfinite(whole.valid).all()
    assert np.isfinite(whole.test[0]).all()
    assert np.isfinite(whole.gradients).all()
    assert np.isfinite(whole.robustness[0]).all()
    assert "66 trainings" in str(whole)
    assert len(whole.findings) == 3  # no Adam, so nothing of it
    assert "Robustness" in whole.sections()[3].title


def test_rates_are_chosen_on_validation(whole: OptimizerStudy) -> None:
    best = whole.valid_losses.mean(axis=-1).argmin(axis=2)
    assert np.array_equal(whole.chosen, best)
    assert len(np.unique(whole.chosen)) == 2
    alone = whole.alone_valid.mean(axis=1)
    assert np.array_equal(whole.baseline, alone.argmax(axis=0))


def test_a_finished_study_is_read_back(tmp_path: Path) -> None:
    small = dataclasses.replace(GRID, contestants=GRID.contestants[:1], methods=GRID.methods[:2])
    first = study_optimizers(splits(), out=tmp_path, grid=small)

    def watch(_: Update) -> None:
        raise AssertionError("nothing is to be trained")

    again = study_optimizers(splits(), out=tmp_path, grid=small, watch=watch)
    assert_same(first, again)
    assert again.image_sets == ()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "engine.json",
        "run.json",
        "study.safetensors",
    ]
    with pytest.raises(InputError, match="holds a run with other settings"):
        study_optimizers(splits(), out=tmp_path, grid=dataclasses.replace(small, seeds=3))


def test_killed_in_every_population_it_ends_where_it_would_have(
    tmp_path: Path, whole: OptimizerStudy
) -> None:
    stages: set[str] = set()

    class KilledError(Exception):
        pass

    def watch(news: Update) -> None:
        if news.stage not in stages:
            stages.add(news.stage)
            raise KilledError

    kills = 0
    while True:
        try:
            found = study_optimizers(splits(), out=tmp_path, grid=GRID, images=(4, 4), watch=watch)
            break
        except KilledError:
            kills += 1
    assert kills == len(stages) == 2 + 9 + 1 + 1  # alone, together, gradients, corruptions
    assert_same(found, whole)


def test_an_optimizer_does_not_depend_on_the_others(tmp_path: Path, whole: OptimizerStudy) -> None:
    """Trained without SGD: the same scores of the rest, to float tolerance."""
    others = (GRID.contestants[0], GRID.contestants[2])
    found = study_optimizers(
        splits(), out=tmp_path, grid=dataclasses.replace(GRID, contestants=others)
    )
    np.testing.assert_allclose(found.valid, whole.valid[[0, 2]], atol=0.02)
    np.testing.assert_allclose(found.alone_valid[0], whole.alone_valid[0], atol=0.02)


def test_the_test_split_opens_once_after_all_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    data = splits()
    opened = data.test.open_for

    def open_for(decision: FinishedDecision) -> TaskData:
        told.append("opened")
        return opened(decision)

    monkeypatch.setattr(data.test, "open_for", open_for)
    small = dataclasses.replace(GRID, contestants=GRID.contestants[:1])
    study_optimizers(data, out=tmp_path, grid=small, watch=lambda news: told.append(news.stage))
    assert told.count("opened") == 1
    assert told[-1] == "opened"


def test_rates_that_fail_end_nothing(tmp_path: Path) -> None:
    """An optimizer that fails at one rate, and another that fails at all of them."""
    fails = Contestant(name="fails", optimizer=SGD(), learning_rates=(0.03, 1e30))
    lost = Contestant(name="lost", optimizer=SGD(), learning_rates=(1e29, 1e30))
    contestants = (GRID.contestants[0], fails, lost)
    grid = dataclasses.replace(GRID, contestants=contestants, methods=GRID.methods[:2])
    found = study_optimizers(splits(), out=tmp_path, grid=grid)
    assert np.isfinite(found.valid).all(axis=(1, 3, 4)).tolist() == [
        [True, True],
        [True, False],
        [False, False],
    ]
    assert found.steady in ("AdamW", "fails")
    assert found.chosen.tolist()[1:] == [[0, 0], [0, 0]]
    assert "lost –" in str(found.sections()[0])
    assert all(section.figure()["data"] for section in found.sections())
    assert len(found.findings) == 2  # of gradients, of the two optimizers that have some


def test_bad_input(tmp_path: Path) -> None:
    one = from_arrays(np.random.default_rng(0).random((60, 4)), np.arange(60.0)[:, None] % 2)
    with pytest.raises(InputError, match="give two or more"):
        study_optimizers(one, out=tmp_path, grid=GRID)
    with pytest.raises(InputError, match="same number of learning rates"):
        dataclasses.replace(
            GRID,
            contestants=(
                *GRID.contestants,
                Contestant(name="x", optimizer=SGD(), learning_rates=(0.1,)),
            ),
        )
    with pytest.raises(InputError, match="first method must be uniform"):
        dataclasses.replace(GRID, methods=(Method(name="IMTL-L", weighting=IMTLL()),))
    with pytest.raises(InputError, match="names must differ, found AdamW, AdamW"):
        dataclasses.replace(GRID, contestants=GRID.contestants[:1] * 2)
    with pytest.raises(InputError, match="seeds must be at least 2, got 1"):
        dataclasses.replace(GRID, seeds=1)
    with pytest.raises(InputError, match="one optimizer at least must not be by task"):
        dataclasses.replace(GRID, contestants=GRID.contestants[2:])


def test_images_are_checked_before_anything_is_trained(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no images of 5 × 5"):
        study_optimizers(
            splits(),
            out=tmp_path,
            grid=GRID,
            images=(5, 5),
            watch=lambda news: pytest.fail("trained"),
        )


def test_validation_images_are_checked_too(tmp_path: Path) -> None:
    data = splits()
    data.development.valid.inputs[3, 5] = 1.5
    with pytest.raises(
        InputError, match=r"images in \[0, 1\]: inputs of 16 numbers from .* to 1.5"
    ):
        study_optimizers(
            data,
            out=tmp_path,
            grid=GRID,
            images=(4, 4),
            watch=lambda news: pytest.fail("trained"),
        )


def test_the_command(tmp_path: Path) -> None:
    """A part of the grid: it prints the verdicts, writes the page, and shows a finished study again."""
    table, out = write_table(tmp_path / "t.csv", small_table(80)), tmp_path / "study"
    part = ("--optimizers", "adam,sgd", "--methods", "rlw", "--rates", "1", "--seeds", "2")
    options = ("--targets", "up,twice,price", "--widths", "8", *part, "--out", out)
    for resume in ((), ("--resume",)):
        outcome = cotrain("study", "optimizers", table, *options, *resume)
        assert outcome.code == 0, outcome.err
        assert "2 optimizers, 2 methods of weighting, 1 learning rates, 2 seeds" in outcome.out
        verdicts = ("UNDECIDED here", "CONFIRMED here", "REFUTED here")
        assert any(verdict in outcome.out for verdict in verdicts)
    page = (out / "study.html").read_text()
    for title in (
        "Sensitivity to the learning rate",
        "Gradients between tasks and between samples",
    ):
        assert title in page
    assert OptimizerStudy.load(out / "study.safetensors").tasks == ("up", "twice", "price")
    wrong = cotrain("study", "optimizers", table, *options[:4], "--methods", "UW,heavy")
    assert wrong.code == 2
    assert "--methods 'heavy': there is UW, RLW, IMTL-L, PCGrad" in wrong.err
