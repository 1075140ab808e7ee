"""The heatmap of groups on tasks, and of one task or none known, checked by plotly itself."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from cotrain.figures.heatmap import groups_figure, matrix_figure

NAN = float("nan")
HOSTILE = ["<script>alert(1)</script>", '<a href="javascript:alert(1)">x</a>', "\x1b[31m\u202e%{z}"]


def groups(tasks: list[str], names: list[str], mean: Any, error: Any = None) -> Any:
    mean = np.array(mean, dtype=float).reshape(len(tasks), len(names))
    error = np.full_like(mean, 0.5) if error is None else np.array(error, dtype=float)
    made: Any = groups_figure(tasks, names, mean, error)
    go.Figure(made)
    json.dumps(made, allow_nan=False)
    return made


def test_recipients_in_rows_and_groups_in_columns_in_their_order() -> None:
    made = groups(["a", "b", "c"], ["b + c", "a"], [[1, -2], [0.5, NAN], [0, 0.25]])
    (trace,) = made["data"]
    assert trace["z"] == [[1, -2], [0.5, None], [0, 0.25]]
    assert made["layout"]["yaxis"]["ticktext"] == ["a", "b", "c"]
    assert made["layout"]["xaxis"]["ticktext"] == ["b + c", "a"]
    assert trace["zmin"] == -trace["zmax"] < 0
    assert trace["hovertext"][0][1] == "<b>a</b><br>from a<br>-2 ± 0.5"
    assert trace["hovertext"][1][1] == "<b>b</b><br>from a<br>–"


def test_an_unknown_error_is_a_dash() -> None:
    (trace,) = groups(["a"], ["g"], [[0.25]], [[NAN]])["data"]
    assert trace["hovertext"] == [["<b>a</b><br>from g<br>+0.25 ± –"]]


@pytest.mark.parametrize("mean", [[[NAN], [NAN]], [[0.0], [0.0]]])
def test_nothing_known_or_nothing_there_has_a_colour_range(mean: list[list[float]]) -> None:
    (trace,) = groups(["a", "b"], ["g"], mean)["data"]
    assert (trace["zmin"], trace["zmax"]) == (-1, 1)


def test_one_outlier_does_not_take_all_the_colour() -> None:
    mean = np.full((100, 2), 0.1)
    mean[0, 0] = 1000
    (trace,) = groups([f"t{t}" for t in range(100)], ["g", "h"], mean)["data"]
    assert trace["zmax"] == pytest.approx(0.1)


def test_no_group_at_all() -> None:
    (trace,) = groups(["a", "b"], [], np.zeros((2, 0)))["data"]
    assert trace["z"] == [[], []]


def test_names_are_inert() -> None:
    made = groups(HOSTILE, HOSTILE[:2], np.zeros((3, 2)))
    texts = [text for row in made["data"][0]["hovertext"] for text in row]
    texts += made["layout"]["xaxis"]["ticktext"] + made["layout"]["yaxis"]["ticktext"]
    for text in texts:
        bare = text.replace("<br>", "").replace("<b>", "").replace("</b>", "")
        assert "<" not in bare
        assert "\x1b" not in text
        assert "\u202e" not in text


@pytest.mark.parametrize("tasks", [1, 2, 3])
def test_a_matrix_of_nothing_known(tasks: int) -> None:
    names = [f"t{t}" for t in range(tasks)]
    unknown = np.full((tasks, tasks), NAN)
    made: Any = matrix_figure(names, unknown, unknown)
    go.Figure(made)
    json.dumps(made, allow_nan=False)
    assert made["data"][0]["z"] == [[None] * tasks] * tasks
    assert sorted(made["layout"]["xaxis"]["ticktext"]) == names


def test_a_matrix_keeps_recipients_in_rows_when_reordered() -> None:
    """Tasks 0 and 2 are close, so 1 moves to an end; values and names move together."""
    mean = np.array([[NAN, -1, 2], [-0.5, NAN, -0.25], [3, -2, NAN]])
    made: Any = matrix_figure(["a", "b", "c"], mean, np.zeros((3, 3)))
    names = made["layout"]["yaxis"]["ticktext"]
    assert names == made["layout"]["xaxis"]["ticktext"]
    assert "b" in (names[0], names[2])
    for i, to in enumerate(names):
        for j, source in enumerate(names):
            value = mean["abc".index(to), "abc".index(source)]
            shown = made["data"][0]["z"][i][j]
            assert shown == value if np.isfinite(value) else shown is None
