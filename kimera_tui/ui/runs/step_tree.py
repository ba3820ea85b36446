"""The steps of a run as a tree: all of them from the start, each with its state."""

from __future__ import annotations

from kimera_tui.runs.index import RunState
from kimera_tui.runs.plan import Node
from kimera_tui.runs.status import Status
from kimera_tui.runs.step import StepState
from kimera_tui.ui.selection import Selection
from kimera_tui.ui.text import safe, took
from kimera_tui.ui.theme import GLYPHS, STYLES
from kimera_tui.ui.widgets.lines import Line
from kimera_tui.ui.widgets.panes import ListPane

BAR = 10
"""Cells of a progress bar."""


class StepTree(ListPane[tuple[int, Node]]):
    """Shows one run's plan with the state of each step; an item is a node with its depth.

    Args:
        selection: Holds which step is selected.
    """

    empty_text = "Select a run to see its steps."

    def __init__(self, selection: Selection, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._selection = selection
        self.run: RunState | None = None
        """The run that is shown."""
        self._places: dict[str, int] = {}
        """Rows by the paths of their nodes."""
        self._now = 0.0
        self.border_title = "Steps"

    def show_run(self, run: RunState | None, now: float) -> None:
        """Show a run at a moment, with the cursor on its selected step."""
        old_position, self._now = (self.run and self.run.run_id, self.cursor), now
        changed = run is not self.run
        if changed:
            self.run = run
            self.items = list(run.plan.walk()) if run is not None else []
            self._places = {node.path: row for row, (_, node) in enumerate(self.items)}
        cursor = 0 if run is None else self._places.get(self._selection.path_in(run), 0)
        if changed or cursor != self.cursor:
            self.show(self.items, cursor)
        else:
            self.refresh_changed()
        if old_position != (
            run and run.run_id,
            self.cursor,
        ):  # else the operator may have scrolled away
            self.show_cursor()

    def move_cursor(self, index: int) -> None:
        """Select the node on a line."""
        if self.run is not None:
            index = max(0, min(index, len(self.items) - 1))
            self._selection.choose(self.run, self.items[index][1].path)
        super().move_cursor(index)

    def to_next_failure(self) -> bool:
        """Put the cursor on the next failed step, from the top again after the last."""
        steps = self.run.steps if self.run is not None else {}
        bad = [
            index
            for index, (_, node) in enumerate(self.items)
            if node.path in steps and steps[node.path].status.bad
        ]
        if not bad:
            return False
        self.move_cursor(next((index for index in bad if index > self.cursor), bad[0]))
        return True

    @property
    def selected_step(self) -> StepState | None:
        """The step under the cursor; None on a chain's or para's own line."""
        if self.run is None or self.selected is None:
            return None
        return self.run.steps.get(self.selected[1].path)

    def line_of(self, item: tuple[int, Node]) -> Line:
        """A node: its place in the tree, name, state and cause."""
        depth, node = item
        indent = " " + "  " * depth
        role = (f"{node.role}: " if node.role else "", "key")
        if node.task is None:
            word = "one after the other" if node.kind == "chain" else "all at once"
            name = f"{node.id}  " if node.id and node.id != node.kind else ""
            return ((indent, ""), role, (f"{node.kind} ", "key"), (name, "strong"), (word, "dim"))
        step = self.run.steps[node.path] if self.run is not None else None
        return [] if step is None else [(indent, ""), role, *step_line(step, self._now)]


def step_line(step: StepState, now: float) -> Line:
    """A step's glyph, name, state, time and cause."""
    style = STYLES[step.status]
    spans = [(f"{GLYPHS[step.status]} ", style)]
    if step.id and step.id != step.task_name:
        spans.append((f"{step.id}  ", "strong"))
    spans.append((f"{safe(step.name, 80)}  ", "strong" if len(spans) == 1 else ""))
    if step.attempt > 1:
        spans.append((f"try {step.attempt}  ", "warning"))
    spans.append((step.status.value, style))
    if step.status is Status.PROGRESS and step.progress is not None:
        done, total = step.progress
        filled = round(BAR * min(1.0, max(0.0, done / total)))
        bar = "━" * filled + "─" * (BAR - filled)
        spans.append((f" {bar} {done:g}/{total:g}", style))
    if step.sent_at is not None:
        spans.append((f"  {took((step.ended_at or now) - step.sent_at)}", "dim"))
    if step.cause:
        spans.append((f"  {safe(step.cause, 300)}", "dim"))
    return spans
