"""The HTML page as text: its numbers, its escaping, its silence on the network."""

import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from plotly.offline import get_plotlyjs

from cotrain.reporting import render_html
from cotrain.reporting.ranking import UNDEFINED
from cotrain.results import Result

RESULTS = ["tox21", "one_task", "sixty_tasks", "hostile"]


def page(result: Result) -> str:
    """The page without plotly's own text."""
    text = render_html(result)
    assert text.count(get_plotlyjs()) == 1
    return text.replace(get_plotlyjs(), "")


class Cells(HTMLParser):
    """The text of every table cell, and every tag with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._inside = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.rows[-1][-1] += data


def test_a_row_shows_the_numbers_of_its_task(tox21: Result) -> None:
    rows = {row[0]: row for row in Cells(page(tox21)).rows}
    for task in tox21.tasks:
        scores = [f"{score:.3f}" for score in task.test.values()]
        assert rows[task.name][3 : 4 + len(scores)] == [*scores, f"{task.shipped:.3f}"]
        gains = (task.gain_over_single, task.gain_over_joint, task.gain_over_trees)
        for gain, cell in zip(gains, rows[task.name][-3:], strict=True):
            assert cell.removeprefix("+").startswith(f"{gain.value:.3f}".replace("-0.000", "0.000"))
            assert f"{gain.low:+.3f}" in cell or abs(gain.low) < 0.0005


def test_the_answer_key_numbers_details_and_settings(tox21: Result) -> None:
    text = page(tox21)
    assert f"<h1>{tox21.answer}</h1>" in text
    for gain in tox21.overall.values():
        assert f"{gain.value:+.3f}" in text
    assert all(sentence in text for sentence in tox21.details)
    assert "<dt>hidden</dt><dd>512, 256</dd>" in text
    assert "Deciding cost 3.2× one joint run" in text


def test_what_predicting_costs(tox21: Result) -> None:
    rows = {row[0]: row for row in Cells(page(tox21)).rows if len(row) == 5}
    for name, price in tox21.prices.items():
        assert rows[name] == [
            name,
            str(price.models),
            str(price.networks),
            f"{price.parameters:,}",
            f"{price.milliseconds:.3g}",
        ]


def test_the_best_score_is_emphasised(tox21: Result) -> None:
    first = tox21.tasks[0]
    for shipped in (0.1, max(first.test.values()), 0.999):
        shown = page(replace(tox21, tasks=(replace(first, shipped=shipped),)))
        cells = re.findall(r'class="number best"[^>]*>\s*([^<]*)<', shown)
        written = [f"{value:.3f}" for value in (*first.test.values(), shipped)]
        assert cells == [max(written)] * written.count(max(written))


def test_a_contender_of_ones_own_gets_a_column(tox21: Result) -> None:
    tasks = tuple(replace(t, test={**t.test, "mine": 0.9}) for t in tox21.tasks)
    assert 'type="button">mine<' in page(replace(tox21, tasks=tasks))
    assert 'type="button">mine<' not in page(tox21)


def test_not_significant_gains_are_grey(tox21: Result) -> None:
    unclear = [task for task in tox21.tasks if not task.gain_over_single.significant]
    value = f"{unclear[0].gain_over_single.value:.9g}"
    assert f'<td class="number unclear" data-value="{value}">' in page(tox21)


def test_one_task_has_nothing_to_group(one_task: Result) -> None:
    text = page(one_task)
    assert "One task: nothing to group." in text
    assert 'data-plot="affinity"' not in text


def test_without_a_lookahead_there_is_no_transference(tox21: Result) -> None:
    """Gains of trained task sets decide by default."""
    text = page(replace(tox21, affinity=None))
    assert 'data-plot="affinity"' not in text
    assert "Transference of a source task" not in text
    assert 'data-plot="affinity"' in page(tox21)
    assert all(f'title="{task.name}"' in text for task in tox21.tasks)  # of the groups
    assert 'data-plot="alternatives"' in text


def test_the_glossary_knows_every_column(tox21: Result) -> None:
    text = page(tox21)
    terms = ", ".join(re.findall("<dt>(.*?)</dt>", text[text.index('<dl class="glossary">') :]))
    assert {*tox21.tasks[0].test, "shipped", "weighted"} <= set(terms.split(", "))


def test_undefined_numbers_are_dashes(tox21: Result) -> None:
    nan = math.nan
    undefined = replace(
        tox21.tasks[0], test={}, seed_std={}, shipped=nan, gain_over_single=UNDEFINED
    )
    text = page(replace(tox21, tasks=(undefined,), mean_test={}, overall={}))
    assert "nan" not in text.lower()
    assert "No task has a defined gain" in text


@pytest.mark.parametrize("name", RESULTS)
def test_nothing_is_loaded_from_anywhere(name: str, request: pytest.FixtureRequest) -> None:
    text = page(request.getfixturevalue(name))
    parsed = Cells(text)
    assert not any({"src", "href", "srcset", "data"} & attrs.keys() for _, attrs in parsed.tags)
    assert not re.search(r"@import|url\(|https?://", text)
    assert {"link", "img", "iframe", "object", "base"}.isdisjoint(tag for tag, _ in parsed.tags)


def test_hostile_names_stay_text(hostile: Result) -> None:
    text = page(hostile)
    assert "<script>alert" not in text
    assert "</script><script>document" not in text
    assert not any(mark in text for mark in ("\x1b", "\x00", "\u202e"))
    assert text.encode("utf-8")
    scripts = [attrs for tag, attrs in Cells(text).tags if tag == "script"]
    assert len(scripts) == 5
    assert sum("nonce" in attrs for attrs in scripts) == 2
    events = {key for _, attrs in Cells(text).tags for key in attrs if key.startswith("on")}
    assert events == set()


def test_hostile_names_are_shown_as_they_are(hostile: Result) -> None:
    shown = {row[0] for row in Cells(page(hostile)).rows}
    assert {task.name for task in hostile.tasks[:9]} <= shown


def test_the_figures_in_the_page_are_json(hostile: Result) -> None:
    blocks = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page(hostile))
    assert [sorted(json.loads(block)) for block in blocks] == [["data", "layout"]] * 3
    assert not any("<" in block for block in blocks)


def test_rendering_is_deterministic(tox21: Result) -> None:
    assert render_html(tox21) == render_html(tox21)


def test_importing_the_package_does_not_import_plotly() -> None:
    code = "import sys, cotrain.reporting; sys.exit('plotly' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
