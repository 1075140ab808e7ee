"""The result on a terminal: the answer, one row a task, the groups and the bill."""

import math
from collections.abc import Collection, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cotrain.figures.text import (
    duration,
    limits,
    multiple,
    percent,
    readable,
    score,
    shorten,
    signed,
)
from cotrain.reporting import ledger
from cotrain.reporting.ranking import UNDEFINED, best, contenders, extremes, verdict
from cotrain.results import Group, GroupingSummary, Interval, Result, TaskResult

_WHOLE = 0.9995  # a weight that is printed as 100 %
_MOST_ROWS, _EXTREMES, _MOST_NAMES, _LEAST_NAME = 40, 15, 12, 12
_STYLES = {"gain": "green", "loss": "red", "unclear": "dim", "undefined": "dim"}
_EQUAL = "equal parts"
_SHORT_NAMES = {"extra trees": "extra", _EQUAL: "equal"}
_LEFT_OUT = ((), (_EQUAL,), (_EQUAL, "by"))  # of a table that is too wide
_GAIN = "  gain over single, 95 %"
_SHORT_METRICS = {"balanced accuracy": "bal. acc."}


def print_result(result: Result, console: Console) -> None:
    """Print the result; right from 100 columns on, and complete without colour."""
    console.print(Text(readable(result.answer), style="bold"))
    for sentence in result.sentences:
        console.print(Text(f" - {readable(sentence)}"))
    console.print()
    console.print(_task_table(result, console.width))
    metrics = {task.metric for task in result.tasks}
    test_score = f"test {metrics.pop()}" if len(metrics) == 1 else "test score"
    legend = f"{test_score}   • best of the row   * 95 % interval excludes zero"
    console.print(Text(legend, style="dim"))
    for title, lines in (
        ("Mean over tasks", _overall_lines(result)),
        (
            "Groups that the measurement suggests (one of the contenders)",
            _group_lines(result.grouping, len(result.tasks)),
        ),
        ("Cost", _cost_lines(result)),
        ("Details", [Text(readable(sentence)) for sentence in result.details]),
    ):
        _print_section(console, title, lines)


def print_grouping(grouping: GroupingSummary, console: Console) -> None:
    """Print groups that were decided again: who is in them, what they reach, what others would."""
    tasks = len({name for group in grouping.groups for name in group.tasks})
    for title, lines in (
        (f"Groups by {grouping.decided_by}", _group_lines(grouping, tasks)),
        (f"Objective: {grouping.unit}", [Text(_certificate(grouping))]),
        ("Alternatives", _alternative_lines(grouping)),
    ):
        _print_section(console, title, lines)


def _certificate(grouping: GroupingSummary) -> str:
    value = f"{grouping.objective:.4f}"
    if grouping.exact:
        return f"{value}, proven optimal"
    if math.isnan(grouping.bound):
        return f"{value}; a heuristic, nothing is proven"
    return f"{value}; no groups score above {grouping.bound:.4f}"


def _alternative_lines(grouping: GroupingSummary) -> list[Text]:
    return [
        Text(
            f"{each.models:>2} {'models' if each.models > 1 else 'model '}  {each.objective:.4f}"
        ).append("  chosen" if each.models == len(grouping.groups) else "", style="bold")
        for each in grouping.alternatives
    ]


def _print_section(console: Console, title: str, lines: Sequence[Text]) -> None:
    if not lines:
        return
    console.print()
    console.print(Text(title, style="bold"))
    bullets = Table.grid(padding=(0, 1))
    bullets.add_column()
    bullets.add_column(overflow="fold")
    for line in lines:
        bullets.add_row("-", line)
    console.print(Padding(bullets, (0, 0, 0, 1)))


def _task_table(result: Result, width: int) -> Table:
    """All columns that the width has room for, beside names of some length and whole gains."""
    longest = max(cell_len(readable(task.name)) for task in result.tasks)
    for left_out in _LEFT_OUT:
        blocks = _blocks(result, left_out)
        header = list(blocks[0][0])
        rows = [list(row.values()) for block in blocks for row in block]
        room = _room(header, rows, width)
        if room >= min(longest, _LEAST_NAME):
            break
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)
    for i, title in enumerate(header):
        shown = _SHORT_NAMES.get(title, title)
        table.add_column(shown, overflow="ellipsis", no_wrap=True, max_width=None if i else room)
    for block in blocks:
        for name, *cells in (row.values() for row in block):
            table.add_row(Text(shorten(name.plain, room), style=name.style), *cells)
        table.add_section()
    return table


def _room(header: Sequence[str], rows: Sequence[Sequence[Text]], width: int) -> int:
    """How many columns of the terminal the other cells leave to the names."""
    columns = zip((_SHORT_NAMES.get(title, title) for title in header), *rows, strict=True)
    widths = [max(cell_len(str(cell)) for cell in column) for column in columns]
    return max(1, width - sum(widths[1:]) - len(widths) + 1)


def _blocks(result: Result, left_out: Collection[str]) -> list[list[dict[str, Text]]]:
    """Column → cell of all rows, or of those of the extreme tasks with a note on the others; the means."""
    tasks = result.tasks
    columns = [name for name in contenders(tasks) if name not in left_out]
    metric = len({task.metric for task in tasks}) > 1

    def row(task: TaskResult) -> dict[str, Text]:
        return _without(_task_row(task, columns), left_out, metric)

    mean = _without(_mean_row(result, columns), left_out, metric)
    if len(tasks) <= _MOST_ROWS:
        return [[row(task) for task in tasks], [mean]]
    gains, losses, hidden = extremes(tasks, _EXTREMES)
    note = dict.fromkeys(mean, Text("")) | {"task": Text(f"… {hidden} hidden", style="dim")}
    return [[*map(row, gains), note, *map(row, losses)], [mean]]


def _without(row: dict[str, Text], left_out: Collection[str], metric: bool) -> dict[str, Text]:
    gone = {*left_out, *(() if metric else ("metric",))}
    return {name: cell for name, cell in row.items() if name not in gone}


def _task_row(task: TaskResult, columns: Sequence[str]) -> dict[str, Text]:
    top = best(task, columns)
    return {
        "task": Text(readable(task.name)),
        "metric": Text(_SHORT_METRICS.get(task.metric, shorten(task.metric, 9))),
        **{name: _score_cell(score(task.test.get(name, math.nan)), top) for name in columns},
        "shipped": _score_cell(score(task.shipped), top),
        "by": Text(_largest(task)),
        _GAIN: _gain_cell(task.gain_over_single),
    }


def _largest(task: TaskResult) -> str:
    """The contender with the largest part in what ships."""
    name, share = max(task.weights.items(), key=lambda item: item[1])
    name = _SHORT_NAMES.get(name, name)
    return name if share >= _WHOLE else f"{name} {100 * share:.0f} %"


def _score_cell(written: str, top: str) -> Text:
    """The mark shows the best score without colour; the other cells keep its place free."""
    is_best = bool(top) and written == top
    return Text(f"{written:>5}{'•' if is_best else ' '}", style="bold" if is_best else "")


def _gain_cell(gain: Interval) -> Text:
    mark = "*" if gain.significant else " "
    return Text(f"{signed(gain.value):>6} {limits(gain):<16} {mark}", style=_STYLES[verdict(gain)])


def _mean_row(result: Result, columns: Sequence[str]) -> dict[str, Text]:
    means = {name: result.mean_test.get(name, math.nan) for name in (*columns, "shipped")}
    return {
        "task": Text("mean", style="bold"),
        "metric": Text(""),
        **{name: Text(f"{score(value):>5} ", style="bold") for name, value in means.items()},
        "by": Text(""),
        _GAIN: _gain_cell(result.overall.get("shipped - single", UNDEFINED)),
    }


def _overall_lines(result: Result) -> list[Text]:
    """Pairs of contenders; what ships is compared above."""
    pairs = {k: gain for k, gain in result.overall.items() if not k.startswith("shipped - ")}
    width = max(map(len, pairs), default=0)
    return [Text(f"{key:<{width}}  ") + _gain_cell(gain) for key, gain in pairs.items()]


def _group_lines(grouping: GroupingSummary, tasks: int) -> list[Text]:
    if tasks == 1:
        return [Text("one task: nothing to group")]
    return [
        Text(f"{_weighted(group)}: serves {_served(group.tasks, group.serves)}")
        for group in grouping.groups
    ]


def _weighted(group: Group) -> str:
    """The tasks, with their weights where these are not all 1."""
    if min(group.weights) > _WHOLE:
        return _names(group.tasks)
    pairs = zip(group.tasks, group.weights, strict=True)
    return _names([name if w > _WHOLE else f"{name} ({w:.0%})" for name, w in pairs])


def _served(tasks: Sequence[str], serves: Sequence[str]) -> str:
    helpers = [name for name in tasks if name not in serves]
    if len(helpers) < len(serves):
        return f"all but {_names(helpers)}" if helpers else "all"
    return _names(serves) or "none"


def _names(tasks: Sequence[str]) -> str:
    shown = [shorten(name, 24) for name in tasks[:_MOST_NAMES]]
    more = len(tasks) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _cost_lines(result: Result) -> list[Text]:
    whole = ledger.total(result.costs)
    spent = f"deciding cost {multiple(ledger.deciding(result.costs))} one joint run"
    parts = ", ".join(
        f"{part.purpose} {multiple(part.joint_runs)} ({percent(part.share)})"
        for part in ledger.by_purpose(result.costs)
    )
    return [
        Text(f"{spent} (budget {multiple(result.budget)})"),
        Text(f"total {multiple(whole.joint_runs)} in {duration(whole.seconds)}: {parts}"),
    ]
