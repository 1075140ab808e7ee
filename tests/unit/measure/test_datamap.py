"""The typed result: accessors, averages with standard errors, distances, text, file, figure."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from numpy.typing import NDArray

from cotrain.errors import InputError
from cotrain.measure.datamaps.datamap import ARRAYS, DataMap, from_levels, to_levels
from cotrain.measure.datamaps.difficulty import extremes
from cotrain.measure.datamaps.recorder import DataMaps
from cotrain.measure.transference.affinity import Affinity

Array = NDArray[Any]


def play(
    confidence: Array, names: list[str] | None = None, snapshots: tuple[int, ...] = ()
) -> DataMap:
    """``[E, T, N]`` with NaN where there is no label; correct above one half."""
    epochs, tasks, rows = confidence.shape
    maps = DataMaps(names or [f"task {t}" for t in range(tasks)], rows=rows, snapshots=snapshots)
    for epoch in range(epochs):
        maps.record(np.arange(rows), confidence[epoch], confidence[epoch] > 0.5)
        maps.end_epoch()
    return maps.result()


def random_map(tasks: int = 4, rows: int = 50, *, share: float = 0.7, seed: int = 0) -> DataMap:
    draw = np.random.default_rng(seed)
    values = draw.beta(2, 1, (4, tasks, rows))
    values[:, draw.random((tasks, rows)) >= share] = np.nan
    return play(values, snapshots=(2, 3))


def test_levels_err_by_less_than_a_hundred_thousandth() -> None:
    values = np.linspace(0, 1, 100_001, dtype=np.float32)
    assert np.abs(from_levels(to_levels(values)) - values).max() < 7.8e-6
    exact = np.array([0, 0.5, 1, np.nan], dtype=np.float32)
    assert from_levels(to_levels(exact)).tobytes() == exact.tobytes()
    assert to_levels(np.array([-1e-7, 1.000001], dtype=np.float32)).tolist() == [0, 65534]


def test_the_regions_of_the_map() -> None:
    epochs = np.array(
        [
            [[0.9, 0.1, 0.2, 0.50, 0.6, np.nan]],
            [[0.8, 0.2, 0.9, 0.50, 0.7, np.nan]],
        ]
    )  # easy, hard, ambiguous, ambiguous (μ − s = ½ is not easy), easy, no label
    found = play(epochs).difficulty()
    assert found.examples.tolist() == [5]
    shares = [found.easy, found.ambiguous, found.hard]
    assert [float(share.mean[0]) for share in shares] == pytest.approx([0.4, 0.4, 0.2])
    # standard error of a share p of 5: √(p(1 − p)/4)
    assert [float(share.standard_error[0]) for share in shares] == pytest.approx(
        [0.06**0.5, 0.06**0.5, 0.04**0.5]
    )


def test_averages_are_means_over_the_examples_on_the_map() -> None:
    found = random_map()
    averages = found.difficulty()
    for t in range(4):
        seen = np.isfinite(found.variability()[t])
        assert averages.examples[t] == seen.sum() > 20
        for quantity in ("confidence", "variability", "correctness", "forgetting"):
            values = getattr(found, quantity)()[t][seen].astype(float)
            mean, error = (part[t] for part in getattr(averages, quantity))
            assert mean == pytest.approx(values.mean(), abs=1e-12)
            assert error == pytest.approx(values.std(ddof=1) / len(values) ** 0.5, abs=1e-12)


def test_standard_errors_are_those_of_other_examples() -> None:
    many = [play(np.random.default_rng(seed).random((5, 1, 100))) for seed in range(200)]
    means = [float(each.difficulty().confidence.mean[0]) for each in many]
    errors = [float(each.difficulty().confidence.standard_error[0]) for each in many]
    assert float(np.mean(errors)) == pytest.approx(np.std(means, ddof=1), rel=0.15)


def test_some_tasks_have_the_map_they_had_among_all() -> None:
    found = random_map()
    some = found.select([2, 0])
    assert (some.tasks, some.epochs) == (("task 2", "task 0"), found.epochs)
    assert some.distances()[0, 1] == found.distances()[2, 0]
    means, all_means = (each.difficulty().easy.mean for each in (some, found))
    assert means.tolist() == all_means[[2, 0]].tolist()
    assert some.features().shape[1] > found.features().shape[1]


def test_distances_are_root_mean_squares_over_common_examples() -> None:
    found = random_map()
    distances = found.distances()
    mu = np.stack([found.confidence(s) for s in range(3)]).astype(float)
    deviation = np.stack([found.variability(s) for s in range(3)]).astype(float)
    for a in range(4):
        for b in range(4):
            differences = np.stack([mu[:, a] - mu[:, b], deviation[:, a] - deviation[:, b]])
            expected = np.sqrt(np.nanmean(differences**2))
            assert distances[a, b] == pytest.approx(expected, abs=1e-7)
    assert (distances == distances.T).all()
    assert (distances.diagonal() == 0).all()
    assert distances[0, 1] > 0.1


def test_distances_agree_with_features_where_all_is_labelled() -> None:
    found = random_map(share=1.1)
    features = found.features().astype(float)
    assert features.shape == (4, 2 * 3 * 50)
    expected = np.sqrt(((features[:, None] - features[None]) ** 2).mean(axis=2))
    assert found.distances() == pytest.approx(expected, abs=1e-7)


def test_features_are_the_common_examples_snapshot_by_snapshot() -> None:
    values = np.array(
        [[[0.2, 0.4, 0.5], [0.6, np.nan, 0.9]], [[0.4, 0.4, 0.5], [0.6, np.nan, 0.7]]]
    )
    s = 0.02**0.5
    assert play(values).features() == pytest.approx(
        np.array([[0.3, 0.5, s, 0], [0.6, 0.8, 0, s]]), abs=1e-5
    )
    three = np.concatenate([values, values[1:]])
    assert play(three, snapshots=(2,)).features().shape == (2, 8)
    assert play(three, snapshots=(2,)).features()[:, :4] == pytest.approx(play(values).features())


def test_points_are_a_tasks_own_examples() -> None:
    found = random_map()
    for task in range(4):
        seen = np.isfinite(found.variability(0)[task]) & np.isfinite(found.variability(1)[task])
        points = found.points(task)
        assert points.shape == (int(seen.sum()), 2 * len(found.epochs))
        assert np.array_equal(points[:, 0], found.confidence(0)[task][seen])
        assert np.array_equal(points[:, 3], found.variability(1)[task][seen])


def test_tasks_without_a_common_example_have_no_distance() -> None:
    values = np.full((2, 3, 4), 0.5)
    values[:, 0, :2] = values[:, 1, 2:] = values[:, 2] = np.nan
    found = play(values)
    expected = [[0, np.nan, np.nan], [np.nan, 0, np.nan], [np.nan, np.nan, np.nan]]
    assert found.distances() == pytest.approx(np.array(expected), nan_ok=True)
    assert found.features().shape == (3, 0)


def test_many_examples_are_compared_in_parts() -> None:
    draw = np.random.default_rng(0)
    found = play(draw.random((2, 2, 5000)))
    difference = found.features().astype(float)[0] - found.features()[1]
    assert found.distances()[0, 1] == pytest.approx((difference**2).mean() ** 0.5, abs=1e-8)


def test_a_task_and_its_negation_have_distance_zero() -> None:
    draw = np.random.default_rng(0)
    z, y = draw.normal(size=(5, 300)), draw.integers(0, 2, 300)

    def of_label(z: Array, y: Array) -> Array:
        return np.asarray(1 / (1 + np.exp(-np.where(y == 1, z, -z))))

    found = play(np.stack([of_label(z, y), of_label(-z, 1 - y)], axis=1))
    assert (found.confidence_levels[:, 0] == found.confidence_levels[:, 1]).all()
    assert (found.variability_levels[:, 0] == found.variability_levels[:, 1]).all()
    assert found.distances().tolist() == [[0, 0], [0, 0]]


def test_one_task() -> None:
    found = random_map(tasks=1)
    assert found.distances().tolist() == [[0.0]]
    assert "updatemenus" not in found.figure()["layout"]  # type: ignore[operator]
    assert "task 0" in str(found).splitlines()[2]


def test_a_task_without_labels_is_undefined_not_an_error() -> None:
    values = np.full((2, 2, 3), 0.75)
    values[:, 1] = np.nan
    found = play(values, ["a", "empty"])
    assert np.isnan(found.confidence()[1]).all()
    assert np.isnan(found.difficulty().confidence.mean[1])
    assert found.difficulty().examples.tolist() == [3, 0]
    lines = str(found).splitlines()
    assert lines[3].split() == ["empty", "0", *["–"] * 7]
    go.Figure(found.figure())


def test_one_example_has_no_standard_error() -> None:
    found = play(np.array([[[0.9]], [[0.7]]]))
    assert found.difficulty().confidence.mean[0] == pytest.approx(0.8, abs=1e-5)
    assert np.isnan(found.difficulty().confidence.standard_error[0])
    assert "0.800±–" in str(found)


def test_the_text_lists_the_least_confident_task_first() -> None:
    values = np.stack([np.full((2, 10), 0.9), np.full((2, 10), 0.25)], axis=1)
    lines = str(play(values, ["sure", "not\x1b[31m sure"])).splitlines()
    assert lines[0] == "Data map: 2 tasks, 10 examples, after epoch 2"
    header = "task examples confidence variability correctness forgetting easy ambiguous hard"
    assert " ".join(lines[1].split()) == header
    assert lines[2].startswith("not\ufffd[31m sure        10  0.250±0.000  0.000±0.000")
    assert lines[3].startswith("sure                 10  0.900±0.000")
    assert lines[4] == "± standard error over examples; easy: μ − s > ½, hard: μ + s < ½"
    assert len({len(line) for line in lines[1:4]}) == 1


def test_of_many_tasks_the_extremes_are_listed() -> None:
    levels = np.linspace(0.1, 0.9, 50)[np.random.default_rng(0).permutation(50)]
    values = np.broadcast_to(levels[None, :, None], (2, 50, 3))
    lines = str(play(values, [f"at {level:.3f}" for level in levels])).splitlines()
    assert len(lines) == 2 + 20 + 1 + 1 + 1 + 12
    assert lines[2].startswith("at 0.100 ")
    assert lines[12] == "… 30 tasks left out"
    assert lines[22].startswith("at 0.900 ")
    shown = [line.split()[1] for line in (*lines[2:12], *lines[13:23])]
    assert shown == sorted(shown)


def test_extremes_leave_undefined_tasks_out_unless_there_is_nothing_else() -> None:
    names = list("abcde")
    assert extremes(names, np.array([1, np.nan, 1, 0, 3]), 2) == ([3], [4])
    assert extremes(names, np.array([1, np.nan, 1, np.nan, np.nan]), 4) == ([0, 2], [])
    assert extremes(names, np.full(5, np.nan), 2) == ([0], [4])


@pytest.mark.parametrize("names", [["a", "b", "c", "d"], ["", "../x", "ß\u202e", "a\nb"]])
def test_saving_and_loading_is_exact(names: list[str], tmp_path: Path) -> None:
    found = replace(random_map(), tasks=tuple(names))
    found.save(tmp_path / "map.safetensors")
    loaded = DataMap.load(tmp_path / "map.safetensors")
    assert (loaded.tasks, loaded.epochs) == (found.tasks, (2, 3, 4))
    for name in ARRAYS:
        assert getattr(loaded, name).dtype == np.uint16
        assert getattr(loaded, name).tobytes() == getattr(found, name).tobytes()
    with pytest.raises(InputError, match="holds a DataMap, not a Affinity"):
        Affinity.load(tmp_path / "map.safetensors")  # type: ignore[attr-defined, unused-ignore]


@pytest.mark.parametrize("epochs", [(), (1, 2, 3), (2, 2, 3), (4, 3, 2), (0, 2, 3)])
def test_epochs_must_grow_from_two(epochs: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"snapshot epochs must grow from 2 on|must be uint16"):
        replace(random_map(), epochs=epochs)


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_must_fit_together(name: str) -> None:
    found = random_map()
    for wrong in (getattr(found, name)[:, :3], getattr(found, name).astype(np.int64)):
        with pytest.raises(InputError, match=r"must be uint16 \[epochs, tasks, examples\], found"):
            replace(found, **{name: wrong})


def test_the_figure_shows_the_last_snapshot() -> None:
    found = random_map(tasks=3)
    figure: Any = found.figure()
    assert json.dumps(figure, allow_nan=False)
    assert isinstance(found.plot(), go.Figure)
    order = np.argsort(found.difficulty().confidence.mean)
    for trace, t in zip(figure["data"], order, strict=True):
        at = trace["customdata"]
        assert at == np.flatnonzero(np.isfinite(found.variability()[t])).tolist()
        assert trace["x"] == pytest.approx(found.variability()[t, at], abs=6e-5)
        assert trace["y"] == pytest.approx(found.confidence()[t, at], abs=6e-5)
        assert trace["marker"]["color"] == pytest.approx(found.correctness()[t, at], abs=6e-5)


def test_of_many_tasks_the_figure_shows_the_extremes() -> None:
    values = np.broadcast_to(np.linspace(0.1, 0.9, 60)[None, :, None], (2, 60, 5))
    figure: Any = play(values, [f"t{i:02}" for i in range(60)]).figure()
    labels = [button["label"] for button in figure["layout"]["updatemenus"][0]["buttons"]]
    assert labels == [f"t{i:02}" for i in (*range(20), *range(40, 60))]
    assert figure["layout"]["title"]["text"] == "t00: 5 examples; 20 tasks left out"
