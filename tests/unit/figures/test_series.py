"""Series on common axes."""

from __future__ import annotations

from typing import Any

import pytest

from cotrain.figures.series import Series, series_figure
from cotrain.results import Interval


def test_no_two_of_many_series_look_alike() -> None:
    series = [Series(name=str(at), x=[1.0, 2.0], y=[0.0, float(at)]) for at in range(12)]
    traces: Any = series_figure(series, x_title="x", y_title="y")["data"]
    looks = {(one["line"]["color"], one["line"]["dash"], one["marker"]["symbol"]) for one in traces}
    assert len(looks) == 12
    assert {one["line"]["dash"] for one in traces[:6]} == {"solid"}


def axis(*ends: tuple[float, float, float]) -> dict[str, Any]:
    values = [Interval(value=value, low=low, high=high) for value, low, high in ends]
    series = [Series(name="a", x=[1.0, 2.0], y=values)]
    found: dict[str, Any] = series_figure(series, x_title="x", y_title="y")["layout"]["yaxis"]  # type: ignore[index,assignment]
    return found


def test_long_intervals_do_not_squeeze_the_values() -> None:
    assert axis((0.5, -3.0, 4.0), (0.8, 0.7, 0.9))["range"] == pytest.approx([0.2, 1.1])
    assert axis((0.5, 0.4, 4.0), (0.8, 0.7, 0.9))["range"] == pytest.approx([0.385, 1.1])
    assert "range" not in axis((0.5, 0.4, 0.6), (0.8, 0.7, 0.9))
    nan = float("nan")
    assert "range" not in axis((0.5, nan, nan), (nan, nan, nan))


def test_names_stand_below_their_points() -> None:
    series = [Series(name="a", x=[0, 1], y=[0.5, 0.6], joined=False)]
    layout: Any = series_figure(series, x_title="x", y_title="y", x_names=["<b>", "c"])["layout"]
    assert layout["xaxis"]["ticktext"] == ["&lt;b&gt;", "c"]
    assert (layout["xaxis"]["tickvals"], layout["xaxis"]["range"]) == ([0, 1], [-0.5, 1.5])
