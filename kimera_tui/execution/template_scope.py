"""What the templates and conditions of a run can look up."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kimera_tui.errors import (
    KimeraError,
    PublishUncertain,
    TaskFailed,
    TaskRevoked,
    TimeoutException,
)

NOTHING = object()
"""In place of a result before the first step."""


class Inputs(Mapping[str, Any]):
    """The values put into a run; a secret is asked for when it is looked up, and is in no copy.

    Args:
        values: All but the secrets.
        secrets: Names of the secrets.
        fetch: Returns a secret by its name; raises UsageError when it isn't there.
    """

    def __init__(
        self, values: Mapping[str, Any], secrets: Collection[str], fetch: Callable[[str], str]
    ) -> None:
        self._values = values
        self._secrets = secrets
        self._fetch = fetch

    def __getitem__(self, name: str) -> Any:
        return self._fetch(name) if name in self._secrets else self._values[name]

    def __iter__(self) -> Iterator[str]:
        yield from self._values
        yield from self._secrets

    def __len__(self) -> int:
        return len(self._values) + len(self._secrets)

    def __contains__(self, name: object) -> bool:
        return name in self._values or name in self._secrets


@dataclass(slots=True)
class Scope:
    """What is known at one moment of a run."""

    inputs: Mapping[str, Any] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)
    env: Collection[str] = ()
    """Names of the environment variables that may be looked up."""
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Result and status of what has ended, by the steps' ids."""
    names: dict[str, str] = field(default_factory=dict)
    """What each call is called, ``friend.task``, by the ids of their tasks."""

    def note(self, step_id: str, result: Any, status: str) -> None:
        """Take in how a step ended."""
        if step_id:
            self.steps[step_id] = {"result": result, "status": status}

    def at(self, before: Any, error: Exception | None = None) -> dict[str, Any]:
        """What can be looked up at a step.

        Args:
            before: The result before it, or ``NOTHING``.
            error: What went wrong, for the steps that are run for that.
        """
        found: dict[str, Any] = {
            "inputs": self.inputs,
            "run": self.run,
            "steps": self.steps,
            "env": {name: os.environ[name] for name in self.env if name in os.environ},
        }
        if before is not NOTHING:
            found["prev"] = before
        if error is not None:
            found["error"] = self._told(error)
        return found

    def _told(self, error: Exception) -> dict[str, str]:
        message = error.error_message if isinstance(error, TaskFailed) else str(error)
        task = self.names.get(getattr(error, "task_id", ""), "")
        return {"type": error_name(error), "message": message, "task": task}


def error_name(error: Exception) -> str:
    """The name by which ``error.type`` knows an error, and ``retry.on`` that of a task.

    What was not sent, or maybe not, is never tried again for that.
    """
    match error:
        case TaskFailed():
            return error.error_type
        case TaskRevoked():
            return "REVOKED"
        case TimeoutException():
            return "TIMEOUT"
        case PublishUncertain():
            return "Uncertain"
        case KimeraError():
            return "NotSent"
    return type(error).__name__
