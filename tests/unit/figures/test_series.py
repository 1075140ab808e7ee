"""Series on common axes."""

from __future__ import annotations

from typing import Any

from cotrain.figures.series import Series, series_figure


def test_no_two_of_many_series_look_alike() -> None:
    series = [Series(name=str(at), x=[1.0, 2.0], y=[0.0, float(at)]) for at in range(12)]
    traces: Any = series_figure(series, x_title="x", y_title="y")["data"]
    looks = {(one["line"]["color"], one["line"]["dash"], one["marker"]["symbol"]) for one in traces}
    assert len(looks) == 12
    assert {one["line"]["dash"] for one in traces[:6]} == {"solid"}
