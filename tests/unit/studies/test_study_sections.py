"""Findings and sections: their words and pictures, and the page of any study."""

from __future__ import annotations

import json
import math
import re

from cotrain.figures.section import Section
from cotrain.figures.series import Series, series_figure
from cotrain.reporting import render_study
from cotrain.results import Cost, Interval
from cotrain.studies.findings import Finding, Verdict
from cotrain.studies.scalarization.estimates import Estimates
from cotrain.studies.scalarization.result import ScalarizationStudy

NAN = math.nan
HOSTILE = "<script>alert(1)</script>"


def around(value: float, reach: float = 0.01) -> Interval:
    return Interval(value=value, low=value - reach, high=value + reach)


def study(pairs: int = 6) -> ScalarizationStudy:
    names = (HOSTILE, *"bcdefg")
    return ScalarizationStudy(
        title="toys",
        sizes=("8x1", "64x1"),
        parameters=(80, 640),
        pairs=tuple((names[0], names[at + 1]) for at in range(pairs)),
        of_pairs=21,
        weights=(0.0, 0.25, 0.5, 1.0),
        seeds=3,
        estimates=Estimates(
            uniform_gain=(around(-0.02), around(0.04)),
            best_gain=(around(0.0), around(0.05)),
            uniform_trend=around(0.066),
            best_trend=around(0.055),
            agreement=around(0.3, 0.4),
            yardstick=around(0.5, 0.4),
            regret=around(0.02),
            transfer=around(-0.01, 0.02),
            conflict=(around(0.25), around(0.375)),
            correlation=around(-0.06, 0.2),
        ),
        best=((0.25,) * pairs, (0.5,) * pairs),
        conflict=((0.1,) * pairs, (0.2,) * pairs),
        gain=((NAN,) * pairs, (0.01,) * pairs),
        engines={"8x1": "fused", "64x1": "fused"},
        cost=Cost(trainings=1234, examples=5_600_000, seconds=120.0),
        notes=(),
    )


def test_the_study_in_words() -> None:
    assert str(study()).splitlines() == [
        "6 of 21 pairs of tasks, 2 weights and each task alone, 2 network sizes, 3 seeds",
        "1,234 trainings in 2.0 min, 5.6 M training examples",
        "CONFIRMED here: the gain of training together over training alone grows with model size",
        "    for ten times the parameters the test gain changes by +0.066 [+0.056, +0.076] (uniform",
        "    weights) and +0.055 [+0.045, +0.065] (best constant weights)",
        "REFUTED here: the best weights are stable across model size (search small, train large)",
        "    rank correlation of the weights between a size and a larger one +0.300 [-0.100, +0.700], at",
        "    one and the same size +0.500 [+0.100, +0.900] (over pairs); at the largest size its own best",
        "    weights are better than the smallest one's by +0.020 [+0.010, +0.030], and the smallest",
        "    one's better than uniform by -0.010 [-0.030, +0.010]; stable if all of the first interval is",
        "    above 0.5 of the second's end, and all of the regret's below 0.02",
        "CONFIRMED here: the share of conflicting gradients does not predict the gain",
        "    their correlation is -0.060 [-0.260, +0.140] on validation; it counts as none if all of the",
        "    interval is within ±0.3",
    ]


def test_few_pairs_are_said_to_be_few() -> None:
    assert "; too few pairs to speak of others than these\n" in str(study(pairs=4))


def test_the_sections_draw_what_they_say() -> None:
    gain, weight, conflict = study().sections()
    assert "     8x1      80 parameters: uniform -0.020 [-0.030, -0.010]" in str(gain)
    data = json.loads(json.dumps(gain.figure()))["data"]
    assert [trace["name"] for trace in data] == ["uniform weights", "best constant weights"]
    assert data[0]["x"] == [80, 640]
    assert [round(value, 3) for value in data[0]["error_y"]["array"]] == [0.01, 0.01]
    assert str(weight).startswith("sizes 8x1, 64x1\n")
    assert len(weight.figure()["data"]) == 6  # type: ignore[arg-type]
    points = json.loads(json.dumps(conflict.figure()))["data"]
    assert points[0]["y"] == [None] * 6
    assert points[1]["mode"] == "markers"
    assert "     8x1: 25 % of the steps conflict" in str(conflict)


def test_names_are_inert_in_the_page() -> None:
    page = render_study("toys", "pairs", str(study()), study().sections())
    own = re.sub(r"<script nonce=.*?</script>", "", page, flags=re.DOTALL)
    assert HOSTILE not in own
    assert own.count("<h2>") == 4


def test_a_page_of_any_sections() -> None:
    section = Section(
        title="One", about="What it shows.", text="a < b", drawing={"data": [], "layout": {}}
    )
    page = render_study("toys & co", "anything", "first line\n  second line", [section])
    assert "<bdi>toys &amp; co</bdi>: anything</h1>" in page
    assert "first line\n  second line" in page
    assert "a &lt; b" in page


def test_a_finding_wraps_its_evidence() -> None:
    finding = Finding(claim="so it is", verdict=Verdict.UNDECIDED, evidence="word " * 40)
    lines = str(finding).splitlines()
    assert lines[0] == "UNDECIDED here: so it is"
    assert all(line.startswith("    word") and len(line) <= 96 for line in lines[1:])


def test_series_with_and_without_intervals() -> None:
    figure = series_figure(
        [
            Series(name="a", x=[1, 10], y=[Interval(value=1, low=NAN, high=NAN), around(2)]),
            Series(name="b", x=[1, 10], y=[3.0, NAN], texts=["<b>", "c"], joined=False),
        ],
        x_title="x",
        y_title="y",
        x_logarithmic=True,
    )
    a, b = json.loads(json.dumps(figure))["data"]
    assert a["error_y"]["array"][0] is None
    assert round(a["error_y"]["arrayminus"][1], 3) == 0.01
    assert "error_y" not in b
    assert b["y"] == [3.0, None]
    assert b["hovertext"] == ["&lt;b&gt;", "c"]
    assert a["line"]["color"] != b["line"]["color"]
    axis = json.loads(json.dumps(figure))["layout"]["xaxis"]
    assert axis["type"] == "log"
    assert axis["ticktext"][:4] == ["1", "2", "5", "10"]
