"""The inputs of a run, new or replayed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kimera_tui.documents.document import Document
from kimera_tui.documents.header import document_from
from kimera_tui.documents.inputs import resolve
from kimera_tui.errors import UsageError
from kimera_tui.runs.events import RunStarted
from kimera_tui.values.placeholders import is_whole


@dataclass(frozen=True, slots=True)
class Given:
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
    events: Sequence[object], given: Mapping[str, Any], document: Document | None = None
) -> dict[str, Any]:
    """The inputs of a past run, some of them replaced.

    Args:
        events: The events of the past run.
        given: The new values.
        document: The document that declares the inputs; None for the one the run started from.

    Raises:
        UsageError: an input is missing, wrong or unknown.
    """
    started = beginning_of(events)
    if document is not None:
        kept = {name: started.inputs[name] for name in document.inputs if name in started.inputs}
        whole = {name: value for name, value in kept.items() if is_whole(value)}
        return resolve(document.inputs, {**whole, **given})
    if not started.header:
        if given:
            raise UsageError("The run has no inputs: it was not started from a workflow.")
        return {}
    specs = document_from(started.header).inputs
    kept = {name: value for name, value in started.inputs.items() if is_whole(value)}
    return resolve(specs, {**kept, **given})
