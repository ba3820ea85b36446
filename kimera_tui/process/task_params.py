"""TaskParams: one task invocation, validated when it is constructed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from kimera_tui.process.call import Call, Callback
from kimera_tui.process.validation import ARGUMENTS, refused


class _Checked(BaseModel):
    """Checks the fields: like any call's arguments, but only lists, dicts and a timeout."""

    model_config = ConfigDict(extra="forbid", strict=True)

    friend: str
    task_name: str
    callback: Any
    args: list[Any] | None
    kwargs: dict[str, Any] | None
    timeout: float

    @field_validator("*", mode="before")
    @classmethod
    def _right(cls, value: object, info: ValidationInfo) -> object:
        if problem := ARGUMENTS[str(info.field_name)](value):
            raise ValueError(problem)
        return value


class TaskParams:
    """Describes one task invocation; nothing in the engine ever changes it.

    Attributes:
        friend: Name of the friend, which must be configured when the task is sent.
        task_name: Function registered on the friend, without the friend's route.
        callback: Async callable, awaited with the result when the task succeeds, or None.
        args: Positional arguments, any JSON-serialisable values.
        kwargs: Named arguments.
        timeout: Seconds to wait before the task counts as failed; greater than 0.

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
        _Checked(
            friend=friend,
            task_name=task_name,
            callback=callback,
            args=args,
            kwargs=kwargs,
            timeout=timeout,
        )
        self.friend = friend
        self.task_name = task_name
        self.callback = callback
        self.args = [] if args is None else args
        self.kwargs = {} if kwargs is None else kwargs
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

    __hash__ = None  # type: ignore[assignment]  # args and kwargs are mutable


def checked_tasks(tasks: Iterable[TaskParams]) -> list[TaskParams]:
    """Return the tasks as a list.

    Raises:
        UsageError: these are not TaskParams.
    """
    if not isinstance(tasks, Iterable):
        raise refused("taskList", "must be a list of TaskParams")
    listed = list(tasks)
    for position, params in enumerate(listed):
        if not isinstance(params, TaskParams):
            raise refused(f"taskList[{position}]", "must be TaskParams")
    return listed


def call_of(
    params: TaskParams,
    task_id: str,
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
) -> Call:
    """The call that sends a task, with its own arguments or the given ones."""
    return Call(
        params.task_name,
        params.friend,
        task_id,
        params.args if args is None else args,
        params.kwargs if kwargs is None else kwargs,
        params.callback,
        timeout=params.timeout,
    )
