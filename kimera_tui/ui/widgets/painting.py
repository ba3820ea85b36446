"""Turns the lines of a view into strips, in the colours of its component classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

Span = tuple[str, str]
"""A safe text and the name of a component class, or an empty name."""
Line = Sequence[Span]


class LinePainter:
    """Paints lines.

    Args:
        style_of: Returns the style of a component class.
    """

    def __init__(self, style_of: Callable[[str], Style]) -> None:
        self._style_of = style_of
        self._styles: dict[str, Style] = {}

    def strip(self, line: Line, base: Style, left: int, width: int) -> Strip:
        """The visible part of a line: ``width`` cells from ``left``."""
        segments = [Segment(text, base + self.style(name) if name else base) for text, name in line]
        return Strip(segments).crop_extend(left, left + width, base)

    def style(self, name: str) -> Style:
        """The colour and weight of a component class: the background may be the cursor's."""
        if name not in self._styles:
            style = self._style_of(f"line--{name}")
            self._styles[name] = Style(color=style.color, bold=style.bold)
        return self._styles[name]

    def forget(self) -> None:
        """Forget the colours of the theme before."""
        self._styles.clear()
