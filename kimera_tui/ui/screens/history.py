"""Mode 4: every run of the past, searched, inspected as if it were live, and replayed."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from textual import getters, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Input

from kimera_tui.errors import KimeraError
from kimera_tui.runs.book import RunBook, RunState
from kimera_tui.ui.actions import bindings
from kimera_tui.ui.event_lines import event_line
from kimera_tui.ui.screens.replay import AskReplay
from kimera_tui.ui.screens.run_screen import RunScreen
from kimera_tui.ui.text import content
from kimera_tui.ui.widgets.history_table import HistoryTable
from kimera_tui.ui.widgets.lines import LineView
from kimera_tui.ui.widgets.plain import PlainInput

TYPING_DELAY = 0.15
"""Seconds without a key before what was typed is searched."""
HINT = "words  -not  state:failed  friend:x  task:x  exc:text  since:2h"


class HistoryScreen(RunScreen):
    """Shows runs from the journal, with the same fold and the same panes as Live."""

    SCOPE: ClassVar[str] = "history"
    SCOPES: ClassVar[tuple[str, ...]] = ("history", "runs")
    BINDINGS: ClassVar[list[BindingType]] = bindings("history")
    AUTO_FOCUS: ClassVar[str | None] = "#history-table"

    table = getters.query_one(HistoryTable)
    search = getters.query_one("#history-search", PlainInput)

    def __init__(self) -> None:
        super().__init__()
        self._run: RunState | None = None

    def compose_list(self) -> ComposeResult:
        """A search line over the list."""
        with Vertical(id="runs"):
            yield PlainInput(placeholder=HINT, id="history-search", compact=True)
            yield HistoryTable(id="history-table")

    @property
    def shown_run(self) -> RunState | None:
        """The run that was read for the line under the cursor."""
        return self._run

    def draw(self) -> None:
        """Search again: there may be new runs."""
        super().draw()
        self._find()

    @on(Input.Changed, "#history-search")
    def _typed(self) -> None:
        self._find()

    @on(Input.Submitted, "#history-search")
    def _done_typing(self) -> None:
        self.table.focus()

    @on(LineView.Selected, "HistoryTable")
    def _row_selected(self) -> None:
        self._read_selected()

    @on(LineView.Opened, "HistoryTable")
    def _row_opened(self) -> None:
        self.focus_steps()

    @work(exclusive=True, group="history-find")
    async def _find(self) -> None:
        await asyncio.sleep(TYPING_DELAY)
        try:
            rows = await self.kimera.services.runs(self.search.value)
        except KimeraError as error:
            self.table.border_subtitle = content(error)
            return
        self.table.border_subtitle = content(self.kimera.services.journal_problem) or None
        self.table.show_rows(rows, self.kimera.services.clock.now())
        self._read_selected()

    @work(exclusive=True, group="history-read")
    async def _read_selected(self) -> None:
        row = self.table.selected
        events = await self.kimera.services.events_of(row.run_id) if row is not None else []
        book = RunBook()
        lines = []
        for event in events:
            book.apply(event)
            if (line := event_line(event, book)) is not None:
                lines.append(line)
        self._run = book.runs.get(row.run_id) if row is not None else None
        self.events.replace(lines)
        self.draw_steps()

    def action_search(self) -> None:
        """Go to the search line."""
        self.search.focus()

    def action_to_list(self) -> None:
        """Go back to the list, and from there clear the search."""
        if self.table.has_focus:
            self.search.value = ""
        self.table.focus()

    @work
    async def action_replay(self) -> None:
        """Run it again: whole, from what failed, from the selected step, or that step alone."""
        row, run = self.table.selected, self._run
        if row is None or run is None:
            return
        if run.ended is None:
            self.kimera.complain("This run has not ended: it can be replayed when it has.")
            return
        answer = await self.app.push_screen_wait(AskReplay(run, self.shown_step))
        if answer is not None:
            await self.kimera.replay(row.run_id, answer.mode, answer.path)

    async def action_export(self) -> None:
        """Write the run with all its events to a file, as JSON."""
        if (row := self.table.selected) is not None:
            try:
                path = await self.kimera.services.export(row.run_id)
            except KimeraError as error:
                self.kimera.complain(str(error))
                return
            self.kimera.flash(f"Written to {path}")
