"""What a person gives a run, and how a past run began."""

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
    """What a person gives a run."""

    inputs: Mapping[str, Any] = field(default_factory=dict)
    """All but the secrets."""
    prompted: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Secrets that were asked for, or fetched before; kept in memory only."""
    despite: Sequence[str] = ()
    """What stands against it, in sentences; recorded with the run."""


def beginning_of(events: Sequence[object]) -> RunStarted:
    """How a run began; raises UsageError when its beginning can't be read."""
    for event in events:
        if isinstance(event, RunStarted):
            return event
    raise UsageError("There is no such run, or its beginning can't be read.")


def inputs_again(
    events: Sequence[object], given: Mapping[str, Any], document: Document | None = None
) -> dict[str, Any]:
    """The inputs of a past run with some of them given anew.

    Args:
        events: Those of the past run.
        given: What is given anew.
        document: What asks for them now; None for what the run began with.

    Raises:
        UsageError: an input is missing or wrong, or the run asks for none of that name.
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
