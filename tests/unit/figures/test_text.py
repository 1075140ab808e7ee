"""How names and numbers are written."""

import doctest
import math

import pytest

from cotrain.figures import plotly_text, text
from cotrain.figures.plotly_text import finite, hover, label, thinned
from cotrain.figures.text import (
    compact,
    duration,
    limits,
    percent,
    readable,
    score,
    shorten,
    signed,
)
from cotrain.results import Interval


@pytest.mark.parametrize("module", [text, plotly_text])
def test_examples_in_the_docstrings_hold(module: object) -> None:
    failed, tried = doctest.testmod(module)  # type: ignore[arg-type]
    assert (failed, tried > 0) == (0, True)


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\x9b", "\ud800", "\u202e", "\u2066"])
def test_acting_characters_become_visible(character: str) -> None:
    assert readable(f"a{character}b") == "a\ufffdb"


@pytest.mark.parametrize("name", ["täsk 名前 🧪", "a<b>", "שלום", "e\u0301"])
def test_ordinary_text_is_kept(name: str) -> None:
    assert readable(name) == name


@pytest.mark.parametrize("width", [1, 2, 5, 28])
def test_shortened_names_fit_and_keep_both_ends(width: int) -> None:
    short = shorten("abc" + "x" * 300 + "yz", width)
    assert len(short) == width
    assert width < 5 or (short.startswith("ab") and short.endswith("yz"))


def test_undefined_numbers_are_an_en_dash() -> None:
    nan = math.nan
    written = [score(nan), signed(nan), compact(nan), duration(nan), percent(nan)]
    assert [*written, limits(Interval(value=nan, low=nan, high=nan))] == ["–"] * 6


def test_infinite_scores_are_named() -> None:
    assert (score(-math.inf), compact(math.inf)) == ("-inf", "inf")


def test_plotly_sees_no_tag_and_no_entity() -> None:
    assert label("&lt;b>") == "&amp;lt;b&gt;"
    assert "<br>" in hover("word " * 40)
    assert "<script" not in hover("<script>" * 20)


def test_json_has_no_nan() -> None:
    assert [finite(math.nan), finite(math.inf), finite(0.5)] == [None, None, 0.5]


@pytest.mark.parametrize("size", [0, 1, 40, 41, 500])
def test_labels_thin_out(size: int) -> None:
    assert len(thinned(size, 40)) <= 40
    assert thinned(size, 40)[:1] == ([0] if size else [])
