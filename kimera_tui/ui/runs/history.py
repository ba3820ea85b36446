"""Mode 4: past runs, searched, inspected like live ones, and replayed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import getters, on, work
from textual.app import ComposeResult
from textual.binding import BindingType

from kimera_tui.errors import KimeraError
from kimera_tui.runs.index import RunIndex, RunState
from kimera_tui.ui.actions import bindings
from kimera_tui.ui.kimera import Command
from kimera_tui.ui.runs.event_pane import EventLine, event_line
from kimera_tui.ui.runs.history_actions import HistoryActions
from kimera_tui.ui.runs.history_list import HistoryList
from kimera_tui.ui.runs.history_table import HistoryTable
from kimera_tui.ui.runs.run_screen import RunScreen
from kimera_tui.ui.widgets.unmarked import PlainInput

REST = 0.05
"""Seconds that the cursor rests on a run before it is read."""


class HistoryScreen(RunScreen):
    """Shows runs from the journal, with the same fold and the same panes as Live."""

    SCOPE: ClassVar[str] = "history"
    SCOPES: ClassVar[tuple[str, ...]] = ("history", "runs")
    BINDINGS: ClassVar[list[BindingType]] = bindings("history")
    AUTO_FOCUS: ClassVar[str | None] = "#history-table"

    past = getters.query_one(HistoryList)
    table = getters.query_one(HistoryTable)
    search = getters.query_one("#history-search", PlainInput)

    def __init__(self) -> None:
        super().__init__()
        self._run: RunState | None = None
        """The run that was read last."""

    @property
    def commands(self) -> Mapping[str, Command]:
        """The actions by their names."""
        return {
            **super().commands,
            **HistoryActions(self.kimera, self.kimera.acts, self, self.past).commands,
            "search": lambda _: self.past.go_to_search(),
            "to-list": lambda _: self.to_list(),
            "only-bad": lambda _: self.past.toggle_only_bad(),
        }

    def focus_steps(self) -> None:
        """Go to the steps; a short screen shows them in place of the list."""
        self.add_class("-detail")
        super().focus_steps()

    def action_toggle_output(self) -> None:
        """Show the output; a short screen shows it in place of the list."""
        self.add_class("-detail")
        super().action_toggle_output()

    def to_list(self) -> None:
        """Go back to the list, and from there clear the search."""
        self.remove_class("-detail")
        self.past.back()

    def compose_list(self) -> ComposeResult:
        """The list with its search line."""
        yield HistoryList(self.kimera, id="runs")

    @property
    def shown_run(self) -> RunState | None:
        """The run under the cursor, if it has been read already."""
        run = self._run
        return run if run is not None and run.run_id == self.table.selected_id else None

    async def selected_run(self) -> RunState | None:
        """The run under the cursor; reads it now if necessary."""
        await self.past.is_found.wait()
        if self.shown_run is None:
            await self._show_selected()
        return self.shown_run

    def draw(self) -> None:
        """Search again: there may be new runs."""
        super().draw()
        self.past.find()

    @on(HistoryList.Found)
    def select_run(self) -> None:
        """Read the run under the cursor, once the cursor rests on it."""
        self._read_selected()

    @work(exclusive=True, group="history-read")
    async def _read_selected(self) -> None:
        await asyncio.sleep(REST)
        await self._show_selected()

    async def _show_selected(self) -> None:
        """Read the run under the cursor, and show it if the cursor is still there."""
        run_id, unread = self.table.selected_id, ""
        run: RunState | None = None
        lines: list[EventLine] = []
        try:
            if run_id:
                events = await self.kimera.services.journal.events_of(run_id)
                run, lines = await asyncio.to_thread(_folded, events, run_id)
        except KimeraError as error:
            unread = str(error)
        if run_id == self.table.selected_id:
            self._run = run
            self.past.note(unread)
            self.events.replace(lines)
            self.draw_steps()


def _folded(events: Sequence[object], run_id: str) -> tuple[RunState | None, list[EventLine]]:
    """A run folded from its events, and the events in words."""
    index, lines = RunIndex(), []
    for event in events:
        index.apply(event)
        if (line := event_line(event, index)) is not None:
            lines.append(line)
    return index.runs.get(run_id), lines
