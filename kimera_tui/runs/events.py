"""What happens to runs: the plan at its start, steps that will never be sent, the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from kimera_tui.process.events import Event, TaskEvent
from kimera_tui.runs.plan import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent(Event):
    """Something that happened to a run."""

    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(RunEvent):
    """A run began; nothing of it has been sent yet, and every step's id is known."""

    name: str
    plan: Node
    parent: str = ""
    """The run that this one replays, or an empty string."""
    profile: str = ""
    """Which broker it was started with; a run is never continued with another one."""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """What was put in, without secrets."""
    header: Mapping[str, Any] = field(default_factory=dict)
    """What its document says besides the steps; empty for plain calls."""
    despite: Sequence[str] = ()
    """What stood against it when it was started all the same, in sentences."""
    concurrency: str = ""
    """Runs with the same key count together; empty for those that don't count."""
    limit: int = 1
    """How many runs with that key may go on at once."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What is to be hidden wherever the run repeats it; never written down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepIntended(RunEvent):
    """A step is about to be sent, and this is written down before anything is."""

    path: str
    task_id: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    secret: frozenset[str] = frozenset()
    """Names in ``kwargs``, and positions in ``args`` such as ``"0"``, whose values are never shown
    or written down."""
    server: str = ""
    """The run id of the broker's server, which changes when that is restarted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultKept(TaskEvent):
    """A result was written down so that it may be released, apart from the task's success.

    Usually the success that was announced is written in time, and keeps the result itself.
    """

    result: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRetried(RunEvent):
    """A step is tried again, as a new task."""

    path: str
    task_id: str
    """Of the new task."""
    attempt: int
    """Counts from 1, so the first of these is number 2."""
    delay: float
    """Seconds until it is sent."""
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDecided(RunEvent):
    """Its operator said what became of a step of which nobody else could tell."""

    path: str
    what: Literal["again", "done", "fail", "wait"]
    by: str
    """Who decided."""
    result: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReused(RunEvent):
    """A step is not sent: its result is that of an earlier run."""

    path: str
    from_run: str
    result: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class StepHeld(RunEvent):
    """A step can't be sent, because something that it needs was never written down."""

    path: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAdopted(RunEvent):
    """A console goes on with a run that another one left, or that it left itself."""

    past: Sequence[object] = field(default=(), repr=False)
    """What had happened to it, for who hears of it only now; not written down again."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What is to be hidden wherever the run repeats it; never written down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDetached(RunEvent):
    """All that has not ended is about to be handed to the workers; from here on it is watched."""

    paths: Sequence[str] = ()
    """The steps that are sent from here; each brings those that the workers send after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepHandedOver(RunEvent):
    """A step of a detached run is a worker's to send, or has been sent by one."""

    path: str
    args: Sequence[Any]
    """What arrives, with the result before it put in."""
    kwargs: Mapping[str, Any]
    secret: frozenset[str] = frozenset()
    """Names in ``kwargs``, and positions in ``args`` such as ``"0"``, whose values are never shown
    or written down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCancelled(RunEvent):
    """Somebody cancelled the run: nothing more of it is sent, what is in flight is revoked."""

    revoked: Sequence[str] = ()
    """Ids of the tasks that were in flight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSkipped(RunEvent):
    """A step will never be sent."""

    path: str
    because: str
    unreachable: bool = False
    """True when the step before was revoked rather than failed."""
    not_needed: bool = False
    """True when nothing went wrong: its condition did not hold, or there was no error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded(RunEvent):
    """Nothing more will be sent and nothing is waited for."""

    error: str = ""
    status: str = ""
    """The run's, where an error ended it; empty where its steps tell it."""
