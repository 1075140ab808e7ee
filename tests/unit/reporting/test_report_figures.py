"""The figures as plotly's JSON, checked by plotly itself."""

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from cotrain.figures.heatmap import cluster_order, colour_limit, matrix_figure
from cotrain.reporting.gains import gains_figure
from cotrain.reporting.ranking import UNDEFINED
from cotrain.results import Result

RESULTS = ["tox21", "one_task", "sixty_tasks", "hostile"]


@pytest.mark.parametrize("name", RESULTS)
def test_plotly_accepts_the_figures(name: str, request: pytest.FixtureRequest) -> None:
    result = request.getfixturevalue(name)
    for figure in (gains_figure(result.tasks), _heatmap(result)):
        go.Figure(figure)
        assert json.dumps(figure, allow_nan=False)


def _heatmap(result: Result) -> Any:
    affinity = result.affinity
    return matrix_figure(affinity.tasks, np.array(affinity.mean), np.array(affinity.standard_error))


def test_every_gain_is_drawn_once_sorted_with_its_interval(tox21: Result) -> None:
    data: Any = gains_figure(tox21.tasks)["data"]
    points = {
        y: (x, plus, minus)
        for trace in data
        for y, x, plus, minus in zip(
            trace["y"],
            trace["x"],
            trace["error_x"]["array"],
            trace["error_x"]["arrayminus"],
            strict=True,
        )
    }
    ranked = sorted((t.gain_over_single for t in tox21.tasks), key=lambda gain: -gain.value)
    assert sorted(points) == list(range(12))
    for place, gain in enumerate(ranked):
        expected = (gain.value, gain.high - gain.value, gain.value - gain.low)
        assert points[place] == pytest.approx(expected)


def test_a_dot_says_who_serves(tox21: Result) -> None:
    named = [replace(task, served_by=f"<b>x</b> & {task.served_by}") for task in tox21.tasks]
    data: Any = gains_figure(named)["data"]
    texts = {text for trace in data for text in trace["hovertext"]}
    for task in tox21.tasks:
        (text,) = [text for text in texts if text.startswith(f"<b>{task.name}</b><br>")]
        assert f"served by &lt;b&gt;x&lt;/b&gt; &amp; {task.served_by}<br>" in text
        assert f"ROC AUC {task.shipped:.3f}, " in text


def test_undefined_gains_are_not_drawn(tox21: Result) -> None:
    tasks = [replace(tox21.tasks[0], gain_over_single=UNDEFINED), *tox21.tasks[1:]]
    data: Any = gains_figure(tasks)["data"]
    assert sum(len(trace["y"]) for trace in data) == 11


def test_the_heatmap_holds_every_affinity_at_its_names(tox21: Result) -> None:
    figure: Any = _heatmap(tox21)
    names = figure["layout"]["yaxis"]["ticktext"]
    assert names == figure["layout"]["xaxis"]["ticktext"]
    for i, to in enumerate(names):
        for j, source in enumerate(names):
            row, column = tox21.affinity.tasks.index(to), tox21.affinity.tasks.index(source)
            value = tox21.affinity.mean[row][column]
            drawn = figure["data"][0]["z"][i][j]
            assert drawn is None if math.isnan(value) else drawn == pytest.approx(value, rel=1e-3)
            assert f"<b>{to}</b><br>from {source}<br>" in figure["data"][0]["hovertext"][i][j]


def test_similar_tasks_become_neighbours() -> None:
    block = np.array([0, 1, 0, 1, 0, 1])
    mean = np.where(block[:, None] == block[None, :], 1.0, -1.0)
    np.fill_diagonal(mean, np.nan)
    ordered = block[cluster_order(mean)]
    assert (ordered[:3] == ordered[0]).all()
    assert (ordered[3:] == ordered[3]).all()


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_clustering_survives_nothing_but_nan(size: int) -> None:
    assert sorted(cluster_order(np.full((size, size), np.nan))) == list(range(size))


def test_the_colour_range_ignores_one_wild_value() -> None:
    mean = np.full((20, 20), 0.01)
    mean[0, 1] = 50.0
    assert colour_limit(mean) == pytest.approx(0.01)
    assert colour_limit(np.full((2, 2), np.nan)) == 1.0
    assert colour_limit(np.zeros((3, 3))) == 1.0


def test_labels_thin_out_and_the_size_stays_bounded(sixty_tasks: Result) -> None:
    layout: Any = _heatmap(sixty_tasks)["layout"]
    assert len(layout["xaxis"]["ticktext"]) <= 40
    assert layout["height"] <= 1100
