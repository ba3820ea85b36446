"""Mode 3: the runs, the steps of the selected one, and what the engine says as it happens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import getters, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container

from kimera_tui.ui.actions import bindings
from kimera_tui.ui.screens.base import ModeScreen
from kimera_tui.ui.widgets.event_pane import EventLine, EventPane
from kimera_tui.ui.widgets.lines import LineView
from kimera_tui.ui.widgets.payload_view import PayloadView, yankable
from kimera_tui.ui.widgets.runs_table import RunsTable
from kimera_tui.ui.widgets.step_tree import StepTree


class LiveScreen(ModeScreen):
    """Watches runs; drawn from the app's run book alone."""

    SCOPE: ClassVar[str] = "live"
    BINDINGS: ClassVar[list[BindingType]] = bindings("live")
    AUTO_FOCUS: ClassVar[str | None] = "#runs"

    runs = getters.query_one("#runs", RunsTable)
    steps = getters.query_one("#step-tree", StepTree)
    events = getters.query_one("#events", EventPane)
    output = getters.query_one("#output", PayloadView)

    def compose_content(self) -> ComposeResult:
        """Runs and steps above, events and output below."""
        with Container(id="live"):
            with Container(id="upper"):
                yield RunsTable(id="runs")
                yield StepTree(id="step-tree")
            with Container(id="lower"):
                yield EventPane(id="events")
                yield PayloadView(id="output")

    def on_mount(self) -> None:
        """Show what happened before this mode was opened for the first time."""
        self.events.add(self.kimera.take_backlog())
        super().on_mount()

    def draw(self) -> None:
        """Draw everything from the book."""
        super().draw()
        self.events.add(self.kimera.take_backlog())
        self._draw_runs(self.kimera.take_wanted_run())

    def news(self, changed: set[str], lines: Sequence[EventLine]) -> None:
        """Draw what changed."""
        super().news(changed, lines)
        self.events.add(self.kimera.take_backlog())
        self._draw_runs(self.kimera.take_wanted_run())

    def _draw_runs(self, select: str | None) -> None:
        now = self.kimera.services.clock.now()
        self.runs.show_book(self.kimera.book, now, select)
        self._draw_steps()

    def _draw_steps(self) -> None:
        run = self.runs.selected
        self.steps.show_run(run, self.kimera.services.clock.now())
        self.output.show_step(self.steps.selected)
        wanted = run.run_id if run is not None and self.events.only_run is not None else None
        if wanted != self.events.only_run:
            self.events.show_run(wanted)

    @on(LineView.Selected, "#runs")
    def _run_selected(self) -> None:
        self._draw_steps()

    @on(LineView.Opened, "#runs")
    def _run_opened(self) -> None:
        self.steps.focus()

    @on(LineView.Selected, "#step-tree")
    def _step_selected(self) -> None:
        self.output.show_step(self.steps.selected)

    @on(LineView.Opened, "#step-tree")
    def _step_opened(self) -> None:
        self.add_class("-output")
        self.output.focus()

    def action_toggle_output(self) -> None:
        """Show events or input/output where there is no room for both."""
        self.toggle_class("-output")
        (self.output if self.has_class("-output") else self.events).focus()

    def action_toggle_only_run(self) -> None:
        """Show the events of the selected run only, or of all."""
        run = self.runs.selected
        only = self.events.only_run is None and run is not None
        self.events.show_run(run.run_id if only and run is not None else None)

    def action_yank(self) -> None:
        """Copy the selected step's result or error."""
        step = self.steps.selected
        if step is None:
            self.kimera.flash("Select a step to copy what came out of it.")
            return
        self.app.copy_to_clipboard(yankable(step))
        self.kimera.flash("Copied.")
