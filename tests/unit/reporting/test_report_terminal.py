"""The terminal rendering, read as plain text of 100 columns."""

import io
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

from cotrain.reporting import print_result
from cotrain.reporting.ranking import UNDEFINED
from cotrain.results import Result


def printed(result: Result, width: int = 100) -> str:
    stream = io.StringIO()
    print_result(result, Console(file=stream, width=width, color_system=None))
    return stream.getvalue()


def row(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(start))


def test_the_answer_comes_first(tox21: Result) -> None:
    words = " ".join(printed(tox21).split())
    assert words.startswith(tox21.answer)


def test_a_row_shows_the_numbers_of_its_task(tox21: Result) -> None:
    task = tox21.tasks[3]
    line, gain = row(printed(tox21), task.name), task.gain_over_single
    for name, value in (*task.test.items(), ("shipped", task.shipped)):
        assert (f"{value:.3f}" in line) == (name != "equal parts")  # for which there is no room
    assert f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]" in line
    assert f"{max(v for n, v in task.test.items() if n != 'equal parts'):.3f}" in line
    assert line.rstrip().endswith("*") == gain.significant


def test_a_wide_terminal_has_all_columns(tox21: Result) -> None:
    task = tox21.tasks[3]
    text = printed(tox21, width=140)
    line = row(text, task.name)
    assert f"{task.test['equal parts']:.3f}" in line
    first = next(iter(task.weights))
    assert f"{first.removesuffix(' trees') if first.startswith('extra') else first} 70 %" in line
    assert "metric" not in row(text, "task")
    assert "test ROC AUC   • best of the row" in text


def test_metrics_that_differ_have_a_column(tox21: Result) -> None:
    other = replace(tox21.tasks[0], metric="balanced accuracy")
    text = printed(replace(tox21, tasks=(other, *tox21.tasks[1:])), width=140)
    assert "metric" in row(text, "task")
    assert "bal. acc." in row(text, "NR-AR ")
    assert "test score   • best of the row" in text


@pytest.mark.parametrize(("width", "hidden"), [(100, "equal parts"), (140, "")])
def test_the_best_score_that_is_shown_has_the_mark(tox21: Result, width: int, hidden: str) -> None:
    lines = [own for own in printed(tox21, width).splitlines() if own.startswith(("NR-", "SR-"))]
    for task, line in zip(tox21.tasks, lines, strict=True):
        shown = {**task.test, "shipped": task.shipped}
        top = max(f"{value:.3f}" for name, value in shown.items() if name != hidden)
        marked = [cell for cell in line.split() if cell.endswith("•")]
        assert set(marked) == {f"{top}•"}


@pytest.mark.parametrize("width", [100, 110, 140])
def test_no_gain_is_cut(tox21: Result, width: int) -> None:
    text = printed(tox21, width)
    lines = [line.rstrip() for line in text.splitlines() if line.startswith(("NR-", "SR-"))]
    for task, line in zip(tox21.tasks, lines, strict=True):
        assert line.rstrip(" *").endswith("]")
        assert line.endswith("*") == task.gain_over_single.significant
        assert "…" not in line[20:]


def test_the_mean_row_and_the_overall_differences(tox21: Result) -> None:
    text = printed(tox21)
    assert f"{tox21.mean_test['shipped']:.3f}" in row(text, "mean ")
    assert "Mean over tasks" not in text  # what ships is compared in the sentences
    pair = {"joint - single": tox21.overall["shipped - single"]}
    text = printed(replace(tox21, overall={**tox21.overall, **pair}))
    assert f"{pair['joint - single'].value:+.3f}" in row(text, " - joint - single")
    for sentence in tox21.sentences:
        assert f" - {sentence}" in text


def test_costs_and_details(tox21: Result) -> None:
    text = printed(tox21)
    assert "deciding cost 3.2× one joint run (budget 20.0×)" in text
    assert "total 15.1× in 3.3 min" in text
    assert all(sentence in text for sentence in tox21.details)


@pytest.mark.parametrize("name", ["tox21", "one_task", "sixty_tasks", "hostile"])
def test_no_line_is_wider_than_the_terminal(name: str, request: pytest.FixtureRequest) -> None:
    lines = printed(request.getfixturevalue(name)).splitlines()
    assert max(map(cell_len, lines)) <= 100


def test_many_tasks_show_the_extremes(sixty_tasks: Result) -> None:
    text = printed(sixty_tasks)
    ranked = sorted(sixty_tasks.tasks, key=lambda task: -task.gain_over_single.value)
    assert "… 30 hidden" in text
    assert row(text, ranked[0].name)
    assert row(text, ranked[-1].name)
    assert not any(line.startswith(ranked[30].name) for line in text.splitlines())


def test_one_task_has_nothing_to_group(one_task: Result) -> None:
    assert "one task: nothing to group" in printed(one_task)


def test_undefined_gains_are_dashes(tox21: Result) -> None:
    tasks = (replace(tox21.tasks[0], gain_over_single=UNDEFINED, shipped=float("nan")),)
    text = printed(replace(tox21, tasks=tasks, overall={}))
    assert "nan" not in text
    assert "–" in row(text, "NR-AR")


def test_names_cannot_act_on_the_terminal(hostile: Result) -> None:
    stream = io.StringIO()
    print_result(hostile, Console(file=stream, width=100, force_terminal=True, color_system=None))
    assert "\x1b[31mred" not in stream.getvalue()
    assert "\u202e" not in stream.getvalue()
    assert "[bold]" in printed(replace(hostile, answer="[bold]"))
