"""The list of past runs under its search line, and the search itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from textual import getters, on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input

from kimera_tui.errors import KimeraError
from kimera_tui.runs.search.query import ENDED_BADLY, parse
from kimera_tui.runs.search.tree import EVERYTHING, All, written
from kimera_tui.ui.kimera import Kimera
from kimera_tui.ui.runs.history_table import HistoryTable
from kimera_tui.ui.text import content, safe
from kimera_tui.ui.widgets.unmarked import PlainInput

TYPING_DELAY = 0.15
"""Seconds without a key before the search starts."""
HINT = "words  -not  (a or b)  state:failed  exc:text  task:x  friend:x  since:2h  run:id  @filter"
ONLY_BAD = "failed only  ! shows all"


class HistoryList(Vertical):
    """Searches the journal.

    Args:
        kimera: The console.
    """

    search = getters.query_one("#history-search", PlainInput)
    table = getters.query_one(HistoryTable)

    class Found(Message):
        """The list shows the results of another search."""

    def __init__(self, kimera: Kimera, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._kimera = kimera
        self.is_found = asyncio.Event()
        """Set while the list shows the results of the latest search."""
        self.only_bad = False
        """Whether only failed runs are shown."""
        self._mentioned = ""
        """The run that was last mentioned as hidden by the search."""
        self._problem = ""
        """The problem of the search or the journal."""

    def compose(self) -> ComposeResult:
        """A search line above the list."""
        yield PlainInput(placeholder=HINT, id="history-search", compact=True)
        yield HistoryTable(self._kimera.state.selection, id="history-table")

    @property
    def line(self) -> str:
        """The search: what was typed, combined with whether only failed runs are shown.

        Raises:
            UsageError: what was typed is no valid search.
        """
        if not self.only_bad:
            return self.search.value.strip()
        typed = parse(self.search.value)
        return written(ENDED_BADLY if typed == EVERYTHING else All((ENDED_BADLY, typed)))

    @on(Input.Changed, "#history-search")
    def _typed(self) -> None:
        self.find(TYPING_DELAY)

    @on(Input.Submitted, "#history-search")
    def _done_typing(self) -> None:
        self.table.focus()

    def find(self, delay: float = 0) -> None:
        """Search after ``delay`` seconds, unless there is another search by then."""
        self.is_found.clear()
        self._find(delay)

    @work(exclusive=True, group="history-find")
    async def _find(self, delay: float) -> None:
        await asyncio.sleep(delay)
        try:
            rows = await self._kimera.services.runs.search(self.line)
        except KimeraError as error:
            self._problem = str(error)
        else:
            self._problem = self._kimera.services.journal.problem
            self.table.show_rows(rows, self._kimera.services.clock.now())
            self.post_message(self.Found())
            self._mention_hidden()
        self.note()
        self.is_found.set()

    def _mention_hidden(self) -> None:
        """Say, once for each run, that the search hides the run selected in Live."""
        run_id = self._kimera.state.selection.run_id
        if run_id in ("", self.table.selected_id, self._mentioned):
            return
        self._mentioned = run_id
        if self.search.value or self.only_bad:
            self._kimera.flash("The search hides the run you selected in Live.")

    def note(self, unread: str = "") -> None:
        """Show problems at the list, and whether it is filtered.

        Args:
            unread: Why the run under the cursor could not be read.
        """
        problem = self._problem or unread
        notes = [safe(problem, 300), ONLY_BAD if self.only_bad else ""]
        self.table.notes = [note for note in notes if note]
        self.table.say_below()
        # A short screen has no room for a border below.
        short = self.screen.has_class("-short")
        above = ["failed only" if self.only_bad else "", problem if short else ""]
        self.table.border_title = _joined(["History", *above])

    def go_to_search(self) -> None:
        """Go to the search line."""
        self.search.focus()

    def back(self) -> None:
        """Go back to the list, and from there clear the search."""
        if self.table.has_focus:
            self.search.value = ""
        self.table.focus()

    def toggle_only_bad(self) -> None:
        """Show only failed runs, or all again."""
        self.only_bad = not self.only_bad
        self.find()


def _joined(notes: Sequence[str]) -> Content:
    return content("  ·  ".join(filter(None, notes)))
