"""Past runs from the journal, newest first."""

from __future__ import annotations

import time
from collections.abc import Sequence

from kimera_tui.runs.search.query import RunRow
from kimera_tui.runs.status import Status
from kimera_tui.ui.selection import Selection
from kimera_tui.ui.text import safe, took
from kimera_tui.ui.theme import GLYPHS, STYLES
from kimera_tui.ui.widgets.lines import Line
from kimera_tui.ui.widgets.panes import ListPane

STATE = 12
"""Cells of a state; more where one of those shown is longer."""


class HistoryTable(ListPane[RunRow]):
    """One line a run.

    Args:
        selection: Holds which run is selected.
    """

    empty_text = "No runs here yet.\nWhat you send from Friends (1) or Compose (2) is kept."

    def __init__(self, selection: Selection, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._selection = selection
        self._today = ""
        self._wide = STATE
        self.marked = ""
        """Id of the run to compare others with, or an empty string."""
        self.border_title = "History"

    @property
    def selected_id(self) -> str:
        """Id of the run under the cursor; an empty string if there is none."""
        return self.selected.run_id if self.selected is not None else ""

    def show_rows(self, rows: Sequence[RunRow], now: float) -> None:
        """Show what a search found, with the cursor on the selected run if it is there.

        Args:
            rows: The runs, newest first.
            now: Seconds since the epoch; today's runs show their time only.
        """
        self._today = time.strftime("%Y-%m-%d", time.localtime(now))
        self._wide = max([STATE, *(len(status_of(row.status).short) for row in rows)])
        old_id = self.selected_id
        places = {row.run_id: place for place, row in enumerate(rows)}
        self.show(rows, places.get(self._selection.run_id, places.get(old_id, 0)))
        self.show_cursor()

    def move_cursor(self, index: int) -> None:
        """Select the run on a line."""
        if self.items:
            index = max(0, min(index, len(self.items) - 1))
            self._selection.run_id = self.items[index].run_id
        super().move_cursor(index)

    def toggle_mark(self) -> None:
        """Mark only the run under the cursor, or no run if it is marked."""
        if self.selected is not None:
            self.marked = "" if self.marked == self.selected.run_id else self.selected.run_id
            self.refresh()

    def line_of(self, item: RunRow) -> Line:
        """When, state, steps, duration and name of a run."""
        row = item
        status = status_of(row.status)
        state, style, done, of = status.short, STYLES[status], row.done, row.total
        if row.cancelling is not None and status is not Status.INTERRUPTED:
            state, style, (done, of) = "cancelling", "warning", row.cancelling
        when = self._when(row.started)
        took_ = took(row.ended - row.started) if row.ended is not None else "open"
        return (
            ("◆" if row.run_id == self.marked else " ", "key"),
            (f"{when} ", "dim"),
            (f"{GLYPHS[status]} {state:<{self._wide}}", style),
            (f"{done:>3}/{of:<3}", ""),
            (f"{took_:>6}  ", "dim"),
            (safe(row.name, 300), "strong"),
            (f"  ↺ {safe(row.parent[:8])}" if row.parent else "", "dim"),
        )

    def _when(self, at: float) -> str:
        """The time of today's runs, the day of others."""
        day, clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at)).split(" ")
        return clock if day == self._today else f"{day[2:]}"


def status_of(word: str) -> Status:
    """A status by its word; one that this version does not know is uncertain."""
    try:
        return Status(word)
    except ValueError:
        return Status.UNCERTAIN
