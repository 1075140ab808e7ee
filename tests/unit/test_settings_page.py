"""What the page of the benchmark `settings` says of its numbers, by hand."""

from __future__ import annotations

import pytest

from benchmarks.settings import closest, regret, said, unseen

SCORES = {"a": {"x": 0.5, "y": 0.7, "z": 0.6}, "b": {"x": 0.9, "y": 0.5, "z": 0.8}}


def test_regret_of_a_grid_is_what_its_best_setting_lacks() -> None:
    assert regret(SCORES, ["z"]) == pytest.approx(0.1)
    assert regret(SCORES, ["x", "y"]) == 0


def test_settings_are_chosen_together_and_judged_on_other_tables() -> None:
    assert closest(SCORES, ["x", "y", "z"], 2) == ("x", "y")
    # alone: a would choose y, which lacks 0.4 on b; b would choose x, which lacks 0.2 on a
    assert unseen(SCORES, ["x", "y", "z"], 1) == pytest.approx(0.3)


def test_the_page_says_both() -> None:
    found = {name: {"bins": own, "no bins": {"x": 0.4}} for name, own in SCORES.items()}
    lines = said(found, ["x", "y", "z"], ["x", "y", "z"])
    assert "stays 0.0000 below" in lines[0]
    assert "Bins bring +0.400" in lines[1]
    assert "more than nothing on 2; from +0.300 (a) to +0.500 (b)" in lines[1]
