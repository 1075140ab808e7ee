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
    for value in (*task.test.values(), task.shipped):
        assert f"{value:.3f}" in line
    assert f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]" in line
    assert task.served_by in line
    assert f"{max(task.test.values()):.3f}•" in line
    assert line.rstrip().endswith("*") == gain.significant


def test_the_mean_row_and_the_overall_differences(tox21: Result) -> None:
    text = printed(tox21)
    assert f"{tox21.mean_test['shipped']:.3f}" in row(text, "mean ")
    for key, gain in tox21.overall.items():
        assert f"{gain.value:+.3f}" in row(text, f" - {key}")


def test_costs_and_details(tox21: Result) -> None:
    text = printed(tox21)
    assert "deciding cost 3.2× one joint run (budget 20.0×)" in text
    assert "total 15.1× in 3.3 min" in text
    assert all(sentence in text for sentence in tox21.details)


@pytest.mark.parametrize("name", ["tox21", "one_task", "sixty_tasks", "hostile"])
def test_no_line_is_wider_than_the_terminal(name: str, request: pytest.FixtureRequest) -> None:
    lines = printed(request.getfixturevalue(name)).splitlines()
    assert max(map(cell_len, lines)) <= 100


def test_five_contenders_leave_room_for_names(tox21: Result) -> None:
    tasks = tuple(replace(t, test={**t.test, "blend": 0.9}) for t in tox21.tasks)
    line = row(printed(replace(tox21, tasks=tasks)), "NR-PPAR-gamma")
    assert "0.900•" in line
    assert "]" in line


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
