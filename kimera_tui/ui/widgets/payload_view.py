"""A step's input and output: the call as it went out, then the result or the error."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, ClassVar

from rich.cells import cell_len, chop_cells
from textual.binding import BindingType

from kimera_tui.redaction import redact, redact_text
from kimera_tui.runs.state import StepState
from kimera_tui.runs.status import Status
from kimera_tui.safetext import PAGE, compact, pretty, safe, trimmed
from kimera_tui.ui.actions import bindings
from kimera_tui.ui.text import clock_time
from kimera_tui.ui.widgets.lines import Line, LineView

_HAS_RESULT = (Status.DONE, Status.FINISHED_LATE)


class PayloadView(LineView):
    """Shows what went into a step and what came out."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("payload")
    has_cursor: ClassVar[bool] = False
    empty_text = "Select a step to see what goes in and what comes out."

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._told: list[Line] = []
        self._lines: list[Line] = []
        self._shown: tuple[Any, ...] | None = None
        self._step: StepState | None = None
        self._page = PAGE
        """Characters of a value that are shown."""
        self.border_title = "Input / Output"

    def line_count(self) -> int:
        """How many lines the payload takes."""
        return len(self._lines)

    def line_at(self, index: int) -> Line:
        """One line of it."""
        return self._lines[index]

    def show_step(self, step: StepState | None) -> None:
        """Show a step; nothing is formatted again as long as nothing of it changed."""
        facts = (
            None
            if step is None
            else (step.task_id, step.status, id(step.result), id(step.kwargs), step.cause)
        )
        if facts == self._shown:
            return
        other_step = facts is None or self._shown is None or facts[0] != self._shown[0]
        self._shown, self._step = facts, step
        if other_step:
            self._page = PAGE
        self._tell()
        if other_step:
            self.scroll_home(animate=False)

    def action_more(self) -> None:
        """Show four times as much of a huge value."""
        self._page *= 4
        self._tell()

    def on_resize(self) -> None:
        """Wrap to the new width."""
        self._wrap()

    def _tell(self) -> None:
        self._told = [] if self._step is None else describe_step(self._step, self._page)
        self._wrap()

    def _wrap(self) -> None:
        width = max(20, self.scrollable_content_region.width)
        self._lines = [part for line in self._told for part in wrapped(line, width)]
        self.lines_changed()


def wrapped(line: Line, width: int) -> list[Line]:
    """A line as several that fit; what follows is indented like the line's last text."""
    if sum(cell_len(text) for text, _ in line) <= width or not line:
        return [line]
    *head, (text, style) = line
    bare = text.lstrip(" ")
    indent = sum(cell_len(part) for part, _ in head) + len(text) - len(bare)
    room = width - indent
    if room < 10:
        return [line]
    rows = chop_cells(bare, room)
    lead = text[: len(text) - len(bare)]
    return [(*head, (lead + rows[0], style)), *(((" " * indent + row, style),) for row in rows[1:])]


def describe_step(step: StepState, page: int = PAGE) -> list[Line]:
    """The lines that tell a step's input, state and output.

    Args:
        step: The step.
        page: The most characters of its result.
    """
    lines: list[Line] = [
        ((" task    ", "dim"), (safe(step.name, 200), "strong")),
        ((" id      ", "dim"), (safe(step.task_id, 80), "")),
        *_values("args", {str(n): value for n, value in enumerate(redact(trimmed(step.args)))}),
        *_values("kwargs", redact(trimmed(step.kwargs), step.secret)),
    ]
    if step.timeout is not None:
        lines.append(((" timeout ", "dim"), (f"{step.timeout:g} s", "")))
    if step.polls:
        lines.append(((" polls   ", "dim"), (str(step.polls), "")))
    lines.append(
        (
            (" state   ", "dim"),
            (step.status.value, ""),
            (f", since {clock_time(step.since)}, told by {step.source}", "dim"),
        )
    )
    if step.cause:
        lines.append(((" why     ", "dim"), (safe(step.cause, 1000), "")))
    if step.status in _HAS_RESULT and not step.error_message:
        lines.append((("", ""),))
        lines.append(((" result", "good"),))
        shown = trimmed(step.result, max(2000, page // 32), page)
        lines += [((f"   {line}", ""),) for line in pretty(redact(shown), page)]
        if shown != step.result:
            lines.append(((" more of it: + shows it, s saves all to a file", "dim"),))
    elif step.error_type:
        lines.append((("", ""),))
        lines.append(((f" {safe(step.error_type, 200)}", "bad"),))
        lines += _block(step.error_message, "bad")
        if step.traceback:
            lines.append((("", ""),))
            lines.append(((" remote traceback", "dim"),))
            lines += _block(step.traceback, "")
    return lines


def _shown_result(value: Any) -> list[str]:
    """A text by its own lines, everything else as JSON."""
    if isinstance(value, str) and "\n" in value:
        return safe(value, PAGE, lines=True).split("\n")
    return pretty(value)


def _values(title: str, values: Mapping[str, Any]) -> list[Line]:
    """Arguments, one a line under their title."""
    if not values:
        return [((f" {title:<8}", "dim"), ("none", "dim"))]
    width = min(16, max(len(name) for name in values))
    heads = [f" {title:<8}", *[" " * 9] * (len(values) - 1)]
    return [
        ((head, "dim"), (f"{safe(name, 40):<{width}} ", "key"), (compact(value, 2000), ""))
        for head, (name, value) in zip(heads, values.items(), strict=True)
    ]


def _block(text: str, style: str) -> list[Line]:
    shown = safe(redact_text(text[: 2 * PAGE]), PAGE, lines=True)
    return [((f"   {line}", style),) for line in shown.rstrip("\n").split("\n")]


def yankable(step: StepState, limit: int | None = 1_000_000) -> str:
    """A step's result or error, without secrets and control characters.

    Args:
        step: The step.
        limit: The most characters; None for all.
    """
    most = sys.maxsize if limit is None else limit
    if step.error_type:
        error = f"{step.error_type}: {step.error_message}\n{step.traceback}".rstrip()
        return safe(redact_text(error), most, lines=True)
    return "\n".join(pretty(redact(step.result), most))
