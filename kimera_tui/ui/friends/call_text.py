"""A call in words, for the question before it is sent."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

from kimera_tui.redaction import redact
from kimera_tui.safetext import compact, safe, trimmed

ARGUMENT = 300
"""Characters of an argument that are shown."""
NOTHING: Mapping[str, Any] = MappingProxyType({})


class Call(Protocol):
    """What a task is called with."""

    @property
    def friend(self) -> str:
        """The friend it goes to."""

    @property
    def task_name(self) -> str:
        """The task's name, without the route."""

    @property
    def args(self) -> Sequence[Any]:
        """Positional arguments."""

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """Named arguments."""


def call_words(
    call: Call, secret: Collection[str] = (), fetched: Mapping[str, Any] = NOTHING, queue: str = ""
) -> str:
    """The task and its arguments, a line each, with secrets masked.

    Args:
        call: What is sent.
        secret: Names of secret arguments, besides those whose names give them away.
        fetched: Named arguments that are resolved when it is sent, with their templates.
        queue: Its queue, if that is to be shown.
    """
    head = safe(f"{call.friend}.{call.task_name}", 200) + (f"  to queue {queue}" if queue else "")
    templates = {name: redact(template) for name, template in fetched.items()}
    named = {**redact(trimmed(dict(call.kwargs)), secret), **templates}
    values = [compact(value, ARGUMENT) for value in redact(trimmed(list(call.args)))]
    values += [f"{safe(name, 60)} = {compact(value, ARGUMENT)}" for name, value in named.items()]
    return "\n".join([head, *(f"  {value}" for value in values or ["no arguments"])])
