"""TaskParams: one task invocation, validated when it is made."""

from __future__ import annotations

import asyncio
import inspect
import math
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, StrictStr, field_validator

from kimera_tui.errors import UsageError

Callback = Callable[[Any], Awaitable[Any]]

# Before 3.12 only asyncio's own test recognises an AsyncMock.
_is_coroutine_function = (
    inspect.iscoroutinefunction if sys.version_info >= (3, 12) else asyncio.iscoroutinefunction
)


def is_async_callable(value: object) -> bool:
    """Whether calling the value gives a coroutine."""
    return callable(value) and (
        _is_coroutine_function(value) or inspect.iscoroutinefunction(type(value).__call__)
    )


def timeout_problem(value: object) -> str:
    """What is wrong with a time-out in seconds, or an empty string."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "must be a number of seconds"
    return "" if math.isfinite(value) and value > 0 else "must be a time over 0"


def check_timeout(value: float | None) -> None:
    """Raise UsageError unless the value is None or a number of seconds over 0."""
    if value is not None and (problem := timeout_problem(value)):
        raise UsageError(f"timeout {problem}.")


class _Checked(BaseModel):
    """What the fields must be."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    friend: StrictStr
    task_name: StrictStr
    callback: Any = None
    args: Any = None
    kwargs: Any = None
    timeout: Any = 30

    @field_validator("callback")
    @classmethod
    def _callback(cls, value: object) -> object:
        if value is not None and not is_async_callable(value):
            raise ValueError("must be an async callable or None")
        return value

    @field_validator("args")
    @classmethod
    def _args(cls, value: object) -> object:
        if value is not None and not isinstance(value, list):
            raise ValueError("must be a list")
        return value

    @field_validator("kwargs")
    @classmethod
    def _kwargs(cls, value: object) -> object:
        if value is None:
            return None
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise ValueError("must be a dict with text keys")
        return value

    @field_validator("timeout")
    @classmethod
    def _timeout(cls, value: object) -> object:
        if problem := timeout_problem(value):
            raise ValueError(problem)
        return value


class TaskParams:
    """Describes one task invocation; nothing in the engine ever changes it.

    Attributes:
        friend: Name of the friend; it must be configured when the task is sent.
        task_name: Function registered on the friend, without the friend's route.
        callback: Async callable, awaited with the result when the task succeeds, or None.
        args: Positional arguments, any JSON-serialisable values.
        kwargs: Named arguments.
        timeout: Seconds to wait before the task counts as failed.

    Raises:
        pydantic.ValidationError: a value has the wrong type; the message names the field.
    """

    __slots__ = ("args", "callback", "friend", "kwargs", "task_name", "timeout")

    def __init__(
        self,
        friend: str,
        task_name: str,
        callback: Callback | None = None,
        args: list[Any] | None = None,
        kwargs: dict[str, Any] | None = None,
        timeout: float = 30,
    ) -> None:
        checked = _Checked(
            friend=friend,
            task_name=task_name,
            callback=callback,
            args=args,
            kwargs=kwargs,
            timeout=timeout,
        )
        self.friend = checked.friend
        self.task_name = checked.task_name
        self.callback: Callback | None = checked.callback
        self.args: list[Any] = [] if args is None else args
        self.kwargs: dict[str, Any] = {} if kwargs is None else kwargs
        self.timeout = timeout

    def __repr__(self) -> str:
        return (
            f"TaskParams(friend={self.friend!r}, task_name={self.task_name!r},"
            f" args={self.args!r}, kwargs={self.kwargs!r}, timeout={self.timeout!r})"
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TaskParams):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]  # args and kwargs can change
