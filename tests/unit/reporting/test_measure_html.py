"""Measurements as a page of their own: text and figures with hostile names, in a browser, too."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from plotly.offline import get_plotlyjs
from unit.reporting.test_report_browser import CHROMIUM, dom

from cotrain.measure.datamaps.datamap import DataMap
from cotrain.measure.datamaps.recorder import DataMaps
from cotrain.measure.gains.gains import Gains
from cotrain.measure.gradients.similarity import GradientSimilarity
from cotrain.measure.measurement import Measurement
from cotrain.measure.transference.affinity import Affinity, GroupTransference
from cotrain.reporting import render_html, render_measurements
from cotrain.results import Result

PLAIN = ["mass", "charge", "colour"]
POLICY = re.compile('<meta http-equiv="Content-Security-Policy" content="([^"]*)">')


def affinities(names: Sequence[str]) -> tuple[Affinity, GroupTransference]:
    size = len(names)
    samples = np.random.default_rng(0).normal(size=(6, size, size)).astype(np.float32)
    groups = [tuple(range(size)), (0,)]
    return (
        Affinity.from_samples(names, samples, samples / 2, method="lookahead"),
        GroupTransference.from_samples(
            names, groups, samples[:, :, :2], samples[:, :, :2], method="lookahead"
        ),
    )


def similarity(names: Sequence[str]) -> GradientSimilarity:
    size, epochs = len(names), 3
    rng = np.random.default_rng(1)
    square = {
        f"{name}{kind}": rng.normal(size=(size, size)) - 2
        for name in ("cosine", "magnitude", "conflict")
        for kind in ("", "_error")
    }
    summary = {name: rng.random((epochs, 2, 5)) for name in ("batches", "inter_task")}
    return GradientSimilarity(
        tasks=tuple(names),
        probes=6,
        norms=rng.random((epochs, size)),
        inter_sample=rng.random((epochs, 2, 5)),
        **square,
        **summary,
    )


def datamap(names: Sequence[str]) -> DataMap:
    rng, rows = np.random.default_rng(2), np.arange(20)
    maps = DataMaps(names, rows=20)
    for _ in range(3):
        sure = rng.random((len(names), 20))
        maps.record(rows, sure, sure > 0.5)
        maps.end_epoch()
    return maps.result()


def gains(names: Sequence[str]) -> Gains:
    size = len(names)
    rng = np.random.default_rng(3)
    sets = np.concatenate([np.eye(size, dtype=bool), rng.random((30, size)) < 0.6])
    sets = sets[sets.any(axis=1)]
    company = sets.sum(axis=1, keepdims=True) > 1
    return Gains.empty(names).extended(sets, rng.normal(size=sets.shape) * company)


def measurements(names: Sequence[str]) -> tuple[Measurement, ...]:
    return (*affinities(names), similarity(names), datamap(names), gains(names))


def page(title: str, found: Sequence[Measurement]) -> str:
    """The page without plotly's own text."""
    text = render_measurements(title, found)
    assert text.count(get_plotlyjs()) == 1
    return text.replace(get_plotlyjs(), "")


@pytest.fixture
def names(hostile: Result) -> list[str]:
    return [task.name for task in hostile.tasks]


@pytest.fixture
def nasty(hostile: Result, names: list[str]) -> str:
    return page(hostile.title, measurements(names))


class Parsed(HTMLParser):
    """Tags with their attributes, and the text of every element of a kind."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.texts.setdefault(tag, []).append("")
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open[-1]][-1] += data


def figures(text: str) -> list[dict[str, object]]:
    blocks = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', text)
    return [json.loads(block) for block in blocks]


def strings(value: object) -> Iterator[str]:
    """All texts in a figure, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def test_one_section_for_each_measurement_in_their_order() -> None:
    found = measurements(PLAIN)
    parsed = Parsed(page("planets", found))
    assert parsed.texts["h2"] == [each.title for each in found]
    assert len(parsed.texts["section"]) == len(found) == 5
    assert parsed.texts["pre"] == [str(each) for each in found]
    assert [text.strip() for text in parsed.texts["p"]][1:] == [each.about for each in found]
    assert parsed.texts["title"] == ["cotrain: planets"]
    drawn = [attrs["data-plot"] for tag, attrs in parsed.tags if "data-plot" in attrs]
    places = [attrs["id"] for tag, attrs in parsed.tags if attrs.get("class") == "plot"]
    assert drawn == places == [f"measurement-{number}" for number in range(1, 6)]


def test_the_figures_are_those_of_the_measurements() -> None:
    found = measurements(PLAIN)
    shown = figures(page("planets", found))
    assert shown == [json.loads(json.dumps(each.figure())) for each in found]


def test_nothing_measured_is_an_empty_page() -> None:
    parsed = Parsed(page("nothing", ()))
    assert "section" not in parsed.texts
    assert parsed.texts["title"] == ["cotrain: nothing"]


def test_the_policy_is_that_of_the_report(one_task: Result) -> None:
    own = render_measurements("planets", measurements(PLAIN))
    policies = [POLICY.findall(text) for text in (own, render_html(one_task))]
    nonces = [re.findall(r"nonce-([0-9a-f]{32})", found[0]) for found in policies]
    assert [len(found) for found in (*policies, *nonces)] == [1, 1, 1, 1]
    bare = [found[0].replace(nonce[0], "") for found, nonce in zip(policies, nonces, strict=True)]
    assert bare[0] == bare[1]
    assert bare[0].startswith("default-src 'none'; script-src 'nonce-'; ")
    assert re.findall(r'<script nonce="([0-9a-f]+)">', own.replace(get_plotlyjs(), "")) == (
        nonces[0] * 2
    )


def test_nothing_is_loaded_from_anywhere(nasty: str) -> None:
    parsed = Parsed(nasty)
    assert not any({"src", "href", "srcset", "data"} & attrs.keys() for _, attrs in parsed.tags)
    assert not re.search(r"@import|url\(|https?://", nasty)
    tags = {tag for tag, _ in parsed.tags}
    assert {"link", "img", "iframe", "object", "base", "a", "b"}.isdisjoint(tags)


def test_hostile_names_stay_text(nasty: str) -> None:
    assert "<script>alert" not in nasty
    assert "</script><script>document" not in nasty
    assert not any(mark in nasty for mark in ("\x1b", "\x00", "\u202e", "\ud800"))
    assert nasty.encode("utf-8")
    parsed = Parsed(nasty)
    scripts = [attrs for tag, attrs in parsed.tags if tag == "script"]
    assert len(scripts) == 5 + 2
    assert sum("nonce" in attrs for attrs in scripts) == 2
    events = {key for _, attrs in parsed.tags for key in attrs if key.startswith("on")}
    assert events == set()
    assert "{{ 7 * 7 }}" in nasty  # no template reads a name


def test_hostile_names_are_shown_as_they_are(nasty: str, names: list[str]) -> None:
    shown = "\n".join(Parsed(nasty).texts["pre"])
    assert all(name in shown for name in names[:2])
    assert "\ufffd[31mred\ufffd\ufffd" in shown


def test_hostile_names_are_inert_in_the_figures(nasty: str) -> None:
    found = figures(nasty)
    assert [sorted(figure) for figure in found] == [["data", "layout"]] * 5
    texts = [text for figure in found for text in strings(figure)]
    own = re.compile(r"</?(b|br|extra|i|sub|sup)>")  # what plotly may read as its own tags
    assert not [text for text in texts if "<" in own.sub("", text)]
    assert not [text for text in texts if "<b>bold" in text]
    assert any("&lt;b&gt;bold&lt;/b&gt;" in text for text in texts)
    assert not [text for text in texts if re.search("[\x00-\x1f\x7f-\x9f\u202e\ud800]", text)]
    templates = [
        text
        for figure in found
        for trace in figure["data"]  # type: ignore[attr-defined]
        for text in strings(trace.get("hovertemplate", ""))
    ]
    assert templates
    assert not [text for text in templates if "alpha" in text]  # plotly reads %{…} in them
    blocks = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', nasty)
    assert not [block for block in blocks if "<" in block]


@pytest.mark.parametrize("title", ["</title><script>alert(1)</script>", "\x1b[31m", "\ud800"])
def test_a_hostile_title_stays_text(title: str) -> None:
    text = page(title, ())
    assert text.encode("utf-8")
    parsed = Parsed(text)
    shown = "".join("\ufffd" if c in "\x1b\ud800" else c for c in title)
    assert parsed.texts["title"] == [f"cotrain: {shown}"]
    assert parsed.texts["bdi"] == [shown]
    assert len(parsed.texts["script"]) == 2


def test_rendering_is_deterministic(names: list[str]) -> None:
    first, second = (render_measurements("t", measurements(names)) for _ in range(2))
    assert first == second


browser = pytest.mark.skipif(not CHROMIUM, reason="no chromium or chrome on this machine")

WATCH = """
window.problems = [];
const note = (what) => window.problems.push(String(what));
addEventListener("error", (event) => note(event.message));
addEventListener("unhandledrejection", (event) => note(event.reason));
addEventListener("securitypolicyviolation", (event) => note(event.violatedDirective));
for (const level of ["error", "warn"]) console[level] = (...given) => note(given.join(" "));
window.alert = () => note("alert");
"""
TELL = 'document.body.dataset.problems = window.problems.join("; ") || "none";'


def watched(text: str) -> str:
    """The page with a script in front that writes down what goes wrong."""
    nonce = re.search('nonce="([0-9a-f]+)"', text)
    assert nonce
    return text.replace("<title>", f'<script nonce="{nonce[1]}">{WATCH}</script><title>', 1)


def problems(body: str) -> str:
    found = re.search('data-problems="([^"]*)"', body)
    assert found
    return html.unescape(found[1])


@browser
def test_all_plots_are_drawn_without_a_word_on_the_console(tmp_path: Path) -> None:
    body = dom(watched(render_measurements("planets", measurements(PLAIN))), tmp_path, TELL)
    assert problems(body) == "none"
    assert body.count('class="plot js-plotly-plot"') == 5
    assert body.count('class="hm"') == 3  # transference, of groups, and gains


@browser
def test_hostile_names_do_nothing(hostile: Result, names: list[str], tmp_path: Path) -> None:
    """Without the policy: escaping alone has to hold."""
    text = watched(render_measurements(hostile.title, measurements(names)))
    hover = (
        "for (const number of [1, 2, 5])"
        " Plotly.Fx.hover(`measurement-${number}`, [{curveNumber: 0, xval: 0, yval: 1}], 'xy');"
    )
    body = dom(POLICY.sub("", text), tmp_path, hover + TELL)
    assert problems(body) == "none"
    assert body.count('class="plot js-plotly-plot"') == 5
    assert f"<title>cotrain: {html.escape(hostile.title, quote=False)}</title>" in body
    assert "<a href" not in body
    assert "<img" not in body
    assert 'class="hovertext"' in body
    shown = " ".join(re.findall(r'class="hovertext".*?</g>', body, re.DOTALL))
    hovered = html.unescape(re.sub(r"</?t(ext|span)[^>]*>", "", shown))
    assert any(name in hovered for name in names), hovered


@browser
def test_what_goes_wrong_would_be_noticed(tmp_path: Path) -> None:
    """The counterpart of the tests above: a broken figure, and a script that the policy stops."""
    text = watched(render_measurements("planets", measurements(PLAIN)))
    foreign = text.replace("<main>", "<script>document.title='owned'</script><main>")
    body = dom(foreign, tmp_path, f"console.error('spoken'); {TELL}")
    assert "spoken" in problems(body)
    assert "script-src" in problems(body)
    assert "<title>cotrain: planets</title>" in body
