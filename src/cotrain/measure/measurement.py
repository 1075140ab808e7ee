"""What every measurement can do, whatever it measured: print itself, plot itself, save and load."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from cotrain.errors import InputError
from cotrain.figures.style import Figure, as_plotly
from cotrain.folder import RunFolder

if TYPE_CHECKING:
    from plotly.graph_objects import Figure as PlotlyFigure


@dataclass(frozen=True, kw_only=True)
class Measurement(ABC):
    """A typed result of an instrument. Fields are numpy arrays, or plain values that JSON can hold.

    Args:
        tasks: T task names.
    """

    title: ClassVar[str]  # heading in a report
    about: ClassVar[str]  # one or two sentences for a reader who sees the figure

    tasks: tuple[str, ...]

    @abstractmethod
    def __str__(self) -> str:
        """What a person wants to know first, in a few lines."""

    @abstractmethod
    def figure(self) -> Figure:
        """Plotly's JSON, with names made inert."""

    def plot(self) -> PlotlyFigure:
        """The figure as a plotly object: it shows itself in a notebook, ``.show()`` opens a browser."""
        return as_plotly(self.figure())

    def save(self, path: str | Path) -> None:
        """Write one safetensors file: arrays as tensors, the rest as JSON in its metadata."""
        import torch

        path = Path(path)
        content = {field.name: getattr(self, field.name) for field in fields(self)}
        arrays = {k: torch.from_numpy(v) for k, v in content.items() if isinstance(v, np.ndarray)}
        facts = {k: v for k, v in content.items() if k not in arrays}
        note = {"measurement": type(self).__name__, "facts": facts}
        RunFolder(path.parent).write_tensors(path.name, arrays, note)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            InputError: If the file is missing, damaged or holds another measurement.
        """
        path = Path(path)
        tensors, note = RunFolder(path.parent).read_tensors(path.name)
        if note.get("measurement") != cls.__name__:
            found = note.get("measurement", "something else")
            raise InputError(f"{path} holds a {found}, not a {cls.__name__}")
        arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
        facts = {name: _as_tuples(value) for name, value in note.get("facts", {}).items()}
        expected = {field.name for field in fields(cls)}
        if arrays.keys() | facts.keys() != expected:
            raise InputError(f"{path} is not a whole {cls.__name__}")
        return cls(**arrays, **facts)


def _as_tuples(value: Any) -> Any:
    """JSON's lists as the tuples they were written from."""
    return tuple(_as_tuples(item) for item in value) if isinstance(value, list) else value
