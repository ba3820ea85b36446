"""The two kinds of line view: a list with a line for each item, and text that wraps."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, TypeVar

from kimera_tui.ui.widgets.lines import Line, LineView
from kimera_tui.ui.widgets.wrapping import at_words

T = TypeVar("T")
NARROWEST = 20
"""Cells that text is wrapped to at least."""


class ListPane(LineView, Generic[T]):
    """Shows a line for each item; subclasses say what is on it."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.items: Sequence[T] = ()

    @abstractmethod
    def line_of(self, item: T) -> Line:
        """The line of an item."""

    def show(self, items: Sequence[T], cursor: int | None = None) -> None:
        """Show other items.

        Args:
            items: From top to bottom.
            cursor: The line that the cursor goes to; None leaves it.
        """
        self.items = items
        if cursor is not None:
            self.cursor = cursor
        self.lines_changed()

    @property
    def selected(self) -> T | None:
        """The item under the cursor."""
        return self.items[self.cursor] if self.items else None

    def line_count(self) -> int:
        """How many items there are."""
        return len(self.items)

    def line_at(self, index: int) -> Line:
        """The line of one of them."""
        return self.line_of(self.items[index])


class TextPane(LineView):
    """Shows lines to read.

    Args:
        lines: Safe already.
        wraps: Whether long lines are broken; if not, they scroll sideways.
    """

    has_cursor: ClassVar[bool] = False

    def __init__(self, lines: Sequence[Line] = (), *, wraps: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._text = lines
        self._lines = list(lines)
        self._wraps = wraps

    def on_mount(self) -> None:
        """Take the lines in."""
        self.lines_changed()

    def show(self, lines: Sequence[Line], *, from_top: bool = True) -> None:
        """Show other lines, from the first unless it stays where it is scrolled to."""
        self._text = lines
        self._wrap()
        if from_top:
            self.scroll_home(animate=False)

    def on_resize(self) -> None:
        """Wrap to the new width."""
        self._wrap()

    def _wrap(self) -> None:
        width = max(NARROWEST, self.scrollable_content_region.width)
        broken = [part for line in self._text for part in at_words(line, width)]
        self._lines = broken if self._wraps else list(self._text)
        self.lines_changed()

    def line_count(self) -> int:
        """How many lines it takes."""
        return len(self._lines)

    def line_at(self, index: int) -> Line:
        """One of them."""
        return self._lines[index]
