"""The same path from Python: your own encoder, arrays, and a torch dataset with absent tasks."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from numpy.typing import NDArray
from polars.testing import assert_frame_equal
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import Dataset

import cotrain
from cotrain import InputError, Predictor, Result, Settings, from_arrays, from_dataset, load

SMALL = Settings(seeds=2, budget=4.0, max_groups=1, low_precision=False)


class Normed(nn.Module):
    """An encoder with BatchNorm, whose running statistics belong to the model."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(5, 16), nn.BatchNorm1d(16), nn.ReLU())

    def forward(self, inputs: Tensor) -> Tensor:
        found: Tensor = self.layers(inputs)
        return found


class Noisy(Normed):
    """The same with noise from torch's generator, which cannot be vectorised."""

    def forward(self, inputs: Tensor) -> Tensor:
        noise = 0.1 * torch.randn_like(inputs) if self.training else 0.0
        return super().forward(inputs + noise)


class Convolutional(nn.Module):
    """A small network for images of 8 x 8 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
        )

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.layers(images)
        return found


def rows(count: int = 200) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Inputs ``[N, 5]`` and targets ``[N, 2]``: one binary, one regression; some labels missing."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(count, 5))
    y = np.stack([x[:, 0] > 0, 50 + 4 * (x[:, 0] + x[:, 1])], axis=1).astype(float)
    y[generator.random(y.shape) < 0.1] = np.nan
    return x, y


@pytest.fixture(scope="module")
def normed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result, Predictor]:
    """A finished run with BatchNorm."""
    out = tmp_path_factory.mktemp("normed") / "run"
    x, y = rows()
    splits = from_arrays(x, y, names=["sign", "sum"])
    return (out, *cotrain.plan(splits, out=out, encoder=Normed, settings=SMALL))


def test_an_encoder_that_cannot_be_vectorised_runs_sequentially_and_says_so(
    tmp_path: Path,
) -> None:
    splits = from_arrays(*rows(), names=["sign", "sum"])
    result, predictor = cotrain.plan(splits, out=tmp_path / "run", encoder=Noisy, settings=SMALL)
    facts = json.loads((tmp_path / "run" / "engine.json").read_text())
    assert facts["chosen"] == "sequential, float32"
    vectorised = next(t for t in facts["trials"] if t["name"] != facts["chosen"])
    assert vectorised["name"] == "vectorised (vmap), float32"
    assert vectorised["problem"].startswith("cannot run it: ")
    engine = result.settings["engine"]
    assert engine.startswith("sequential, float32 (per member and step: ")
    assert vectorised["problem"] in engine
    again = load(tmp_path / "run", encoder=Noisy)
    assert again.predict(rows()[0]).equals(predictor.predict(rows()[0]))


def test_the_running_statistics_are_shipped(normed: tuple[Path, Result, Predictor]) -> None:
    """With BatchNorm a row's prediction must not depend on its company."""
    _, _, predictor = normed
    x, y = rows()
    whole, part = predictor.predict(x), predictor.predict(x[:3])
    assert_frame_equal(part, whole[:3], rel_tol=1e-5, abs_tol=1e-5)
    known = ~np.isnan(y[:, 1])
    assert np.corrcoef(whole["sum"].to_numpy()[known], y[known, 1])[0, 1] > 0.8
    assert abs(whole["sum"].mean() - np.nanmean(y[:, 1])) < 1.5  # type: ignore[operator]


def test_loading_needs_the_encoder_and_gives_the_same_numbers(
    normed: tuple[Path, Result, Predictor],
) -> None:
    out, _, predictor = normed
    x = rows()[0]
    assert load(out, encoder=Normed).predict(x).equals(predictor.predict(x))
    message = f"the run in {out} was trained with your own encoder: pass encoder=..."
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        load(out)


def test_arrays_and_tables_are_not_confused(normed: tuple[Path, Result, Predictor]) -> None:
    with pytest.raises(
        InputError, match=r"^this run was trained on arrays: predict from an array$"
    ):
        normed[2].predict(pl.DataFrame({"a": [1.0]}))


def test_planning_again_reads_the_finished_run(normed: tuple[Path, Result, Predictor]) -> None:
    out, result, predictor = normed
    x, y = rows()
    splits = from_arrays(x, y, names=["sign", "sum"])
    again, loaded = cotrain.plan(splits, out=out, encoder=Normed, settings=SMALL)
    assert again.answer == result.answer
    assert again.mean_test == result.mean_test
    assert loaded.predict(x).equals(predictor.predict(x))


def digits() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """200 images ``[N, 1, 8, 8]`` and the digits on them."""
    pixels, digit = load_digits(return_X_y=True)
    return pixels[:200].reshape(-1, 1, 8, 8) / 16, digit[:200]


def test_a_convolutional_network_on_images(tmp_path: Path) -> None:
    images, digit = digits()
    targets = np.stack([digit % 2 == 0, digit >= 5, digit], axis=1)
    splits = from_arrays(images, targets, names=["even", "large", "digit"])
    result, predictor = cotrain.plan(
        splits, out=tmp_path / "run", encoder=Convolutional, settings=SMALL, title="images"
    )
    assert result.rows == {"train": 160, "valid": 20, "test": 20, "unlabelled": 0}
    assert [task.kind for task in result.tasks] == ["binary", "binary", "multiclass"]
    found = predictor.predict(images)
    assert found.columns == ["even", "large", "digit", *(f"digit={each}" for each in range(10))]
    assert (found["digit"].cast(pl.Int64).to_numpy() == digit).mean() > 0.7
    again = load(tmp_path / "run", encoder=Convolutional)
    assert again.predict(images).equals(found)
    assert again.predict(torch.from_numpy(images)).equals(found)


class Partial(Dataset[tuple[Tensor, Mapping[str, float]]]):
    """Rows of which every third lacks one task, every third the other, and one both."""

    def __init__(self) -> None:
        self.x, self.y = rows()

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, row: int) -> tuple[Tensor, Mapping[str, float]]:
        labels = {"sign": float(self.x[row, 0] > 0), "sum": float(self.x[row, :2].sum())}
        if row == 0:
            return torch.from_numpy(self.x[row]), {}
        kept = {0: ("sign", "sum"), 1: ("sign",), 2: ("sum",)}[row % 3]
        return torch.from_numpy(self.x[row]), {name: labels[name] for name in kept}


def test_a_dataset_with_absent_tasks(tmp_path: Path) -> None:
    result, predictor = cotrain.plan(from_dataset(Partial()), out=tmp_path / "run", settings=SMALL)
    assert result.rows == {"train": 159, "valid": 19, "test": 21, "unlabelled": 1}
    labels = {task.name: task.train_labels + task.test_labels for task in result.tasks}
    assert all(100 < count < 140 for count in labels.values())
    assert "1 of 200 rows dropped: they have no label" in result.details
    assert all(task.shipped > 0.7 for task in result.tasks)
    data = Partial()
    found = predictor.predict(data.x)
    assert found.columns == ["sign", "sum"]
    assert np.corrcoef(found["sum"].to_numpy(), data.x[:, :2].sum(axis=1))[0, 1] > 0.8
    assert load(tmp_path / "run").predict(data.x).equals(found)


def test_a_folder_of_other_work_is_left_alone(tmp_path: Path) -> None:
    """A finished run clears its own working folders, so it must not start in anybody else's."""
    (tmp_path / "trees").mkdir()
    (tmp_path / "trees" / "oak.txt").write_text("mine")
    with pytest.raises(InputError, match="holds no run"):
        cotrain.plan(from_arrays(*rows()), out=tmp_path, settings=SMALL)
    assert (tmp_path / "trees" / "oak.txt").read_text() == "mine"


def test_the_public_name_is_the_function_whatever_was_imported_before() -> None:
    code = "import cotrain.run.plan, cotrain; assert callable(cotrain.plan), cotrain.plan"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
