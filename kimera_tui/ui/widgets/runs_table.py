"""The runs: newest first, each with its state, its steps and its age."""

from __future__ import annotations

from kimera_tui.runs.book import RunBook, RunState
from kimera_tui.ui.text import safe, took
from kimera_tui.ui.theme import GLYPHS, STYLES
from kimera_tui.ui.widgets.lines import Line, LineView


class RunsTable(LineView):
    """Lists the runs of the book; the cursor keeps to its run when others come and go."""

    empty_text = "No runs yet.\nSend a task from Friends (1), or compose one (2)."

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._runs: list[RunState] = []
        self._now = 0.0
        self.border_title = "Runs"

    @property
    def selected(self) -> RunState | None:
        """The run under the cursor."""
        return self._runs[self.cursor] if self._runs else None

    def show_book(self, book: RunBook, now: float, select: str | None = None) -> None:
        """Show the book's runs at a moment; ``select`` names the run to put the cursor on."""
        keep = select or (self.selected.run_id if self.selected else None)
        self._runs = list(reversed(book.runs.values()))
        self._now = now
        positions = {run.run_id: index for index, run in enumerate(self._runs)}
        self.lines_changed()
        if keep in positions:
            self.move_cursor(positions[keep])

    def line_count(self) -> int:
        """How many runs there are."""
        return len(self._runs)

    def line_at(self, index: int) -> Line:
        """State, steps, age and name of a run."""
        run = self._runs[index]
        status, style = run.status, STYLES[run.status]
        steps = f"{run.done}/{len(run.steps)}"
        age = took((run.ended or self._now) - run.started)
        return (
            (f" {GLYPHS[status]} {status.value:<13}", style),
            (f"{steps:>7} ", ""),
            (f"{age:>6}  ", "dim"),
            (safe(run.name, 300), "strong"),
        )
