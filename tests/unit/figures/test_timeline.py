"""Lines with bands over training, checked by plotly itself."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from cotrain.figures.timeline import Band, timeline_figure

NAN = float("nan")
HOSTILE = '<a href="javascript:alert(1)">\x1b[31m\u202eevil</a> %{y}'


def band(middle: list[float], low: list[float], high: list[float], name: str = "cosine") -> Band:
    return Band(name=name, middle=np.array(middle), low=np.array(low), high=np.array(high))


def drawn(*bands: Band) -> Any:
    made: Any = timeline_figure(bands, title="cosine", x_title="epoch")
    go.Figure(made)
    json.dumps(made, allow_nan=False)
    return made


def test_a_band_is_an_area_and_a_line() -> None:
    area, line = drawn(band([0.5, 0.25], [0.0, -0.5], [1.0, 0.75]))["data"]
    assert (line["x"], line["y"]) == ([1, 2], [0.5, 0.25])
    assert (area["x"], area["y"]) == ([1, 2, 2, 1], [1.0, 0.75, -0.5, 0.0])
    assert area["fill"] == "toself"
    assert area["line"]["width"] == 0
    assert not area["showlegend"]
    assert area["legendgroup"] == line["legendgroup"]
    assert area["fillcolor"] == line["line"]["color"]


def test_epochs_that_were_not_measured_are_gaps_at_their_place() -> None:
    area, line = drawn(band([0.5, NAN, 0.25], [0, NAN, -0.5], [1, NAN, 0.75]))["data"]
    assert (line["x"], line["y"]) == ([1, 2, 3], [0.5, None, 0.25])
    assert (area["x"], area["y"]) == ([1, 3, 3, 1], [1.0, 0.75, -0.5, 0.0])


def test_infinite_ends_are_left_out_of_the_area() -> None:
    area, line = drawn(band([0.5, 0.25], [0, -np.inf], [1, np.inf]))["data"]
    assert area["x"] == [1, 1]
    assert line["y"] == [0.5, 0.25]


@pytest.mark.parametrize("epochs", [0, 1])
def test_short_runs(epochs: int) -> None:
    area, line = drawn(band([0.5] * epochs, [0.0] * epochs, [1.0] * epochs))["data"]
    assert line["x"] == list(range(1, epochs + 1))
    assert len(area["x"]) == 2 * epochs


def test_nothing_measured_at_all() -> None:
    made = drawn()
    assert made["data"] == []
    assert made["layout"]["yaxis"]["title"]["text"] == "cosine"
    assert made["layout"]["xaxis"]["title"]["text"] == "epoch"


def test_bands_differ_in_colour_and_keep_their_names() -> None:
    made = drawn(*(band([0.1], [0.0], [0.2], name) for name in ("one", "two", "three", "four")))
    lines = [trace for trace in made["data"] if "name" in trace]
    assert [line["name"] for line in lines] == ["one", "two", "three", "four"]
    assert len({line["line"]["color"] for line in lines}) == 3
    assert made["layout"]["showlegend"]


def test_names_are_inert() -> None:
    name = drawn(band([0.1], [0.0], [0.2], HOSTILE))["data"][1]["name"]
    assert "<" not in name
    assert "\x1b" not in name
    assert "\u202e" not in name
