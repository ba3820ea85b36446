"""The runs, newest first: state, steps, age and name of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kimera_tui.runs.index import RunIndex, RunState
from kimera_tui.ui.text import safe, took
from kimera_tui.ui.theme import GLYPHS, STYLES
from kimera_tui.ui.widgets.lines import Span
from kimera_tui.ui.widgets.table import Column, TablePane

Usual = Mapping[str, tuple[float, float]]


class RunsTable(TablePane[RunState]):
    """Lists the runs of an index; the cursor stays on its run when others come and go."""

    empty_text = "No runs yet.\nSend a task from Friends (1), or compose one (2)."

    def __init__(self, **kwargs: object) -> None:
        facts = _Facts()
        columns: Sequence[Column[RunState]] = (
            Column("State", _state, lambda run: run.status.value),
            Column("Steps", _steps, lambda run: run.total, right=True, largest_first=True, rank=2),
            Column("Took", facts.took, facts.seconds, right=True, largest_first=True, rank=1),
            Column("Usually", facts.usually, right=True, rank=4),
            Column("Name", _name, lambda run: run.name.lower(), grows=True, least=30),
            Column("Friends", facts.friends, most=30, rank=3),
        )
        super().__init__(columns, lambda run: run.run_id, **kwargs)
        self._shown_runs: tuple[int, str] = (0, "")
        """How many runs the index had, and which was the newest."""
        self._facts = facts
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
        self._facts.now, self._facts.usual = now, usual
        there = (len(index.runs), next(reversed(index.runs), ""))
        if there == self._shown_runs and not (select or self.faults_only):
            self.refresh_changed()
            return
        self._shown_runs = (-1, "") if self.faults_only else there
        self.notes = ["only faults"] if self.faults_only else []
        runs = [run for run in reversed(index.runs.values()) if run.faulty or not self.faults_only]
        self.show(runs)
        places = (place for place, run in enumerate(self.items) if run.run_id == select)
        if (place := next(places, None)) is not None:
            self.move_cursor(place)


class _Facts:
    """What is known of runs beside their steps: how long they take, and whom they are sent to."""

    def __init__(self) -> None:
        self.now = 0.0
        self.usual: Usual = {}
        self._friends: dict[str, str] = {}
        """By run: they never change, and a run may have many thousand steps."""

    def seconds(self, run: RunState) -> float:
        """Seconds from the start to the end, or until now."""
        return (run.ended or self.now) - run.started

    def took(self, run: RunState) -> Span:
        """The same as a cell; highlighted if it is longer than nearly all such runs."""
        seconds, usual = self.seconds(run), self.usual.get(run.name)
        slow = usual is not None and seconds > usual[1]
        return took(seconds), "warning" if slow else "dim"

    def usually(self, run: RunState) -> Span:
        """How long half and nearly all such runs take, as a cell."""
        usual = self.usual.get(run.name)
        return ("" if usual is None else f"{took(usual[0])} to {took(usual[1])}"), "dim"

    def friends(self, run: RunState) -> Span:
        """The friends that its steps are sent to, as a cell."""
        if run.run_id not in self._friends:
            names = sorted({step.friend for step in run.steps.values()})
            self._friends[run.run_id] = safe(", ".join(names), 80)
        return self._friends[run.run_id], "dim"


def _state(run: RunState) -> Span:
    if run.cancelling is not None:
        return f"{GLYPHS[run.status]} cancelling", "warning"
    return f"{GLYPHS[run.status]} {run.status.short}", STYLES[run.status]


def _steps(run: RunState) -> Span:
    done, of = run.cancelling or (run.done, run.total)
    return f"{done}/{of}", ""


def _name(run: RunState) -> Span:
    detached = " (detached)" if run.detached else ""
    return f"{safe(run.name, 300)}{detached}", "strong"
