"""Line views: panes painted line by line, which stay fast where tables and logs do not."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from kimera_tui.ui.actions import bindings
from kimera_tui.ui.widgets.painting import Line, LinePainter, Span

MEASURED = 100
"""Lines of a pane that are measured each time they change."""
__all__ = ["Line", "LineView", "Span"]
STYLE_NAMES = ("dim", "active", "queued", "good", "bad", "warning", "strong", "key")


class LineView(ScrollView, can_focus=True):
    """Shows lines of styled text; subclasses say how many there are and what is on each.

    The texts must be safe already (``ui.text``): they go to the terminal unchanged.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings("lines")
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"line--{name}" for name in STYLE_NAMES} | {
        "line--cursor",
        "line--cursor-blurred",
    }
    DEFAULT_CSS = """
    LineView {
        background: $surface;
        color: $foreground;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 0;
        & .line--dim { color: $foreground 60%; }
        & .line--active { color: $accent; }
        & .line--queued { color: $secondary; }
        & .line--good { color: $success; }
        & .line--bad { color: $error; text-style: bold; }
        & .line--warning { color: $warning; }
        & .line--strong { text-style: bold; }
        & .line--key { color: $primary; }
        & .line--cursor { background: $primary 30%; text-style: bold; }
        & .line--cursor-blurred { background: $foreground 12%; }
    }
    """
    has_cursor: ClassVar[bool] = True
    head: ClassVar[int] = 0
    """Lines at the top that stay while the others scroll: 1 for a ``header_line``."""
    empty_text: str = ""
    """Shown instead of lines: what the pane is for, and what to do next."""

    class Selected(Message):
        """The cursor came to another line."""

        def __init__(self, view: LineView, index: int) -> None:
            super().__init__()
            self.view = view
            self.index = index

        @property
        def control(self) -> LineView:
            """The view."""
            return self.view

    class Opened(Selected):
        """A line was chosen with enter or a double click."""

    def __init__(self, **kwargs: Any) -> None:
        self.painter = LinePainter(self.get_component_rich_style)
        self._painted: dict[int, Line] = {}
        super().__init__(**kwargs)
        self.cursor = 0

    # What subclasses provide

    @abstractmethod
    def line_count(self) -> int:
        """How many lines there are."""

    @abstractmethod
    def line_at(self, index: int) -> Line:
        """What is on a line."""

    def header_line(self) -> Line:
        """What is on the line at the top that stays, if ``head`` is 1."""
        return ()

    # Painting

    def lines_changed(self) -> None:
        """Paint other lines, or another number of them."""
        self.cursor = max(0, min(self.cursor, self.line_count() - 1))
        self._measure()
        self.refresh()

    def refresh_changed(self) -> None:
        """Paint the same lines, as far as they are visible and their texts have changed."""
        self._measure()
        painted, self._painted = self._painted, {}
        for index, line in painted.items():
            if index >= self.line_count() or self.line_at(index) != line:
                self.refresh_line(index + self.head)
            else:
                self._painted[index] = line

    def _measure(self) -> None:
        width = max((_width(self.line_at(index)) for index in self._measured()), default=0)
        self.virtual_size = Size(width, self.line_count() + self.head)

    def _measured(self) -> range:
        """Lines whose width is measured; of very many, the last ones."""
        count = self.line_count()
        return range(max(0, count - MEASURED), count)

    def render_line(self, y: int) -> Strip:
        """Paint one line of the visible part."""
        scroll_x, scroll_y = self.scroll_offset
        width, index = self.scrollable_content_region.width, scroll_y + y - self.head
        base = self.rich_style
        if y < self.head and self.line_count():
            return self.painter.strip(self.header_line(), base, scroll_x, width)
        if not 0 <= index < self.line_count():
            return self._blank(y, width, base)
        if self.has_cursor and index == self.cursor:
            name = "line--cursor" if self.has_focus else "line--cursor-blurred"
            base += self.get_component_rich_style(name)
        line = self._painted[index] = self.line_at(index)
        return self.painter.strip(line, base, scroll_x, width).apply_offsets(scroll_x, index)

    def _blank(self, y: int, width: int, base: Style) -> Strip:
        lines = self.empty_text.split("\n") if self.line_count() == 0 else []
        if y < len(lines):
            strip = Strip([Segment(f" {lines[y]}", base + self.painter.style("dim"))])
            return strip.crop_extend(0, width, base)
        return Strip.blank(width, base)

    def notify_style_update(self) -> None:
        """Forget the colours of the theme before."""
        self.painter.forget()
        super().notify_style_update()

    # Moving

    def move_cursor(self, index: int) -> None:
        """Put the cursor on a line and bring it into view."""
        count = self.line_count()
        index = max(0, min(index, count - 1))
        if count == 0 or index == self.cursor:
            return
        old, self.cursor = self.cursor, index
        self.refresh_line(old + self.head)
        self.refresh_line(index + self.head)
        self.scroll_to_region(
            # The line that stays hides the one below it.
            Region(self.scroll_offset.x, index, 1, 1 + self.head),
            animate=False,
            force=True,
            immediate=True,
        )
        self.post_message(self.Selected(self, index))

    def show_cursor(self) -> None:
        """Bring the cursor's line into view."""
        height = self.scrollable_content_region.height - self.head
        top = self.scroll_offset.y
        if height and not top <= self.cursor < top + height:
            middle = max(0, self.cursor - height // 2)
            self.scroll_to(y=middle, animate=False, force=True, immediate=True)

    def action_cursor(self, by: int) -> None:
        """Move the cursor, or scroll where there is none."""
        if self.has_cursor:
            self.move_cursor(self.cursor + by)
        else:
            self.scroll_relative(y=by, animate=False)

    def action_page(self, by: int) -> None:
        """Move by a page."""
        page = max(1, self.size.height - 1)
        self.action_cursor(by * page)

    def action_edge(self, last: bool) -> None:
        """Go to the first or the last line."""
        self.move_cursor(self.line_count() - 1 if last else 0)
        if not self.has_cursor:
            self.scroll_end(animate=False) if last else self.scroll_home(animate=False)

    def action_sideways(self, by: int) -> None:
        """Scroll to the side."""
        self.scroll_relative(x=by, animate=False)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse is; a double click opens."""
        place = event.get_content_offset(self)
        if place is None or not self.has_cursor:
            return
        index = place.y + self.scroll_offset.y - self.head
        if not 0 <= index < self.line_count():
            return
        self.move_cursor(index)
        if event.chain == 2:
            self.post_message(self.Opened(self, index))

    def key_enter(self) -> None:
        """Open the line under the cursor."""
        if self.has_cursor and self.line_count():
            self.post_message(self.Opened(self, self.cursor))

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        if self.has_cursor:
            self.show_cursor()

    def watch_has_focus(self, has_focus: bool) -> None:
        """Show the cursor as active or resting."""
        super().watch_has_focus(has_focus)
        self.refresh()


def _width(line: Line) -> int:
    return sum(cell_len(text) for text, _ in line)
