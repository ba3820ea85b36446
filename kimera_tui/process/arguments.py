"""What is wrong with an argument, by one function for TaskParams and for the calls that send."""

from __future__ import annotations

import signal as signals
from collections.abc import Callable, Mapping
from typing import TypeGuard

from kimera_tui.errors import UsageError
from kimera_tui.process.callables import callback_problem, func_problem, overtime_problem

ENDLESS = 1e300
"""Seconds that no timer can count."""


def text_problem(value: object) -> str:
    """What is wrong with a name, or an empty string; whether it exists is another question."""
    return "" if isinstance(value, str) else "must be text"


def id_problem(value: object) -> str:
    """What is wrong with a task id, or an empty string; None asks for a new one."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return "must be text or None"
    if not value:
        return "must not be empty: leave it out for a new one"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "must be text that UTF-8 can write"
    return ""


def args_problem(value: object) -> str:
    """What is wrong with positional arguments, or an empty string."""
    return "" if value is None or isinstance(value, list | tuple) else "must be a list"


def kwargs_problem(value: object) -> str:
    """What is wrong with named arguments, or an empty string."""
    if value is None:
        return ""
    if type(value) is not dict and not isinstance(value, Mapping):
        return "must be a dict"
    for key in value:
        if not isinstance(key, str):
            return f"must have text for keys, and {key!r} is none"
    return ""


def timeout_problem(value: object) -> str:
    """What is wrong with a timeout in seconds, or an empty string; None waits without a limit."""
    if value is None:
        return ""
    if not _is_number(value):
        return "must be a number of seconds"
    return "" if 0 < value < ENDLESS else "must be over 0 and finite"


def poll_problem(value: object) -> str:
    """What is wrong with a wait between two polls in seconds, or an empty string."""
    if not _is_number(value):
        return "must be a number of seconds"
    return "" if 0 <= value < ENDLESS else "must not be negative, and must be finite"


def secret_problem(value: object) -> str:
    """What is wrong with the names of secret arguments, or an empty string."""
    return "" if isinstance(value, frozenset | set) else "must be a set of names"


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


PROBLEMS: Mapping[str, Callable[[object], str]] = {
    "friend": text_problem,
    "task_name": text_problem,
    "args": args_problem,
    "kwargs": kwargs_problem,
    "callback": callback_problem,
    "func": func_problem,
    "timeout": timeout_problem,
    "poll_start": poll_problem,
    "max_poll": poll_problem,
    "overtime": overtime_problem,
    "patience": timeout_problem,
    "secret": secret_problem,
}
"""What tells of each argument what is wrong with it; the id is looked at apart, before these."""


def check_revoke(task_id: object, terminate: object, signal: object) -> None:
    """Raise UsageError for an argument of a revoke that no worker can heed."""
    problem = "must be text" if task_id is None else id_problem(task_id)
    if problem:
        raise refused("task_id", problem)
    if not isinstance(terminate, bool):
        raise refused("terminate", "must be True or False")
    known = (
        isinstance(signal, str)
        and f"SIG{signal.removeprefix('SIG')}" in signals.Signals.__members__
    )
    if not known:
        raise refused("signal", "must be the name of a signal, such as SIGTERM")


def refused(name: str, problem: str) -> UsageError:
    """The error for an argument."""
    return UsageError(f"`{name}` {problem}; nothing was sent.")
