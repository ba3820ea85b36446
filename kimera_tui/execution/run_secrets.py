"""The secrets of a run: fetched once, kept in memory only, fetched again on resume."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from kimera_tui.documents.document import Document
from kimera_tui.documents.inputs import secret_value
from kimera_tui.documents.references import references_in
from kimera_tui.errors import UsageError
from kimera_tui.redaction import is_secret_name
from kimera_tui.runs.plan import Node
from kimera_tui.runs.recovery import Past


def secrets_at_start(document: Document, prompted: Mapping[str, str]) -> dict[str, str]:
    """The secrets available to a run of a document, by input name.

    They include the variables of ``env`` with secret names, as ``env.NAME``, which no input can be
    called. A secret that is not available fails only the step that looks it up.
    """
    secrets, _ = _fetched(document, prompted)
    return secrets


def secrets_again(
    document: Document, plan: Node, past: Past, prompted: Mapping[str, str]
) -> dict[str, str]:
    """The secrets available to a run that is resumed.

    Args:
        document: The document the run started from, without its steps.
        plan: Its steps.
        past: Its state so far.
        prompted: Secrets that were typed in now.

    Raises:
        UsageError: a step that may still be sent needs a secret that is not available.
    """
    secrets, missing = _fetched(document, prompted)
    needed = set(_looked_up(plan, past)) if missing else set()
    for name, error in missing.items():
        if name in needed:
            raise error
    return secrets


def _fetched(
    document: Document, prompted: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, UsageError]]:
    """The secrets that are available, and the errors of those that are not."""
    secrets = {
        f"env.{name}": os.environ[name]
        for name in document.env
        if name in os.environ and is_secret_name(name)
    }
    missing: dict[str, UsageError] = {}
    for name, spec in document.inputs.items():
        if spec.type == "secret":
            try:
                secrets[name] = secret_value(name, spec, os.environ, prompted)
            except UsageError as error:
                missing[name] = error
    return secrets, missing


def _looked_up(plan: Node, past: Past) -> Iterator[str]:
    """Names of the inputs looked up by steps that may still be sent."""
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
