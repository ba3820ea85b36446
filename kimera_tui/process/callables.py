"""What is wrong with a callback, told by its kind before anything is sent."""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
from collections.abc import Awaitable, Callable
from types import FunctionType
from typing import Any

Callback = Callable[[Any], Awaitable[Any]]

# Before 3.12 only asyncio's own test recognises an AsyncMock.
_is_coroutine_function = (
    inspect.iscoroutinefunction if sys.version_info >= (3, 12) else asyncio.iscoroutinefunction
)


def is_async_callable(value: object) -> bool:
    """Whether calling the value gives a coroutine."""
    return _is(_is_coroutine_function, value)


def callback_problem(value: object) -> str:
    """What is wrong with an async callable that takes one value, or an empty string."""
    if value is None:
        return ""
    if not inspect.iscoroutine(value) and not is_async_callable(value):
        return "must be an async callable or None"
    return gather_problem(value)


def func_problem(value: object) -> str:
    """What is wrong with a plain callable that takes one value, or an empty string."""
    if value is not None and is_async_callable(value):
        return "must not be async: pass an async callable as `callback`"
    return gather_problem(value)


def gather_problem(value: object) -> str:
    """What is wrong with a callable of either kind that takes one value, or an empty string."""
    if value is None:
        return ""
    if inspect.iscoroutine(value):
        return "is a coroutine: pass the async function itself, without calling it"
    if not callable(value):
        return "must be a callable or None"
    if _is(inspect.isgeneratorfunction, value) or _is(inspect.isasyncgenfunction, value):
        return "must not be a generator function: calling one runs nothing of it"
    return "" if _takes_one(value) else "must take one argument, the result"


def overtime_problem(value: object) -> str:
    """What is wrong with an async callable that takes nothing, or an empty string."""
    return "" if value is None or is_async_callable(value) else "must be an async callable or None"


def _is(kind: Callable[[Any], bool], value: object) -> bool:
    """Whether a function is of a kind, or the method that makes an object callable."""
    while isinstance(value, functools.partial):
        value = value.func
    if type(value) is FunctionType:
        return kind(value)
    return callable(value) and (kind(value) or kind(type(value).__call__))


def _takes_one(value: Callable[..., Any]) -> bool:
    if type(value) is FunctionType:  # most are, and a signature takes ten times as long to read
        code = value.__code__
        if code.co_argcount == 1 and not code.co_kwonlyargcount:
            return True
    try:
        # A decorator's wrapper decides, not what it wraps.
        signature = inspect.signature(value, follow_wrapped=False)
    except (TypeError, ValueError):  # many built-in callables don't tell
        return True
    try:
        signature.bind(None)
    except TypeError:
        return False
    return True
