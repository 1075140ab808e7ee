"""Live progress: stage, bar, weighted validation loss and time left; plain lines where nobody watches."""

from __future__ import annotations

import math
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from rich.console import Console

    from cotrain.engine.engine import Update


class Display:
    """Shows each stage as a bar. Use it as a context manager and hand out :meth:`update`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars: dict[str, TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=30),
            TaskProgressColumn(),
            TextColumn("{task.fields[loss]:<18}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def update(self, news: Update) -> None:
        """Show an update of the engine or of the trees."""
        loss = "" if math.isnan(news.loss) else f"valid loss {news.loss:.4f}"
        if news.stage not in self._bars:
            self._bars[news.stage] = self._progress.add_task(
                news.stage, total=news.total, loss=loss
            )
            if not self._console.is_terminal:
                self._console.print(f"{news.stage} …", highlight=False)
        self._progress.update(self._bars[news.stage], completed=news.done, loss=loss)
