"""Mode 5: the workers that answered, and the queues they consume."""

from __future__ import annotations

from typing import ClassVar

from textual import getters
from textual.app import ComposeResult
from textual.binding import BindingType

from kimera_tui.cluster.view import ClusterView
from kimera_tui.ui.actions import bindings
from kimera_tui.ui.mode_screen import ModeScreen
from kimera_tui.ui.text import content, safe
from kimera_tui.ui.widgets.lines import Line
from kimera_tui.ui.widgets.panes import ListPane


class WorkerList(ListPane[str]):
    """One line for each worker: its name, its queues, how many tasks it knows."""

    empty_text = "No worker has answered yet.\nPress r to ask again."

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._view: ClusterView | None = None
        self.border_title = "Workers"

    def show_view(self, view: ClusterView | None) -> None:
        """Show the workers' answers."""
        if view is None or view is self._view:
            return
        if view.problem and self._view is not None and self._view.workers:
            self.border_subtitle = content(view.problem)  # the last answers stay on screen
            return
        self._view = view
        self.border_subtitle = None
        problem = safe(view.problem, 300, lines=True) or "No worker has answered yet."
        self.empty_text = f"{problem}\nPress r to ask again."
        self.show(view.workers)

    def line_of(self, item: str) -> Line:
        """A worker."""
        if self._view is None:
            return []
        worker = item
        queues = ", ".join(sorted(self._view.queues[worker]))
        known = len(self._view.tasks.get(worker, ()))
        return (
            (f" ● {safe(worker, 60):<32} ", "good"),
            (f"{known:>4} tasks  ", "dim"),
            (f"queues {safe(queues, 400)}", ""),
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
