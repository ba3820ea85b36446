"""The text of a call, for confirmation prompts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

from kimera_tui.redaction import redact
from kimera_tui.safetext import compact, safe, trimmed

ARGUMENT = 300
"""Maximum characters shown of an argument."""
NOTHING: Mapping[str, Any] = MappingProxyType({})


class Call(Protocol):
    """A call of a task."""

    @property
    def friend(self) -> str:
        """Name of the friend."""

    @property
    def task_name(self) -> str:
        """Name of the task, without the route."""

    @property
    def args(self) -> Sequence[Any]:
        """Positional arguments."""

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """Named arguments."""


def call_words(
    call: Call, secret: Collection[str] = (), fetched: Mapping[str, Any] = NOTHING, queue: str = ""
) -> str:
    """The task and its arguments, one per line, with secrets masked.

    Args:
        call: The call to be sent.
        secret: Names of further secret arguments; telling names are always masked.
        fetched: Templates of the named arguments that are evaluated on sending.
        queue: The queue to show; empty shows none.
    """
    head = safe(f"{call.friend}.{call.task_name}", 200) + (f"  to queue {queue}" if queue else "")
    templates = {name: redact(template) for name, template in fetched.items()}
    named = {**redact(trimmed(dict(call.kwargs)), secret), **templates}
    values = [compact(value, ARGUMENT) for value in redact(trimmed(list(call.args)))]
    values += [f"{safe(name, 60)} = {compact(value, ARGUMENT)}" for name, value in named.items()]
    return "\n".join([head, *(f"  {value}" for value in values or ["no arguments"])])
