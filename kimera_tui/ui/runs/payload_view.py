"""A step's input and output: the call as it went out, then the result or the error."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, ClassVar

from textual.binding import BindingType

from kimera_tui.depth import DEEPEST
from kimera_tui.jsontext import to_json
from kimera_tui.redaction import by_place, redact, redact_text
from kimera_tui.runs.index import RunState
from kimera_tui.runs.masking import hidden_result
from kimera_tui.runs.status import Status
from kimera_tui.runs.step import StepState
from kimera_tui.safetext import PAGE, compact, pretty, safe, trimmed
from kimera_tui.ui.actions import bindings
from kimera_tui.ui.text import clock_time
from kimera_tui.ui.widgets.lines import Line
from kimera_tui.ui.widgets.panes import TextPane

MARGIN = 8192
"""Characters beyond what is shown, so that no secret is cut in two before it is found."""
_HAS_RESULT = (Status.DONE, Status.FINISHED_LATE)


class PayloadView(TextPane):
    """Shows what went into a step and what came out."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("payload")
    empty_text = "Select a step to see what goes in and what comes out."

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._step: StepState | None = None
        self._run: RunState | None = None
        self._page = PAGE
        """Characters of a value that are shown."""
        self.border_title = "Input / Output"

    def show_step(self, step: StepState | None, run: RunState | None) -> None:
        """Show a step of a run; it is formatted again only if its state changed."""
        if step is self._step:  # states are immutable: a change makes another one
            return
        other_step = step is None or self._step is None or step.task_id != self._step.task_id
        self._step, self._run = step, run
        if other_step:
            self._page = PAGE
        self._describe(from_top=other_step)

    def action_more(self) -> None:
        """Show four times as much of a huge value."""
        self._page *= 4
        self._describe(from_top=False)

    def _describe(self, *, from_top: bool) -> None:
        step, run = self._step, self._run
        lines = [] if step is None or run is None else describe_step(step, run, self._page)
        self.show(lines, from_top=from_top)


def describe_step(step: StepState, run: RunState, page: int = PAGE) -> list[Line]:
    """The lines with a step's input, state and output.

    Args:
        step: The step.
        run: Its run, which has the secrets.
        page: The most characters of its result.
    """
    lines: list[Line] = [
        ((" task    ", "dim"), (safe(step.name, 200), "strong")),
        ((" id      ", "dim"), (safe(step.task_id, 80), "")),
        *_values("args", redact(by_place(trimmed(step.args)), step.secret)),
        *_values("kwargs", redact(trimmed(step.kwargs), step.secret)),
    ]
    if step.timeout is not None:
        # Workers know of none.
        held = [(", while the run was here", "dim")] if run.detached else []
        lines.append(((" timeout ", "dim"), (f"{step.timeout:g} s", ""), *held))
    if step.polls:
        lines.append(((" polls   ", "dim"), (str(step.polls), "")))
    lines.append(
        (
            (" state   ", "dim"),
            (step.status.value, ""),
            (f", since {clock_time(step.since)}, {_confirmed(step)}", "dim"),
        )
    )
    if step.cause:
        lines.append(((" why     ", "dim"), (safe(step.cause, 1000), "")))
    if step.children:
        lines.append(_spawned(step))
    if step.status in _HAS_RESULT and not step.error_message:
        lines.append((("", ""),))
        lines.append(((" result", "good"),))
        items = max(2000, page // 32)
        part = hidden_result(trimmed(step.result, items, page + MARGIN), run.secrets)
        lines += [((f"   {line}", ""),) for line in pretty(redact(part), page)]
        if trimmed(step.result, items, page) != step.result:
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


def _confirmed(step: StepState) -> str:
    """Who reported the state, and when it was last confirmed, if that was later."""
    confirmed = step.confirmed_at
    if step.status.ended or confirmed is None or confirmed - step.since < 1:
        return f"reported by {step.source}"
    return f"confirmed {clock_time(confirmed)} by {step.source}"


def _spawned(step: StepState) -> Line:
    tasks = "1 task" if step.children_total == 1 else f"{step.children_total:,} tasks"
    ids = ", ".join(safe(each, 80) for each in step.children)
    more = step.children_total - len(step.children)
    rest = f" and {more:,} more" if more else ""
    return ((" spawned ", "dim"), (f"{tasks} ", ""), (f"{ids}{rest}", "dim"))


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


def yankable(step: StepState, run: RunState, limit: int = 1_000_000) -> str:
    """A step's result or error, without secrets and control characters.

    Args:
        step: The step.
        run: Its run, which knows the secrets.
        limit: The most characters; what is beyond them is not even formatted.
    """
    if step.error_type:
        return safe(redact_text(_error(step)), limit, lines=True)
    part = trimmed(step.result, limit // 2, limit + MARGIN, DEEPEST)
    shown = redact(hidden_result(part, run.secrets))
    return safe(to_json(shown, indent=2, ascii_only=False, other=repr), limit, lines=True)


def text_for_file(step: StepState, run: RunState) -> str:
    """All of a step's result as JSON, or its error; without secrets and control characters."""
    if step.error_type:
        return safe(redact_text(_error(step)), sys.maxsize, lines=True)
    result = redact(hidden_result(step.result, run.secrets))
    return to_json(result, indent=2, other=repr)


def _error(step: StepState) -> str:
    return f"{step.error_type}: {step.error_message}\n{step.traceback}".rstrip()
