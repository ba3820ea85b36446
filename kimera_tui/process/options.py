"""What is wrong with the options of a call, which go by the names of Celery's ``apply_async``."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from kimera_tui.errors import UsageError
from kimera_tui.process.arguments import kwargs_problem, refused, text_problem, timeout_problem

_OWN = frozenset({"task_id", "timeout", "callback", "func", "poll_start", "max_poll"})
"""Arguments that are no options: a name like one of these is a misspelling."""
_ENGINES = frozenset(
    {
        "name", "producer", "publisher", "connection", "router", "result_cls", "add_to_parent",
        "retry", "retry_policy", "confirm_timeout",
    }
)  # fmt: skip
"""What ``send_task`` takes besides and the engine decides by itself."""
_FREE = frozenset(
    {
        "exchange", "routing_key", "exchange_type", "delivery_mode", "mandatory", "immediate",
        "declare", "expiration", "reply_to", "correlation_id", "content_type", "content_encoding",
        "message_id", "timestamp", "type", "user_id", "app_id", "cluster_id", "link", "link_error",
        "group_id", "group_index", "root_id", "parent_id", "chain", "chord", "retries",
        "task_type", "route_name", "replaced_task_nesting", "stamped_headers", "argsrepr",
        "kwargsrepr",
    }
)  # fmt: skip
"""Options whose values are Celery's business."""
_EARLIEST, _LATEST = -(2**31), 10**11
"""Seconds from now: what Celery takes at least, and what a date can hold at most."""
_ALIKE = 0.85
"""From this likeness on, of 1, an unknown name is a misspelling of a known one."""


def check_options(options: Mapping[str, Any]) -> None:
    """Raise UsageError for an option that can't be heeded.

    Names that nobody knows go into the message's properties, as with ``apply_async``; some brokers
    have such of their own.
    """
    stamps = options.get("stamped_headers") or ()
    for name, value in options.items():
        if name in _ENGINES:
            raise refused(name, "is no option here: Kimera publishes by itself")
        if name in ("callback", "func", "overtime", "secret"):
            raise refused(name, "is for `send_async`")
        if name in _PROBLEMS:
            if value is not None and (problem := _PROBLEMS[name](value)):
                raise refused(name, problem)
        elif name not in _FREE and name not in stamps:
            _check_unknown(name)
    if options.get("countdown") is not None and options.get("eta") is not None:
        raise refused("eta", "must not be given together with `countdown`")


def _check_unknown(name: str) -> None:
    known = [*_PROBLEMS, *_FREE, *_OWN]
    if meant := difflib.get_close_matches(name, known, n=1, cutoff=_ALIKE):
        raise UsageError(f"`{name}` is no option; did you mean `{meant[0]}`? Nothing was sent.")


def _queue_problem(value: object) -> str:
    if isinstance(value, str):
        return "" if value else "must not be empty"
    return "" if hasattr(value, "exchange") else "must be text"  # or kombu's Queue


def _countdown_problem(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "must be a number of seconds"
    return "" if _EARLIEST <= value <= _LATEST else "is out of range"


def _eta_problem(value: object) -> str:
    if isinstance(value, str):
        try:
            datetime.fromisoformat(value)
        except ValueError:
            return f"must be a time, and {value!r} is none"
        return ""
    return "" if isinstance(value, datetime) else "must be a datetime"


def _expires_problem(value: object) -> str:
    if isinstance(value, int | float):
        return _countdown_problem(value)
    return _eta_problem(value) and "must be a number of seconds or a datetime"


def _priority_problem(value: object) -> str:
    right = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255
    return "" if right else "must be a whole number from 0 to 255"


def _flag_problem(value: object) -> str:
    return "" if isinstance(value, bool) else "must be True or False"


_PROBLEMS: Mapping[str, Callable[[object], str]] = {
    "queue": _queue_problem,
    "countdown": _countdown_problem,
    "eta": _eta_problem,
    "expires": _expires_problem,
    "priority": _priority_problem,
    "headers": kwargs_problem,
    "time_limit": timeout_problem,
    "soft_time_limit": timeout_problem,
    "serializer": text_problem,
    "compression": text_problem,
    "shadow": text_problem,
    "ignore_result": _flag_problem,
}
