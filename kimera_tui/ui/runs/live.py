"""Mode 3: the runs of this console, and the events of the engine as they happen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual.binding import BindingType

from kimera_tui.ui.actions import bindings
from kimera_tui.ui.compose.forms import FormWindow
from kimera_tui.ui.kimera import Command, Kimera
from kimera_tui.ui.runs.event_pane import EventPane
from kimera_tui.ui.runs.live_actions import LiveActions
from kimera_tui.ui.runs.run_screen import RunScreen
from kimera_tui.ui.widgets.field import Field


class LiveScreen(RunScreen):
    """Watches the runs of this console."""

    SCOPE: ClassVar[str] = "live"
    SCOPES: ClassVar[tuple[str, ...]] = ("live", "runs")
    BINDINGS: ClassVar[list[BindingType]] = bindings("live")

    @property
    def commands(self) -> Mapping[str, Command]:
        """The actions by their names."""
        return {
            **super().commands,
            **LiveActions(self.kimera, self.kimera.acts, self).commands,
            "filter": lambda _: _filter(self.kimera, self.events),
        }

    def draw(self) -> None:
        """Draw everything from the run index."""
        super().draw()
        self.events.add(self.kimera.state.take_backlog())
        self._draw_runs()

    def news(self) -> None:
        """Draw what changed."""
        super().news()
        self.events.add(self.kimera.state.take_backlog())
        self._draw_runs()

    def _draw_runs(self) -> None:
        now = self.kimera.services.clock.now()
        state = self.kimera.state
        self.runs.show_index(state.run_index, now, state.usual_runs, state.take_wanted_run())
        self.draw_steps()

    def draw_steps(self) -> None:
        """Draw the selected run; only its events, if the pane shows those of one run."""
        super().draw_steps()
        if (run := self.shown_run) is not None:
            self.kimera.state.selection.run_id = run.run_id
        wanted = run.run_id if run is not None and self.events.filter.run_id is not None else None
        if wanted != self.events.filter.run_id:
            self.events.show_only(run_id=wanted)

    def action_toggle_only_run(self) -> None:
        """Show the events of the selected run only, or of all."""
        run = self.shown_run
        only = self.events.filter.run_id is None and run is not None
        self.events.show_only(run_id=run.run_id if only and run is not None else None)

    def action_faults(self) -> None:
        """Show only runs and events with faults, or all again."""
        self.runs.faults_only = not self.runs.faults_only
        self.events.show_only(faults=self.runs.faults_only)
        self._draw_runs()

    def action_follow(self) -> None:
        """Go to the newest run, and follow its events."""
        self.runs.action_edge(False)
        self.events.action_edge(True)
        self.runs.focus()


async def _filter(kimera: Kimera, events: EventPane) -> None:
    """Ask for words, and show only the events that have them all."""
    field = Field("words", str.strip, events.filter.words, "empty shows all")
    form: FormWindow[str] = FormWindow(
        "Filter events", [("", {"words": field})], lambda values: values["words"], act="Filter"
    )
    words = await kimera.ask(form)
    if words is not None:
        events.show_only(words=words.lower())
