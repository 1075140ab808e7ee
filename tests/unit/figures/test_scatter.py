"""The scatter of a data map, checked by plotly itself."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from cotrain.figures.scatter import map_figure

HOSTILE = [
    "<script>alert(1)</script>",
    '<a href="javascript:alert(1)">x</a>',
    "&lt;b&gt; %{customdata} %{x}",
    "\x1b[31m\u202eevil",
    "",
    "名前" * 100,
]


def figure(tasks: list[str], rows: int = 30, *, left_out: int = 0) -> Any:
    draw = np.random.default_rng(0)
    shape = (len(tasks), rows)
    variability = np.where(draw.random(shape) < 0.8, draw.random(shape) * 0.5, np.nan)
    made = map_figure(
        tasks,
        variability=variability,
        confidence=draw.random(shape),
        correctness=draw.random(shape),
        left_out=left_out,
    )
    go.Figure(made)
    assert json.dumps(made, allow_nan=False)
    return made


@pytest.mark.parametrize("tasks", [["one"], ["a", "b", "c"], HOSTILE])
def test_one_task_is_seen_and_the_menu_shows_each(tasks: list[str]) -> None:
    made = figure(tasks)
    assert [trace["visible"] for trace in made["data"]] == [True] + [False] * (len(tasks) - 1)
    menus = made["layout"].get("updatemenus", [])
    assert len(menus) == (len(tasks) > 1)
    for menu in menus:
        shown = [button["args"][0]["visible"] for button in menu["buttons"]]
        assert (np.array(shown) == np.eye(len(tasks), dtype=bool)).all()
        titles = [button["args"][1]["title.text"] for button in menu["buttons"]]
        assert titles[0] == made["layout"]["title"]["text"]
        assert len(titles) == len(tasks)


def test_names_are_inert() -> None:
    made = figure(HOSTILE)
    texts = [button["label"] for button in made["layout"]["updatemenus"][0]["buttons"]]
    texts += [
        button["args"][1]["title.text"] for button in made["layout"]["updatemenus"][0]["buttons"]
    ]
    assert not any("<" in text or "\x1b" in text or "\u202e" in text for text in texts)
    assert texts[2] == "&amp;lt;b&amp;gt; %{customdata} %{x}"
    templates = {trace["hovertemplate"] for trace in made["data"]}
    assert len(templates) == 1  # names never reach what plotly fills in
    assert all("name" not in trace for trace in made["data"])


@pytest.mark.parametrize(("tasks", "each"), [(1, 2000), (10, 2000), (40, 500)])
def test_points_are_thinned_to_a_bound(tasks: int, each: int) -> None:
    made = figure([f"t{t}" for t in range(tasks)], rows=8000)
    assert {len(trace["x"]) for trace in made["data"]} == {each}
    assert len(json.dumps(made)) < 800_000
    first = made["data"][0]["customdata"]
    assert first == sorted(set(first))
    assert (first[0] < 10, first[-1] > 7990) == (True, True)
    assert made["layout"]["title"]["text"].startswith(f"t0: {each:,} of 6,381 ")


def test_only_examples_on_the_map_are_drawn() -> None:
    variability = np.array([[0.1, np.nan, 0.3]])
    made: Any = map_figure(
        ["a"],
        variability=variability,
        confidence=np.array([[0.5, 0.9, 0.7]]),
        correctness=np.array([[0.0, 1.0, 1.0]]),
    )
    trace = made["data"][0]
    assert (trace["x"], trace["y"]) == ([0.1, 0.3], [0.5, 0.7])
    assert (trace["customdata"], trace["marker"]["color"]) == ([0, 2], [0.0, 1.0])
    assert made["layout"]["title"]["text"] == "a: 2 examples"


def test_nothing_to_draw() -> None:
    nothing = np.full((2, 3), np.nan)
    made: Any = map_figure(["a", "b"], variability=nothing, confidence=nothing, correctness=nothing)
    go.Figure(made)
    assert json.dumps(made, allow_nan=False)
    assert [trace["x"] for trace in made["data"]] == [[], []]
    assert made["layout"]["title"]["text"] == "a: 0 examples"


def test_the_title_says_what_is_missing() -> None:
    assert figure(["a"], left_out=1577)["layout"]["title"]["text"].endswith(
        "; 1,577 tasks left out"
    )


def test_the_borders_are_one_standard_deviation_from_one_half() -> None:
    shapes = figure(["a"])["layout"]["shapes"]
    ends = [(s["x0"], s["y0"], s["x1"], s["y1"]) for s in shapes]
    assert ends == [(0, 0.5, 0.5, 0.0), (0, 0.5, 0.5, 1.0)]


def test_the_axes_hold_all_points() -> None:
    far = np.array([[0.1], [2**-0.5]])
    made: Any = map_figure(["a", "b"], variability=far, confidence=far, correctness=far)
    assert made["layout"]["xaxis"]["range"] == pytest.approx([-0.01, 2**-0.5 + 0.02])
    assert figure(["a"])["layout"]["xaxis"]["range"] == pytest.approx([-0.01, 0.52])
