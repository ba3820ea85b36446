"""What templates can look up during a run, and the arguments that a step is sent with."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kimera_tui.documents.references import render
from kimera_tui.errors import (
    KimeraError,
    PublishUncertain,
    ResultUnknown,
    TaskFailed,
    TaskRevoked,
    TimeoutException,
)
from kimera_tui.process.feeding import feed
from kimera_tui.runs.plan import Node, Passing

NOTHING = object()
"""Stands for the upstream result of the first step."""


class Inputs(Mapping[str, Any]):
    """The inputs of a run. A secret is fetched on each look-up and never copied.

    Args:
        values: Inputs without secrets.
        secrets: Names of the secrets.
        fetch: Returns a secret by name; raises UsageError if it is not available.
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
    """The values that can be looked up at one moment of a run."""

    inputs: Mapping[str, Any] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)
    env: Collection[str] = ()
    """Names of the environment variables that may be looked up."""
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Result and status of the steps that have ended, by step id."""
    names: dict[str, str] = field(default_factory=dict)
    """``friend.task`` of each call, by task id."""

    def note(self, step_id: str, result: Any, status: str) -> None:
        """Record how a step ended."""
        if step_id:
            self.steps[step_id] = {"result": result, "status": status}

    def at(self, upstream: Any, error: Exception | None = None) -> dict[str, Any]:
        """What can be looked up at a step.

        Args:
            upstream: The upstream result, or ``NOTHING``.
            error: The error being handled, inside an error handler.
        """
        scope: dict[str, Any] = {
            "inputs": self.inputs,
            "run": self.run,
            "steps": self.steps,
            "env": {name: os.environ[name] for name in self.env if name in os.environ},
        }
        if upstream is not NOTHING:
            scope["prev"] = upstream
        if error is not None:
            scope["error"] = self._error_fields(error)
        return scope

    def _error_fields(self, error: Exception) -> dict[str, str]:
        message = error.error_message if isinstance(error, TaskFailed) else str(error)
        task = self.names.get(getattr(error, "task_id", ""), "")
        return {"type": error_name(error), "message": message, "task": task}


def error_name(error: Exception) -> str:
    """The name of an error in ``error.type`` and, for a task's error, in ``retry.on``.

    ``NotSent``, ``Uncertain`` and ``ResultUnknown`` are never retried.
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
        case ResultUnknown():
            return "ResultUnknown"
        case KimeraError():
            return "NotSent"
    return type(error).__name__


Payload = tuple[Sequence[Any], Mapping[str, Any]]


def payload(node: Node, scope: Mapping[str, Any], upstream: Any) -> Payload:
    """Args and kwargs of a task.

    Args:
        node: The task's node in the plan.
        scope: What its templates can look up.
        upstream: The upstream result, or ``NOTHING``.

    Raises:
        TemplateError: a template looks up something that does not exist.
    """
    if node.task is None:
        raise TypeError(f"There is no task at {node.path!r}.")
    args, kwargs = node.task.args, node.task.kwargs
    if node.rules.templated:
        args, kwargs = render(list(args), scope), render(dict(kwargs), scope)
    return pass_on(node.rules.passing, args, kwargs, upstream)


def pass_on(
    passing: Passing, args: Sequence[Any], kwargs: Mapping[str, Any], upstream: Any
) -> Payload:
    """The arguments with the upstream result added, as ``pass`` says."""
    if upstream is NOTHING or passing == "none":
        return args, kwargs
    if passing == "first":
        return [upstream, *args], kwargs
    if passing == "payload":
        return args, {**kwargs, "payload": upstream}
    return feed(args, kwargs, upstream)
