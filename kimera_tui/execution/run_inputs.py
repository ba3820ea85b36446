"""The inputs and secrets of a run, new, replayed or resumed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kimera_tui.documents.document import Document
from kimera_tui.documents.dump import document_from
from kimera_tui.documents.inputs import resolve, secret_value
from kimera_tui.documents.references import references_in
from kimera_tui.errors import UsageError
from kimera_tui.redaction import is_secret_name
from kimera_tui.runs.events import RunStarted
from kimera_tui.runs.plan import Node
from kimera_tui.runs.recovery import Past
from kimera_tui.values.placeholders import is_whole


@dataclass(frozen=True, slots=True)
class RunInputs:
    """What an operator supplies for a run."""

    inputs: Mapping[str, Any] = field(default_factory=dict)
    """Inputs without secrets."""
    prompted: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Secrets that were typed in or already fetched; in memory only."""
    despite: Sequence[str] = ()
    """Warnings the operator overrode, in sentences; recorded with the run."""


def beginning_of(events: Sequence[object]) -> RunStarted:
    """The start event of a run; raises UsageError if it cannot be read."""
    for event in events:
        if isinstance(event, RunStarted):
            return event
    raise UsageError("No such run, or its start cannot be read.")


def inputs_again(
    events: Sequence[object], provided: Mapping[str, Any], document: Document | None = None
) -> dict[str, Any]:
    """The inputs of a past run, some of them replaced.

    Args:
        events: The events of the past run.
        provided: The new values.
        document: The document that declares the inputs; None for the one the run started from.

    Raises:
        UsageError: an input is missing, wrong or unknown.
    """
    started = beginning_of(events)
    if document is not None:
        kept = {name: started.inputs[name] for name in document.inputs if name in started.inputs}
        whole = {name: value for name, value in kept.items() if is_whole(value)}
        return resolve(document.inputs, {**whole, **provided})
    if not started.header:
        if provided:
            raise UsageError("The run has no inputs: it was not started from a workflow.")
        return {}
    specs = document_from(started.header).inputs
    kept = {name: value for name, value in started.inputs.items() if is_whole(value)}
    return resolve(specs, {**kept, **provided})


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
