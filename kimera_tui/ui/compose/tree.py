"""The steps of a document as a tree of lines; only those on screen are formatted."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from kimera_tui.config.friends import Friend
from kimera_tui.documents.addresses import Address
from kimera_tui.documents.checks import Problem
from kimera_tui.documents.document import Document, TaskStep
from kimera_tui.ui.compose.rows import (
    Row,
    header_line,
    heading_line,
    inputs_line,
    rows_of,
    step_row_line,
)
from kimera_tui.ui.compose.secrets import declared_secrets
from kimera_tui.ui.widgets.lines import Line
from kimera_tui.ui.widgets.panes import ListPane

HEAD = 2
"""Lines above the steps."""
INPUTS = 1
"""The line of the inputs."""
EMPTY_TEXT = (
    "Nothing composed yet.\n\n"
    "a  adds a task        w  wraps it in a chain or para\n"
    "o  opens a workflow   i  edits what a run asks for\n\n"
    "ctrl+t on a form in Friends (1) adds that call;\n"
    "w on a run in Live (3) or History (4) composes that run."
)
MEASURED = 80
"""Lines whose width is measured: those around the cursor."""


class ComposeTree(ListPane[Row]):
    """Shows a document; the cursor is on its header, its inputs, a step or a heading."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.friends: Mapping[str, Friend] = {}
        """They declare which arguments are secret."""
        self._document: Document | None = None
        self._places: dict[Address, int] = {}
        self._wrong: AbstractSet[str] = frozenset()
        self._parts: Mapping[str, str] = {}
        self._file = ""
        self._unsaved = False

    def show_document(self, document: Document, cursor: Address, file: str, unsaved: bool) -> None:
        """Show a document.

        Args:
            document: What to show.
            cursor: The step to put the cursor on; empty leaves it on its heading or first lines.
            file: Name of its file, or an empty string.
            unsaved: Whether it has edits that the file does not have.
        """
        old_row = self.row
        self._file, self._unsaved = file, unsaved
        if document is not self._document:
            self._document = document
            self.items = rows_of(document)
            self._places = {row.address: n for n, row in enumerate(self.items) if row.address}
        stays = not cursor and old_row.kind in ("header", "inputs")
        self.show(
            self.items, self.cursor if stays else self._places.get(cursor or old_row.address, 0)
        )
        self.show_cursor()

    def show_problems(self, wrong: AbstractSet[str]) -> None:
        """Mark the steps with these ids."""
        self._wrong = wrong
        self.refresh()

    def show_parts(self, parts: Mapping[str, str]) -> None:
        """Mark the steps that feed the selected one, with what they give."""
        if parts != self._parts:
            self._parts = parts
            self.refresh()

    @property
    def row(self) -> Row:
        """The line under the cursor."""
        return self.selected or Row("header", ())

    def place_in(self, path: Address) -> int:
        """The line that a path in the file leads to: a step's, the inputs', or the header's."""
        for end in range(len(path), 0, -1):
            if (place := self._places.get(path[:end])) is not None:
                return place
        return INPUTS if path[:1] == ("inputs",) else 0

    def go_to(self, problem: Problem) -> None:
        """Put the cursor on the step that a problem is about."""
        self.move_cursor(self.place_in(problem.path))

    def _measured(self) -> range:
        first = max(0, self.cursor - MEASURED // 2)
        return range(first, min(len(self.items), first + MEASURED))

    def line_of(self, item: Row) -> Line:
        """One line."""
        row, document = item, self._document
        if document is None:
            return ()
        if row.kind == "header":
            return header_line(document, self._file, self._unsaved)
        if row.kind == "inputs":
            return inputs_line(document)
        if row.step is None:
            return heading_line(row)
        step = row.step
        secret = (
            declared_secrets(self.friends, document, step) if isinstance(step, TaskStep) else ()
        )
        part = self._parts.get(step.id, "")
        return step_row_line(row, step, step.id in self._wrong, part, secret)

    def _blank(self, y: int, width: int, base: Style) -> Strip:
        lines = EMPTY_TEXT.split("\n") if len(self.items) == HEAD else []
        below = y - HEAD - 1
        if 0 <= below < len(lines):
            strip = Strip([Segment(f"   {lines[below]}", base + self.painter.style("dim"))])
            return strip.crop_extend(0, width, base)
        return Strip.blank(width, base)
