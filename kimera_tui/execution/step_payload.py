"""The payload of a step: its arguments with templates filled in, and the upstream result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kimera_tui.documents.references import render
from kimera_tui.execution.template_scope import NOTHING
from kimera_tui.process.feeding import feed
from kimera_tui.runs.plan import Node, Passing

Payload = tuple[Sequence[Any], Mapping[str, Any]]


def payload(node: Node, scope: Mapping[str, Any], before: Any) -> Payload:
    """Args and kwargs of a task.

    Args:
        node: The task's node in the plan.
        scope: What its templates can look up.
        before: The upstream result, or ``NOTHING``.

    Raises:
        TemplateError: a template looks up something that does not exist.
    """
    if node.task is None:
        raise TypeError(f"There is no task at {node.path!r}.")
    args, kwargs = node.task.args, node.task.kwargs
    if node.rules.templated:
        args, kwargs = render(list(args), scope), render(dict(kwargs), scope)
    return pass_on(node.rules.passing, args, kwargs, before)


def pass_on(
    passing: Passing, args: Sequence[Any], kwargs: Mapping[str, Any], before: Any
) -> Payload:
    """The arguments with the upstream result added, as ``pass`` says."""
    if before is NOTHING or passing == "none":
        return args, kwargs
    if passing == "first":
        return [before, *args], kwargs
    if passing == "payload":
        return args, {**kwargs, "payload": before}
    return feed(args, kwargs, before)
