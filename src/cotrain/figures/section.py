"""A picture with its words: what the pages of studies and of source choices consist of."""

from __future__ import annotations

from dataclasses import dataclass

from cotrain.figures.style import Figure


@dataclass(frozen=True, kw_only=True)
class Section:
    """A picture with its words; reports treat it like a measurement.

    Args:
        title: Heading.
        about: One or two sentences for a reader who sees the figure.
        text: The numbers, as printed in the terminal.
        drawing: Plotly's JSON, with names made inert.
    """

    title: str
    about: str
    text: str
    drawing: Figure

    def figure(self) -> Figure:
        """The picture as Plotly's JSON."""
        return self.drawing

    def __str__(self) -> str:
        """The numbers below the picture."""
        return self.text
