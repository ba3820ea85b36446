"""Events as they may be shown: a run's secrets are hidden wherever the run repeats them."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from kimera_tui.process.events import Event, Sending, TaskEvent
from kimera_tui.runs.events import RunEvent, RunStarted, StepHandedOver
from kimera_tui.runs.index import RunBook, RunState
from kimera_tui.runs.journal.event_codec import learn
from kimera_tui.runs.journal.value_codec import Packer, unpack
from kimera_tui.safetext import trimmed

E = TypeVar("E")
_IDS = frozenset({"task_id", "run_id", "path", "task", "friend", "queue"})
_VALUES = frozenset({"result", "meta", "args", "kwargs"})


def masked(event: E, book: RunBook, *, results: bool = True) -> E:
    """The event without the secrets of its run, as the journal would tell it.

    To be called before the book takes the event in, and for every event: a payload that is about
    to be sent tells which its secrets are. Most runs have none, and their events stay as they are.

    Args:
        event: What happened.
        book: Knows the runs and their secrets.
        results: Whether results are masked too. They may be huge: who paints only a part of them
            masks that part, with ``hidden_result``.
    """
    run = _run_of(event, book)
    if run is None or not isinstance(event, Event):
        return event
    if isinstance(event, Sending | StepHandedOver):
        learn(event, run.secrets)
    if not run.secrets.knows_any:
        return event
    hidden = {
        field.name: _hidden(getattr(event, field.name), field.name, run.secrets, event)
        for field in dataclasses.fields(event)
        if field.name not in _IDS and (results or field.name != "result")
    }
    return dataclasses.replace(event, **hidden)


def hidden_result(value: Any, run: RunState) -> Any:
    """A result of a run without its secrets."""
    return unpack(run.secrets.pack(value, "result")) if run.secrets.knows_any else value


def glimpse(event: E, run: RunState) -> E:
    """The event with as much of its result as a line shows, without the secrets of its run."""
    result = getattr(event, "result", None)
    if result is None or not run.secrets.knows_any or not isinstance(event, Event):
        return event
    shown: dict[str, Any] = {"result": hidden_result(trimmed(result), run)}
    return dataclasses.replace(event, **shown)


def _run_of(event: object, book: RunBook) -> RunState | None:
    if isinstance(event, TaskEvent):
        place = book.place_of(event.task_id)
        return place[0] if place is not None else None
    if isinstance(event, RunEvent) and not isinstance(event, RunStarted):
        return book.runs.get(event.run_id)
    return None


def _hidden(value: Any, name: str, secrets: Packer, event: Event) -> Any:
    if name in _VALUES:
        secret = event.secret if isinstance(event, Sending | StepHandedOver) else ()
        found = unpack(secrets.pack(value, name, secret))
        return tuple(found) if isinstance(value, tuple) else found
    return secrets.text(value) if type(value) is str else value
