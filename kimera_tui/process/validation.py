"""Validates the arguments of a call before anything is sent.

Each ``*_problem`` function returns what is wrong with a value, or an empty string.
"""

from __future__ import annotations

import asyncio
import difflib
import functools
import inspect
import signal as signals
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from types import FunctionType
from typing import Any, TypeGuard

from kimera_tui.errors import UsageError

ENDLESS = 1e300
"""Seconds beyond what any timer can count."""
_SEND_ASYNC_ONLY = frozenset({"callback", "func", "overtime", "patience", "secret"})
_OWN = frozenset({"task_id", "timeout", "callback", "func", "poll_start", "max_poll"})
"""Arguments that are not options: a name similar to one of these is a typo."""
_DECIDED_BY_ENGINE = frozenset(
    {
        "name", "producer", "publisher", "connection", "router", "result_cls", "add_to_parent",
        "retry", "retry_policy", "confirm_timeout",
    }
)  # fmt: skip
"""Other arguments of ``send_task``, which the engine sets by itself."""
_UNCHECKED = frozenset(
    {
        "exchange", "routing_key", "exchange_type", "delivery_mode", "mandatory", "immediate",
        "declare", "expiration", "reply_to", "correlation_id", "content_type", "content_encoding",
        "message_id", "timestamp", "type", "user_id", "app_id", "cluster_id", "link", "link_error",
        "group_id", "group_index", "root_id", "parent_id", "chain", "chord", "retries",
        "task_type", "route_name", "replaced_task_nesting", "stamped_headers", "argsrepr",
        "kwargsrepr",
    }
)  # fmt: skip
"""Options whose values Celery checks."""
_EARLIEST, _LATEST = -(2**31), 10**11
"""Seconds from now: the least that Celery takes, and the most that a date can hold."""
_SIMILAR = 0.85
"""From this similarity on, of 1, an unknown name is a typo of a known one."""

# Before 3.12 only asyncio's own test recognises an AsyncMock.
_is_coroutine_function = (
    inspect.iscoroutinefunction if sys.version_info >= (3, 12) else asyncio.iscoroutinefunction
)


def refused(name: str, problem: str) -> UsageError:
    """The error for an argument."""
    return UsageError(f"`{name}` {problem}; nothing was sent.")


def check_revoke(task_id: object, terminate: object, signal: object) -> None:
    """Raise UsageError for a wrong argument of a revoke."""
    problem = "must be text" if task_id is None else id_problem(task_id)
    if problem:
        raise refused("task_id", problem)
    if problem := flag_problem(terminate):
        raise refused("terminate", problem)
    known = (
        isinstance(signal, str)
        and f"SIG{signal.removeprefix('SIG')}" in signals.Signals.__members__
    )
    if not known:
        raise refused("signal", "must be the name of a signal, such as SIGTERM")


def check_options(options: Mapping[str, Any]) -> None:
    """Raise UsageError for an option that cannot be used.

    Unknown names become message properties, as with ``apply_async``: some brokers have their own.
    """
    stamps = options.get("stamped_headers") or ()
    for name, value in options.items():
        if name in _DECIDED_BY_ENGINE:
            raise refused(name, "is not supported: Kimera publishes by itself")
        if name in _SEND_ASYNC_ONLY:
            raise refused(name, "is for `send_async`")
        if name in _OPTIONS:
            if value is not None and (problem := _OPTIONS[name](value)):
                raise refused(name, problem)
        elif name not in _UNCHECKED and name not in stamps:
            _check_typo(name)
    if options.get("countdown") is not None and options.get("eta") is not None:
        raise refused("eta", "must not be given together with `countdown`")


def _check_typo(name: str) -> None:
    known = [*_OPTIONS, *_UNCHECKED, *_OWN]
    if meant := difflib.get_close_matches(name, known, n=1, cutoff=_SIMILAR):
        raise UsageError(f"`{name}` is not an option; did you mean `{meant[0]}`? Nothing was sent.")


def text_problem(value: object) -> str:
    """For a name; whether it exists is checked elsewhere."""
    return "" if isinstance(value, str) else "must be text"


def id_problem(value: object) -> str:
    """For a task id; None requests a new one."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return "must be text or None"
    if not value:
        return "must not be empty: leave it out for a new one"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "must be valid UTF-8 text"
    return ""


def args_problem(value: object) -> str:
    """For positional arguments."""
    return "" if value is None or isinstance(value, list | tuple) else "must be a list"


def kwargs_problem(value: object) -> str:
    """For named arguments."""
    if value is None:
        return ""
    if type(value) is not dict and not isinstance(value, Mapping):
        return "must be a dict"
    for key in value:
        if not isinstance(key, str):
            return f"must have text keys, not {key!r}"
    return ""


def timeout_problem(value: object) -> str:
    """For a timeout in seconds; None waits without a limit."""
    if value is None:
        return ""
    if not _is_number(value):
        return "must be a number of seconds"
    return "" if 0 < value < ENDLESS else "must be greater than 0 and finite"


def poll_problem(value: object) -> str:
    """For the seconds between two polls."""
    if not _is_number(value):
        return "must be a number of seconds"
    return "" if 0 <= value < ENDLESS else "must be 0 or greater, and finite"


def secret_problem(value: object) -> str:
    """For the names of secret arguments."""
    return "" if isinstance(value, frozenset | set) else "must be a set of names"


def flag_problem(value: object) -> str:
    """For a switch."""
    return "" if isinstance(value, bool) else "must be True or False"


def callback_problem(value: object) -> str:
    """For an async callable that takes one value."""
    if value is None:
        return ""
    if not inspect.iscoroutine(value) and not is_async_callable(value):
        return "must be an async callable or None"
    return gather_problem(value)


def func_problem(value: object) -> str:
    """For a plain callable that takes one value."""
    if value is not None and is_async_callable(value):
        return "must not be async: pass an async callable as `callback`"
    return gather_problem(value)


def gather_problem(value: object) -> str:
    """For a plain or async callable that takes one value."""
    if value is None:
        return ""
    if inspect.iscoroutine(value):
        return "is a coroutine: pass the async function itself, without calling it"
    if not callable(value):
        return "must be a callable or None"
    if _is(inspect.isgeneratorfunction, value) or _is(inspect.isasyncgenfunction, value):
        return "must not be a generator function: calling it would run nothing"
    return "" if _takes_one(value) else "must take one argument, the result"


def overtime_problem(value: object) -> str:
    """For an async callable without arguments."""
    return "" if value is None or is_async_callable(value) else "must be an async callable or None"


def is_async_callable(value: object) -> bool:
    """Whether calling the value returns a coroutine."""
    return _is(_is_coroutine_function, value)


def _queue_problem(value: object) -> str:
    if isinstance(value, str):
        return "" if value else "must not be empty"
    return "" if hasattr(value, "exchange") else "must be text"  # or kombu's Queue


def _countdown_problem(value: object) -> str:
    if not _is_number(value):
        return "must be a number of seconds"
    return "" if _EARLIEST <= value <= _LATEST else "is out of range"


def _eta_problem(value: object) -> str:
    if isinstance(value, str):
        try:
            datetime.fromisoformat(value)
        except ValueError:
            return f"must be an ISO 8601 time, not {value!r}"
        return ""
    return "" if isinstance(value, datetime) else "must be a datetime"


def _expires_problem(value: object) -> str:
    if isinstance(value, int | float):
        return _countdown_problem(value)
    return _eta_problem(value) and "must be a number of seconds or a datetime"


def _priority_problem(value: object) -> str:
    valid = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255
    return "" if valid else "must be an integer from 0 to 255"


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is(kind: Callable[[Any], bool], value: object) -> bool:
    """Whether a function, or the method that makes an object callable, is of a kind."""
    while isinstance(value, functools.partial):
        value = value.func
    if type(value) is FunctionType:
        return kind(value)
    return callable(value) and (kind(value) or kind(type(value).__call__))


def _takes_one(value: Callable[..., Any]) -> bool:
    if type(value) is FunctionType:  # the usual case; reading a signature takes ten times as long
        code = value.__code__
        if code.co_argcount == 1 and not code.co_kwonlyargcount:
            return True
    try:
        # The decorator's wrapper counts, not the function it wraps.
        signature = inspect.signature(value, follow_wrapped=False)
    except (TypeError, ValueError):  # many built-in callables have none
        return True
    try:
        signature.bind(None)
    except TypeError:
        return False
    return True


ARGUMENTS: Mapping[str, Callable[[object], str]] = {
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
"""The check of each argument; the task id is checked before these."""
_OPTIONS: Mapping[str, Callable[[object], str]] = {
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
    "ignore_result": flag_problem,
}
