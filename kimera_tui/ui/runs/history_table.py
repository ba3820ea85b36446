"""Past runs from the journal, newest first."""

from __future__ import annotations

from collections.abc import Sequence

from kimera_tui.redaction import redact_text
from kimera_tui.runs.search.query import RunRow
from kimera_tui.runs.status import Status
from kimera_tui.ui.selection import Selection
from kimera_tui.ui.text import day_time, safe, took
from kimera_tui.ui.theme import GLYPHS, STYLES
from kimera_tui.ui.widgets.lines import Line, Span
from kimera_tui.ui.widgets.table import Column, TablePane


class HistoryTable(TablePane[RunRow]):
    """One line a run.

    Args:
        selection: Holds which run is selected.
    """

    empty_text = "No runs here yet.\nWhat you send from Friends (1) or Compose (2) is kept."

    def __init__(self, selection: Selection, **kwargs: object) -> None:
        columns: Sequence[Column[RunRow]] = (
            Column(
                "Started",
                lambda row: (day_time(row.started, self._now), "dim"),
                lambda row: row.started,
                largest_first=True,
            ),
            Column("State", _state, lambda row: row.status),
            Column("Steps", _steps, lambda row: row.total, right=True, largest_first=True, rank=3),
            Column("Took", _took, _seconds, right=True, largest_first=True, rank=2),
            Column("Name", _name, lambda row: row.name.lower(), most=48),
            Column("Error", _error, lambda row: row.error, rank=1, grows=True),
            Column("Run", _run, rank=4),
        )
        super().__init__(columns, lambda row: row.run_id, **kwargs)
        self._selection = selection
        self._now = 0.0
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
            now: Seconds since the epoch; days near it are in words.
        """
        self._now = now
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
        """A mark for the run to compare others with, and the cells of a run."""
        _, *cells = super().line_of(item)
        return [("◆" if item.run_id == self.marked else " ", "key"), *cells]


def _state(row: RunRow) -> Span:
    status = status_of(row.status)
    if _is_cancelling(row):
        return f"{GLYPHS[status]} cancelling", "warning"
    return f"{GLYPHS[status]} {status.short}", STYLES[status]


def _is_cancelling(row: RunRow) -> bool:
    return row.cancelling is not None and status_of(row.status) is not Status.INTERRUPTED


def _steps(row: RunRow) -> Span:
    done, of = row.done, row.total
    if row.cancelling is not None and _is_cancelling(row):
        done, of = row.cancelling
    return f"{done}/{of}", ""


def _took(row: RunRow) -> Span:
    return (took(row.ended - row.started) if row.ended is not None else "open"), "dim"


def _seconds(row: RunRow) -> float:
    return row.ended - row.started if row.ended is not None else float("inf")


def _name(row: RunRow) -> Span:
    return safe(row.name, 300), "strong"


def _error(row: RunRow) -> Span:
    return safe(redact_text(row.error[:2000]), 400), "dim"


def _run(row: RunRow) -> Span:
    replays = f" ↺ {safe(row.parent[:8])}" if row.parent else ""
    return f"{safe(row.run_id[:8])}{replays}", "dim"


def status_of(word: str) -> Status:
    """A status by its word; one that this version does not know is uncertain."""
    try:
        return Status(word)
    except ValueError:
        return Status.UNCERTAIN
