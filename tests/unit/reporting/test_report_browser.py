"""The page in a real browser: the plots are drawn, the table sorts, hostile names do nothing."""

import html
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from cotrain.reporting import render_html
from cotrain.results import Result

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no chromium or chrome on this machine")

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--virtual-time-budget=4000",
]


def dom(text: str, folder: Path, script: str = "") -> str:
    """The page's DOM after it ran, with ``script`` appended under the page's own nonce."""
    found = re.search('nonce="([0-9a-f]+)"', text)
    assert found
    added = f'<script nonce="{found[1]}">{script}</script></body>'
    path = folder / "report.html"
    path.write_text(added.join(text.rsplit("</body>", 1)), encoding="utf-8")
    profile = f"--user-data-dir={folder / 'profile'}"
    command = [CHROMIUM, *FLAGS, profile, "--dump-dom", path.as_uri()]
    done = subprocess.run(command, capture_output=True, check=True, timeout=50)
    body = done.stdout.decode("utf-8")
    return re.sub(r"<script.*?</script>", "", body, flags=re.DOTALL)


@pytest.mark.parametrize(("name", "plots"), [("sixty_tasks", 3), ("one_task", 1)])
def test_the_plots_are_drawn(
    name: str, plots: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    body = dom(render_html(request.getfixturevalue(name)), tmp_path)
    assert body.count('class="plot js-plotly-plot"') == plots
    assert body.count('class="main-svg"') >= plots
    assert body.count('class="hm"') == (name == "sixty_tasks")


def test_a_heading_sorts_the_table(tox21: Result, tmp_path: Path) -> None:
    body = dom(
        render_html(tox21), tmp_path, "document.querySelector('#tasks thead button').click()"
    )
    table = body[body.index('<table class="sortable"') : body.index("</tbody>")]
    names = re.findall(r'<th scope="row" title="([^"]*)"', table)
    assert names == sorted((task.name for task in tox21.tasks), key=str.lower)
    assert 'aria-sort="ascending"' in table


def test_the_policy_stops_a_script_that_is_not_ours(one_task: Result, tmp_path: Path) -> None:
    foreign = "<script>document.title='owned'</script><main>"
    body = dom(render_html(one_task).replace("<main>", foreign), tmp_path)
    assert title(body) == f"cotrain: {one_task.title}"


def test_hostile_names_do_nothing(hostile: Result, tmp_path: Path) -> None:
    """Without the policy: escaping alone has to hold."""
    text = render_html(hostile)
    unprotected = re.sub('<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    watched = "<head><script>window.alert = () => { document.title = 'alert'; };</script>"
    hover = (
        "Plotly.Fx.hover('affinity', [{curveNumber: 0, pointNumber: [0, 1]}]);"
        "for (let i = 0; i < 3; i++) Plotly.Fx.hover('gains', [{curveNumber: i, pointNumber: 0}]);"
    )
    body = dom(unprotected.replace("<head>", watched), tmp_path, hover)
    assert title(body) == f"cotrain: {hostile.title}"
    assert body.count('class="main-svg"') >= 2
    assert "<a href" not in body
    assert "<img" not in body
    assert 'class="hovertext"' in body
    labels = html.unescape(" ".join(re.findall(r"<text[^>]*>([^<]*)", body)))
    assert "<script>alert(1)</script>" in labels


def title(body: str) -> str:
    found = re.search(r"<title>(.*?)</title>", body)
    return html.unescape(found[1]) if found else ""
