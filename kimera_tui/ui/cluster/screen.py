"""Mode 5: the workers, those that are gone too, and the queues they consume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import getters
from textual.app import ComposeResult
from textual.binding import BindingType

from kimera_tui.cluster.view import AwayWorker, ClusterView, WorkerDetails
from kimera_tui.cluster.worker import WorkerState
from kimera_tui.ui.actions import bindings
from kimera_tui.ui.mode_screen import ModeScreen
from kimera_tui.ui.text import clock_time, safe, took
from kimera_tui.ui.widgets.lines import Span
from kimera_tui.ui.widgets.table import Column, TablePane


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker of a view."""

    name: str
    view: ClusterView

    @property
    def away(self) -> AwayWorker | None:
        """What is known of it, if it is not online."""
        return self.view.away.get(self.name)

    @property
    def details(self) -> WorkerDetails | None:
        """What it has told of itself, if it is online."""
        return self.view.details.get(self.name)

    @property
    def state(self) -> str:
        """Its state in a word or two."""
        if self.away is not None:
            return self.away.state.value
        return "no pool" if self.name in self.view.without_pool else "online"

    @property
    def heard_at(self) -> float:
        """When it was last heard, in seconds since the epoch; 0 if unknown."""
        known = self.away or self.details
        if known is None:
            return 0.0
        return known.since if isinstance(known, AwayWorker) else known.heard_at


class WorkerList(TablePane[WorkerRow]):
    """One line for each worker, also for those that are gone."""

    empty_text = "No worker has answered yet.\nPress r to ask again."

    def __init__(self, **kwargs: object) -> None:
        columns: Sequence[Column[WorkerRow]] = (
            Column("State", _state, lambda row: row.state),
            Column("Worker", lambda row: (safe(row.name, 60), "strong"), lambda row: row.name),
            Column("Busy", _busy, _running, right=True, largest_first=True, rank=1),
            Column("Pool", _pool, rank=4),
            Column("Done", _done, _processed, right=True, largest_first=True, rank=3),
            Column("Registered", _tasks, right=True, rank=5),
            Column("Load", _load, right=True, rank=6),
            Column("Heard", _heard, lambda row: row.heard_at, rank=2),
            Column("Queues", _queues, grows=True),
        )
        super().__init__(columns, lambda row: row.name, **kwargs)
        self._view: ClusterView | None = None
        self.border_title = "Workers"

    def show_view(self, view: ClusterView | None) -> None:
        """Show what is known of the workers."""
        if view is None or view is self._view:
            return
        if view.problem and self._view is not None and self._view.workers:
            self.notes = [safe(view.problem, 300)]  # the last answers stay on screen
            self.say_below()
            return
        self._view = view
        self.notes = []
        problem = safe(view.problem, 300, lines=True) or "No worker has answered yet."
        self.empty_text = f"{problem}\nPress r to ask again."
        gone = view.away_in(WorkerState.LOST, WorkerState.SILENT)
        names = [*gone, *view.workers, *view.away_in(WorkerState.STOPPED)]
        self.show([WorkerRow(name, view) for name in names])


_MARKS = {
    "lost": ("✗", "bad"),
    "no pool": ("✗", "bad"),
    "silent": ("?", "warning"),
    "stopped": ("○", "dim"),
    "online": ("●", "good"),
}


def _state(row: WorkerRow) -> Span:
    mark, style = _MARKS[row.state]
    return f"{mark} {row.state}", style


def _busy(row: WorkerRow) -> Span:
    if (away := row.away) is not None:
        return (f"{away.held} in hand" if away.held else ""), "warning"
    known = row.details
    running = "?" if known is None or known.running is None else f"{known.running}"
    slots = "?" if known is None or known.slots is None else f"{known.slots}"
    return ("", "dim") if running == slots == "?" else (f"{running}/{slots}", "")


def _running(row: WorkerRow) -> int:
    return (row.details.running or 0) if row.details is not None else -1


def _pool(row: WorkerRow) -> Span:
    return safe(row.view.pools.get(row.name, ""), 20), "dim"


def _done(row: WorkerRow) -> Span:
    done = row.details.processed if row.details is not None else None
    return ("" if done is None else f"{done:,}"), "dim"


def _processed(row: WorkerRow) -> int:
    return (row.details.processed or 0) if row.details is not None else -1


def _tasks(row: WorkerRow) -> Span:
    if row.away is not None:
        return "", "dim"
    known = row.view.tasks.get(row.name)
    return ("not told" if known is None else f"{len(known)}"), "dim"


def _load(row: WorkerRow) -> Span:
    load = row.details.load if row.details is not None else None
    return ("" if load is None else f"{load:.2f}"), "dim"


def _heard(row: WorkerRow) -> Span:
    if not row.heard_at:
        return "", "dim"
    if row.away is not None:
        return clock_time(row.heard_at)[:8], "warning"
    return f"{took(max(0.0, row.view.at - row.heard_at))} ago", "dim"


def _queues(row: WorkerRow) -> Span:
    if (away := row.away) is not None:
        busy = " (can't answer while it runs a task)" if away.may_be_busy else ""
        had = f"had {', '.join(sorted(away.queues))}" if away.queues else "its queues are not known"
        return f"{safe(had, 400)}{busy}", "dim"
    queues = row.view.queues.get(row.name)
    return ("not told" if queues is None else safe(", ".join(sorted(queues)), 400)), ""


class ClusterScreen(ModeScreen):
    """Shows the workers."""

    SCOPE: ClassVar[str] = "cluster"
    SCOPES: ClassVar[tuple[str, ...]] = ("cluster",)
    BINDINGS: ClassVar[list[BindingType]] = bindings("cluster")
    AUTO_FOCUS: ClassVar[str | None] = "#workers"

    worker_list = getters.query_one("#workers", WorkerList)

    def compose_content(self) -> ComposeResult:
        """The list of workers."""
        yield WorkerList(id="workers")

    def draw(self) -> None:
        """Draw the latest answers."""
        super().draw()
        self.worker_list.show_view(self.kimera.state.vitals.view)

    def news(self) -> None:
        """Draw what the workers answered."""
        super().news()
        self.worker_list.show_view(self.kimera.state.vitals.view)

    def action_refresh(self) -> None:
        """Ask the workers now."""
        self.kimera.services.connection.poll_workers()
        self.kimera.flash("Asking the workers.")
