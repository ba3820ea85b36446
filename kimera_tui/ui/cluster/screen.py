"""Mode 5: the workers, those that are gone too, and the queues they consume."""

from __future__ import annotations

from typing import ClassVar

from textual import getters
from textual.app import ComposeResult
from textual.binding import BindingType

from kimera_tui.cluster.view import AwayWorker, ClusterView
from kimera_tui.cluster.worker import WorkerState
from kimera_tui.ui.actions import bindings
from kimera_tui.ui.mode_screen import ModeScreen
from kimera_tui.ui.text import clock_time, content, safe
from kimera_tui.ui.widgets.lines import Line
from kimera_tui.ui.widgets.panes import ListPane


class WorkerList(ListPane[str]):
    """One line for each worker, also for those that are gone: its name, its state, its queues."""

    empty_text = "No worker has answered yet.\nPress r to ask again."

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._view: ClusterView | None = None
        self.border_title = "Workers"

    def show_view(self, view: ClusterView | None) -> None:
        """Show what is known of the workers."""
        if view is None or view is self._view:
            return
        if view.problem and self._view is not None and self._view.workers:
            self.border_subtitle = content(view.problem)  # the last answers stay on screen
            return
        self._view = view
        self.border_subtitle = None
        problem = safe(view.problem, 300, lines=True) or "No worker has answered yet."
        self.empty_text = f"{problem}\nPress r to ask again."
        gone = view.away_in(WorkerState.LOST, WorkerState.SILENT)
        self.show([*gone, *view.workers, *view.away_in(WorkerState.STOPPED)])

    def line_of(self, item: str) -> Line:
        """A worker."""
        if self._view is None:
            return []
        if (away := self._view.away.get(item)) is not None:
            return _away_line(item, away)
        queues = self._view.queues.get(item)
        if item in self._view.without_pool:
            mark, style, state = "✗", "bad", "no pool"
        else:
            mark, style, state = "●", "good", "online"
        known = self._view.tasks.get(item)
        tasks = "tasks not told" if known is None else f"{len(known)} tasks"
        served = "queues not told" if queues is None else f"queues {', '.join(sorted(queues))}"
        return (
            (f" {mark} {safe(item, 60):<32} ", style),
            (f"{state:<16} ", style),
            (f"{tasks:>14}  ", "dim"),
            (safe(served, 400), ""),
        )


def _away_line(name: str, away: AwayWorker) -> Line:
    """A worker that is not there, with when it was last heard and what it had."""
    mark, style = {
        WorkerState.LOST: ("✗", "bad"),
        WorkerState.SILENT: ("?", "warning"),
    }.get(away.state, ("○", "dim"))
    had = f"had {', '.join(sorted(away.queues))}" if away.queues else "its queues are not known"
    held = f" · {away.held} task{'s' if away.held != 1 else ''} in hand" if away.held else ""
    busy = " · can't answer while it runs a task" if away.may_be_busy else ""
    return (
        (f" {mark} {safe(name, 60):<32} ", style),
        (f"{away.state.value} {clock_time(away.since)} ", style),
        (f" {safe(had, 400)}{held}{busy}", "dim"),
    )


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
