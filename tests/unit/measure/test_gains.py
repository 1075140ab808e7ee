"""The table of measured gains: what it refuses, what it says, what it draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cotrain.errors import InputError
from cotrain.measure.gains.gains import Gains

NAN = float("nan")


def table() -> Gains:
    sets = np.array([[1, 0, 0], [1, 1, 0], [1, 0, 1], [1, 1, 1], [1, 1, 1]], dtype=bool)
    gain = np.array([[0, 0, 0], [2, 1, 0], [-1, 0, 3], [1, 2, -1], [3, NAN, -2]], dtype=float)
    return Gains.empty(["a", "b", "c"]).extended(sets, gain)


def test_what_lies_outside_a_set_is_forgotten() -> None:
    sets = np.array([[1, 1, 0]], dtype=bool)
    one = Gains.empty(["a", "b", "c"]).extended(sets, np.array([[1.0, 2.0, 7.0]]), np.ones((1, 3)))
    other = Gains.empty(["a", "b", "c"]).extended(sets, np.array([[1.0, 2.0, np.inf]]))
    np.testing.assert_array_equal(one.gain, [[1, 2, NAN]])
    np.testing.assert_array_equal(one.gain, other.gain)
    np.testing.assert_array_equal(one.standard_error, [[1, 1, NAN]])
    assert np.isnan(other.standard_error).all()


def test_effects_by_hand() -> None:
    effect, error = table().effects()
    # in company, a: with b 2, 1, 3, without -1; with c -1, 1, 3, without 2. b: with c 2, without 1.
    np.testing.assert_allclose(effect, [[NAN, 3, -1], [NAN, NAN, 1], [NAN, -4.5, NAN]])
    assert np.isnan(error[[0, 1], [1, 2]]).all()  # one set of a kind
    more = table().extended([[1, 0, 1]], [[-2.0, 0, 1.0]]).effects()
    assert more[0][0, 1] == pytest.approx(2 + 1.5)
    assert more[1][0, 1] == pytest.approx(np.sqrt(1 / 3 + 0.5 / 2))


def test_it_says_which_company_was_best() -> None:
    assert str(table()).splitlines() == [
        "5 sets of 3 tasks trained",
        "  a: best +3 with b + c",
        "  b: best +2 with a + c",
        "  c: best +3 with a",
    ]
    assert str(Gains.empty(["x"])).splitlines()[1] == "  x: never in company"
    many = str(Gains.empty([f"t{i}" for i in range(40)])).splitlines()
    assert (len(many), many[-1]) == (14, "  … and 28 more tasks")


def test_the_figure_is_the_matrix_of_effects() -> None:
    figure = table().figure()
    assert isinstance(figure["data"], list)
    drawn = [value for row in figure["data"][0]["z"] for value in row if value is not None]
    assert sorted(drawn) == [-4.5, -1.0, 1.0, 3.0]
    assert table().plot().data[0].type == "heatmap"


def test_saved_and_loaded(tmp_path: Path) -> None:
    table().save(tmp_path / "gains.safetensors")
    back = Gains.load(tmp_path / "gains.safetensors")
    np.testing.assert_array_equal(back.gain, table().gain)
    np.testing.assert_array_equal(back.sets, table().sets)
    assert back.tasks == ("a", "b", "c")


@pytest.mark.parametrize(
    ("sets", "gain", "message"),
    [
        ([[1, 1]], [[np.inf, 1]], r"gain must be finite or NaN: set 0, task 'a' has inf"),
        ([[1, 1], [1, 0]], [[0, 1], [0.5, 0]], r"gain of a task alone must be 0: set 1, task 'a' has 0.5"),
        ([[0, 0]], [[0, 0]], r"set 0 has no task"),
        ([[1, 1]], [[1, 2, 3]], r"must be \[N, T\], found \[1, 2\], \[1, 3\], \[1, 3\]"),
        ([[1, 1, 1]], [[1, 2, 3]], r"must be \[N, T\], found \[1, 3\]"),
    ],
)  # fmt: skip
def test_refused(sets: list[list[int]], gain: list[list[float]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Gains.empty(["a", "b"]).extended(np.array(sets, dtype=bool), np.array(gain))


def test_refused_when_made_by_hand() -> None:
    good = table()
    with pytest.raises(
        InputError, match=r"sets must be bool \[sets, 3 tasks\], found float64 \[5, 3\]"
    ):
        Gains(tasks=good.tasks, sets=good.gain, gain=good.gain, standard_error=good.gain)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"gain must be like sets, \[5, 3\], found \[4, 3\]"):
        Gains(tasks=good.tasks, sets=good.sets, gain=good.gain[1:], standard_error=good.gain)
    outside = np.where(good.sets, good.gain, 1.0)
    with pytest.raises(InputError, match="gain must be NaN outside the set: set 0, task 'b' has 1"):
        Gains(tasks=good.tasks, sets=good.sets, gain=outside, standard_error=good.standard_error)
    error = np.where(good.sets, -1.0, NAN)
    with pytest.raises(
        InputError, match="standard_error must not be negative: set 0, task 'a' has -1"
    ):
        Gains(tasks=good.tasks, sets=good.sets, gain=good.gain, standard_error=error)
