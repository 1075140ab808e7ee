"""The worker that is this process: cohorts train one after the other, where everything else happens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from cotrain.engine.cohorts.shards import join, take
from cotrain.engine.cohorts.workers import Cut, Piece, Report, Site, Turn, take_turn
from cotrain.engine.training import Progress


@dataclass(frozen=True, kw_only=True)
class ThisProcess:
    """No cluster. See :class:`~cotrain.engine.cohorts.workers.Cluster`."""

    def cut(self) -> Cut:
        """As the engine likes it."""
        return Cut()

    def workers(self, site: Site) -> LocalWorkers:
        """One."""
        return LocalWorkers(site=site)


HERE = ThisProcess()


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A piece: some members of a progress that lies in this process."""

    progress: Progress
    rows: tuple[int, ...]


@dataclass(kw_only=True)
class LocalWorkers:
    """See :class:`~cotrain.engine.cohorts.workers.Workers`; pauses after every epoch."""

    site: Site
    slots: int = field(default=1, init=False)
    _next: tuple[int, Turn] | None = field(default=None, init=False)
    _paused: tuple[Piece, ...] = field(default=(), init=False)

    def submit(self, key: int, turn: Turn) -> None:
        """Nothing happens before it is waited for."""
        self._next = key, turn

    def done(self) -> Sequence[tuple[int, Report]]:
        """Train an epoch."""
        assert self._next is not None
        key, turn = self._next
        progress, report = take_turn(self.site, turn, self._before(turn), pause=0.0)
        self._paused = self.hold(progress, apart=turn.apart)
        return [(key, replace(report, pieces=self._paused))]

    def _before(self, turn: Turn) -> Progress | None:
        """Training changes it in place: what others may copy as well is copied."""
        if not turn.pieces:
            return None
        if turn.pieces is self._paused or not turn.apart:
            return self.fetch(turn.pieces)
        return join([take(piece.progress, piece.rows) for piece in _merged(turn.pieces)])

    def hold(self, progress: Progress, *, apart: bool) -> tuple[Piece, ...]:
        """As it is."""
        rows = range(len(progress.loss))
        alone = [(row,) for row in rows] if apart else [tuple(rows)]
        return tuple(Rows(progress=progress, rows=own) for own in alone)

    def fetch(self, pieces: Sequence[Piece]) -> Progress:
        """The very progress, if the pieces are all of it; else a copy."""
        parts = _merged(pieces)
        if len(parts) == 1 and parts[0].rows == tuple(range(len(parts[0].progress.loss))):
            return parts[0].progress
        return join([take(part.progress, part.rows) for part in parts])

    def cancel(self) -> None:
        """Nothing goes on by itself."""


def _merged(pieces: Sequence[Rows]) -> list[Rows]:
    """Neighbours of one progress as one piece."""
    runs = [list(run) for _, run in groupby(pieces, key=lambda piece: id(piece.progress))]
    return [
        Rows(progress=run[0].progress, rows=tuple(row for piece in run for row in piece.rows))
        for run in runs
    ]
