"""What Live and History share: a list of runs, and all about the selected one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual import getters, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container

from kimera_tui.runs.index import RunState
from kimera_tui.runs.step import StepState
from kimera_tui.ui.actions import bindings
from kimera_tui.ui.kimera import Command
from kimera_tui.ui.mode_screen import ModeScreen
from kimera_tui.ui.runs.event_pane import EventPane
from kimera_tui.ui.runs.payload_view import PayloadView
from kimera_tui.ui.runs.runs_table import RunsTable
from kimera_tui.ui.runs.selection_actions import SelectionActions
from kimera_tui.ui.runs.step_tree import StepTree
from kimera_tui.ui.runs.timeline import Timeline
from kimera_tui.ui.widgets.lines import LineView


class RunScreen(ModeScreen):
    """Shows runs: the list and the steps above, the events and input and output below."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("runs")
    AUTO_FOCUS: ClassVar[str | None] = "RunsTable"

    runs = getters.query_one(RunsTable)
    steps = getters.query_one(StepTree)
    timeline = getters.query_one(Timeline)
    events = getters.query_one(EventPane)
    output = getters.query_one(PayloadView)

    @property
    def commands(self) -> Mapping[str, Command]:
        """The actions by their names."""
        return SelectionActions(self.kimera, self.kimera.acts, self).commands

    def compose_content(self) -> ComposeResult:
        """The four panes; the timeline takes the place of the steps."""
        with Container(id="run-screen"):
            with Container(id="upper"):
                yield from self.compose_list()
                yield StepTree(self.kimera.state.selection, id="step-tree")
                yield Timeline(self.kimera.state.selection, id="timeline")
            with Container(id="lower"):
                yield EventPane(id="events")
                yield PayloadView(id="output")

    def compose_list(self) -> ComposeResult:
        """The list of runs, with what belongs to it."""
        yield RunsTable(id="runs")

    @property
    def shown_run(self) -> RunState | None:
        """The run whose steps are shown."""
        return self.runs.selected

    @property
    def shown_step(self) -> StepState | None:
        """The selected step of that run, in the visible pane."""
        view = self.timeline if self.has_class("-timeline") else self.steps
        return view.selected_step if view.run is self.shown_run else None

    async def selected_run(self) -> RunState | None:
        """The run under the cursor, once it is shown; None if there is none."""
        return self.shown_run

    def draw_steps(self) -> None:
        """Draw the selected run."""
        run, now = self.shown_run, self.kimera.services.clock.now()
        self.steps.show_run(run, now)
        if self.has_class("-timeline"):
            self.timeline.show_run(run, now, self.kimera.state.usual)
        self.output.show_step(self.shown_step, self.shown_run)

    @on(LineView.Selected, "RunsTable, HistoryTable")
    def _run_selected(self) -> None:
        self.select_run()

    def select_run(self) -> None:
        """Show the run under the cursor."""
        self.draw_steps()

    @on(LineView.Opened, "RunsTable, HistoryTable")
    def _run_opened(self) -> None:
        self.focus_steps()

    def focus_steps(self) -> None:
        """Go to the steps of the shown run."""
        (self.timeline if self.has_class("-timeline") else self.steps).focus()

    @on(LineView.Selected, "StepTree, Timeline")
    def _step_selected(self) -> None:
        self.output.show_step(self.shown_step, self.shown_run)

    @on(LineView.Opened, "StepTree, Timeline")
    def _step_opened(self) -> None:
        self.add_class("-output")
        self.output.focus()

    def action_toggle_timeline(self) -> None:
        """Switch between the timeline and the steps."""
        focused = self.steps.has_focus or self.timeline.has_focus
        self.toggle_class("-timeline")
        self.draw_steps()
        if focused:
            self.focus_steps()

    def action_toggle_output(self) -> None:
        """Switch between events and input and output, where both do not fit."""
        self.toggle_class("-output")
        (self.output if self.has_class("-output") else self.events).focus()

    def action_next_failure(self) -> None:
        """Put the cursor on the next failed step."""
        if not self.steps.to_next_failure():
            self.kimera.flash("No step of this run failed.")
        self.draw_steps()
