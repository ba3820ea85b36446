"""Events as they may be shown: a run's secrets are masked wherever its events repeat them."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from kimera_tui.process.events import Event, Sending
from kimera_tui.runs.events import StepHandedOver
from kimera_tui.runs.journal.event_codec import learn
from kimera_tui.runs.journal.value_codec import Packer, unpack
from kimera_tui.safetext import trimmed

E = TypeVar("E")
_IDS = frozenset({"task_id", "run_id", "path", "task", "friend", "queue"})
_VALUES = frozenset({"result", "meta", "args", "kwargs"})


def masked(event: E, secrets: Packer, *, results: bool = True) -> E:
    """The event without the secrets of its run, as the journal would return it.

    Call it for every event, in order: a payload about to be sent tells which its secrets are. Most
    runs have none, and their events are returned as they are.

    Args:
        event: What happened in the run.
        secrets: The secrets of the run, learned so far.
        results: Whether results are masked too. They may be huge: code that shows only a part of
            one masks that part, with ``hidden_result``.
    """
    if not isinstance(event, Event):
        return event
    if isinstance(event, Sending | StepHandedOver):
        learn(event, secrets)
    if not secrets.knows_any:
        return event
    hidden = {
        field.name: _hidden(getattr(event, field.name), field.name, secrets, event)
        for field in dataclasses.fields(event)
        if field.name not in _IDS and (results or field.name != "result")
    }
    return dataclasses.replace(event, **hidden)


def hidden_result(value: Any, secrets: Packer) -> Any:
    """A result without the secrets of its run."""
    return unpack(secrets.pack(value, "result")) if secrets.knows_any else value


def glimpse(event: E, secrets: Packer) -> E:
    """The event with as much of its result as a line shows, without the secrets of its run."""
    result = getattr(event, "result", None)
    if result is None or not secrets.knows_any or not isinstance(event, Event):
        return event
    shown: dict[str, Any] = {"result": hidden_result(trimmed(result), secrets)}
    return dataclasses.replace(event, **shown)


def _hidden(value: Any, name: str, secrets: Packer, event: Event) -> Any:
    if name in _VALUES:
        secret = event.secret if isinstance(event, Sending | StepHandedOver) else ()
        found = unpack(secrets.pack(value, name, secret))
        return tuple(found) if isinstance(value, tuple) else found
    return secrets.text(value) if type(value) is str else value
