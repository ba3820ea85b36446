"""The timeline of a run: a bar for each step, split into waiting, queued and running."""

from __future__ import annotations

from collections.abc import Mapping

from kimera_tui.runs.index import RunState
from kimera_tui.runs.status import Status
from kimera_tui.runs.step import StepState
from kimera_tui.ui.selection import Selection
from kimera_tui.ui.text import safe, took
from kimera_tui.ui.theme import GLYPHS, STYLES
from kimera_tui.ui.widgets.lines import Line
from kimera_tui.ui.widgets.panes import ListPane

NAME = 20
"""Cells for a step's name."""
TIME = 8
"""Cells for its duration."""

Usual = Mapping[str, tuple[float, float]]
"""Usual running time of a task by ``friend.task``: median and 95th percentile, in seconds."""


class Timeline(ListPane[str]):
    """Shows when each step of a run waited, queued and ran; an item is the path of a step.

    Args:
        selection: Holds which step is selected.
    """

    empty_text = "Select a run to see its timeline."

    def __init__(self, selection: Selection, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._selection = selection
        self.run: RunState | None = None
        """The run that is shown."""
        self._places: dict[str, int] = {}
        self._now = self._end = 0.0
        self._usual: Usual = {}
        self.border_title = "Timeline · ░ queued  █ running  │ usual, slow"

    def show_run(self, run: RunState | None, now: float, usual: Usual) -> None:
        """Show a run at a moment, with the usual times of its tasks and its selected step."""
        old_position = (self.run and self.run.run_id, self.cursor)
        if run is not self.run:
            self.items = list(run.steps) if run is not None else []
            self._places = {path: place for place, path in enumerate(self.items)}
        self.run, self._now, self._usual = run, now, usual
        self._end = max([now, *self._expected_ends(run)]) if run is not None else now
        self.show(self.items, 0 if run is None else self._line_of(self._selection.path_in(run)))
        if old_position != (run and run.run_id, self.cursor):
            self.show_cursor()

    def move_cursor(self, index: int) -> None:
        """Select the step on a line."""
        if self.run is not None and self.items:
            index = max(0, min(index, len(self.items) - 1))
            self._selection.choose(self.run, self.items[index])
        super().move_cursor(index)

    def _line_of(self, path: str) -> int:
        """The line of a step; of a chain or para, that of its first step."""
        if path in self._places:
            return self._places[path]
        below = f"{path}/" if path else ""
        return next((n for n, each in enumerate(self.items) if each.startswith(below)), 0)

    def _expected_ends(self, run: RunState) -> list[float]:
        """When the running steps end at the latest, if they take the usual time."""
        if run.ended is not None or not self._usual:
            return []
        return [
            step.started_at + self._usual[step.name][1]
            for step in run.steps.values()
            if step.started_at is not None and step.ended_at is None and step.name in self._usual
        ]

    @property
    def selected_step(self) -> StepState | None:
        """The step under the cursor."""
        return None if self.run is None else self.run.steps.get(self.selected or "")

    def line_of(self, item: str) -> Line:
        """A step's name, bar and duration."""
        if self.run is None:
            return []
        step, run = self.run.steps[item], self.run
        cells = max(10, self.size.width - NAME - TIME - 6)
        span = max((run.ended or self._end) - run.started, 0.001)
        scale = Scale(run.started, span, cells)
        name = safe(step.id or step.task_name, 80)
        return [
            (f" {GLYPHS[step.status]} ", STYLES[step.status]),
            (f"{name[:NAME]:<{NAME}} ", "strong"),
            *bar(step, scale, self._now, self._usual.get(step.name)),
            (f" {_duration(step, self._now):>{TIME}}", "dim"),
        ]


class Scale:
    """Moments of a run as cells of its bars."""

    def __init__(self, start: float, span: float, cells: int) -> None:
        self._start = start
        self._span = span
        self.cells = cells

    def cell(self, at: float) -> int:
        """The cell of a moment, within the bar."""
        return max(0, min(self.cells, round((at - self._start) / self._span * self.cells)))


def bar(
    step: StepState, scale: Scale, now: float, usual: tuple[float, float] | None
) -> list[tuple[str, str]]:
    """A step's bar: blank while it waits, light while it is queued, full while it runs."""
    if not step.was_sent:
        return [("·" * scale.cells, "dim")]
    end = scale.cell(step.ended_at or now)
    sent = scale.cell(step.sent_at) if step.sent_at is not None else end
    started_at = step.started_at or (step.ended_at if step.status is Status.DONE else None)
    start = scale.cell(started_at) if started_at is not None else end
    # Even the shortest step gets a cell.
    run = max(end - start, 1 if started_at is not None else 0)
    queued = max(start - sent, 0 if run else 1)
    used = min(sent + queued + run, scale.cells)
    lead = max(0, used - queued - run)
    spans = [
        (" " * lead, ""),
        ("░" * queued, "queued"),
        ("█" * run, _style(step, now, usual)),
        (" " * (scale.cells - used), ""),
    ]
    if usual is None or started_at is None:
        return spans
    return marked(spans, [scale.cell(started_at + seconds) for seconds in usual])


def marked(spans: list[tuple[str, str]], cells: list[int]) -> list[tuple[str, str]]:
    """The bar with a mark in some cells that it has not reached yet."""
    chars = [(character, style) for text, style in spans for character in text]
    for cell in cells:
        if cell < len(chars) and chars[cell][0] == " ":
            chars[cell] = ("│", "warning")
    merged: list[tuple[str, str]] = []
    for character, style in chars:
        if merged and merged[-1][1] == style:
            merged[-1] = (merged[-1][0] + character, style)
        else:
            merged.append((character, style))
    return merged


def _style(step: StepState, now: float, usual: tuple[float, float] | None) -> str:
    """The colour of a bar; it changes when the step takes longer than 95 of 100 did."""
    style = STYLES[step.status]
    if usual is not None and not step.status.ended and step.started_at is not None:
        return "warning" if now - step.started_at > usual[1] else style
    return style


def _duration(step: StepState, now: float) -> str:
    if step.sent_at is None:
        return "–"
    return took((step.ended_at or now) - (step.started_at or step.sent_at))
