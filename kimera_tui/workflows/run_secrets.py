"""The secrets of a run that goes on: kept nowhere, so each has to be had again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from kimera_tui.errors import UsageError
from kimera_tui.runs.plan import Node
from kimera_tui.runs.recovery import Past
from kimera_tui.workflows.document import Input
from kimera_tui.workflows.inputs import secret_value
from kimera_tui.workflows.references import references_in


def secrets_again(
    specs: Mapping[str, Input], plan: Node, past: Past, prompted: Mapping[str, str]
) -> dict[str, str]:
    """The secrets that can be had, by the names of their inputs.

    Args:
        specs: What the run asked for at its start.
        plan: Its steps.
        past: What became of them.
        prompted: What was asked for now.

    Raises:
        UsageError: a step that may still be sent needs one that can't be had.
    """
    had: dict[str, str] = {}
    missing: dict[str, UsageError] = {}
    for name, spec in specs.items():
        if spec.type == "secret":
            try:
                had[name] = secret_value(name, spec, os.environ, prompted)
            except UsageError as error:
                missing[name] = error
    needed = set(_looked_up(plan, past)) if missing else set()
    for name, why in missing.items():
        if name in needed:
            raise why
    return had


def _looked_up(plan: Node, past: Past) -> Iterator[str]:
    """Names of the inputs that steps look up which may still be sent."""
    for _, node in plan.walk():
        if node.task is None or not node.rules.templated or not _may_be_sent(node, past):
            continue
        for reference in references_in(node.task.kwargs):
            if reference.root == "inputs" and reference.path:
                yield str(reference.path[0])


def _may_be_sent(node: Node, past: Past) -> bool:
    step = past.run.steps.get(node.path)
    if step is None or step.status.ended:
        return False
    return step.sent_at is None or node.rules.retry is not None
