"""The runs, newest first: state, steps, age and name of each."""

from __future__ import annotations

from collections.abc import Mapping

from kimera_tui.runs.index import RunIndex, RunState
from kimera_tui.ui.text import safe, took
from kimera_tui.ui.theme import GLYPHS, STYLES
from kimera_tui.ui.widgets.lines import Line
from kimera_tui.ui.widgets.panes import ListPane

ROOMY = 70
"""Cells that leave room for a column with the usual duration."""
STATE = 13
"""Cells of a state; more where one of those listed is longer."""
Usual = Mapping[str, tuple[float, float]]


class RunsTable(ListPane[RunState]):
    """Lists the runs of an index; the cursor stays on its run when others come and go."""

    empty_text = "No runs yet.\nSend a task from Friends (1), or compose one (2)."

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._shown: tuple[int, str] = (0, "")
        """How many runs the index had, and which was the newest."""
        self._now = 0.0
        self._wide = STATE
        self._usual: Usual = {}
        self.faults_only = False
        """Whether only runs with faults are shown."""
        self.border_title = "Runs"

    def show_index(
        self, index: RunIndex, now: float, usual: Usual, select: str | None = None
    ) -> None:
        """Show the runs of an index at a moment.

        Args:
            index: The runs.
            now: The moment, in seconds since the epoch.
            usual: Median and 95th percentile of runs, in seconds, by name.
            select: The run to put the cursor on; None keeps it where it is.
        """
        self._now, self._usual = now, usual
        self._wide = max([STATE, *(len(run.status.short) + 1 for run in index.runs.values())])
        self.border_subtitle = "only faults" if self.faults_only else None
        there = (len(index.runs), next(reversed(index.runs), ""))
        if there == self._shown and not (select or self.faults_only):
            self.refresh_changed()
            return
        self._shown = (-1, "") if self.faults_only else there
        keep = select or (self.selected.run_id if self.selected else None)
        runs = [run for run in reversed(index.runs.values()) if run.faulty or not self.faults_only]
        self.show(runs)
        for place, run in enumerate(runs):
            if run.run_id == keep:
                self.move_cursor(place)
                break

    def line_of(self, item: RunState) -> Line:
        """State, steps, age and name of a run."""
        run = item
        status, style = run.status, STYLES[run.status]
        state, done, of = status.short, run.done, run.total
        if (cancelling := run.cancelling) is not None:
            state, style, (done, of) = "cancelling", "warning", cancelling
        steps = f"{done}/{of}"
        seconds = (run.ended or self._now) - run.started
        usual = self._usual.get(run.name)
        slow = usual is not None and seconds > usual[1]
        return (
            (f" {GLYPHS[status]} {state:<{self._wide}}", style),
            (f"{steps:>7} ", ""),
            (f"{took(seconds):>6}  ", "warning" if slow else "dim"),
            *self._usual_spans(usual),
            (safe(run.name, 300), "strong"),
            ("  detached" if run.detached else "", "key"),
            (f"  {self._friends(run)}" if self.size.width >= ROOMY else "", "dim"),
        )

    def _usual_spans(self, usual: tuple[float, float] | None) -> Line:
        """How long half and nearly all such runs take, where there is room."""
        if self.size.width < ROOMY:
            return ()
        words = "" if usual is None else f"{took(usual[0])} to {took(usual[1])}"
        return ((f"{words:>14}  ", "dim"),)

    @staticmethod
    def _friends(run: RunState) -> str:
        names = sorted({step.friend for step in run.steps.values()})
        return safe(", ".join(names), 80)
