"""One call as its caller passed it, validated before anything is sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from kimera_tui.errors import UsageError
from kimera_tui.process.validation import ARGUMENTS, check_options, refused

Callback = Callable[[Any], Awaitable[Any]]
"""Awaited with a task's result."""
Overtime = Callable[[], Awaitable[float]]
"""Called when a timeout is over; returns how many seconds to wait longer, 0 to stop waiting."""

POLL_START, MAX_POLL = 0.1, 1.0
"""Seconds before the first poll, and the longest wait between two."""


@dataclass(slots=True)
class Call:
    """A task to send, and what to do when it ends; see ``TaskManager.send_async``."""

    task_name: str
    friend: str
    task_id: str
    args: Sequence[Any] | None = None
    kwargs: Mapping[str, Any] | None = None
    callback: Callback | None = None
    func: Callable[[Any], Any] | None = None
    poll_start: float = POLL_START
    max_poll: float = MAX_POLL
    timeout: float | None = None
    overtime: Overtime | None = None
    patience: float | None = None
    secret: frozenset[str] = frozenset()
    options: Mapping[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """Raise UsageError for the first wrong argument, naming it."""
        for name, problem_with, default in _CHECKS:
            value = getattr(self, name)
            if value is not default and (problem := problem_with(value)):
                raise refused(name, problem)
        if not self.task_name:
            raise UsageError("The task name is empty.")
        if self.options:
            check_options(self.options)


_DEFAULTS = {each.name: each.default for each in fields(Call)}
_CHECKS = tuple((name, problem_with, _DEFAULTS[name]) for name, problem_with in ARGUMENTS.items())
"""Name, check and default of each argument; defaults need no check."""
