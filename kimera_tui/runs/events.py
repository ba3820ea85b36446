"""The events of runs and of their steps, beside those that the engine emits for tasks."""

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
    """A run started; no step has been sent yet, and every task has its id."""

    name: str
    plan: Node
    parent: str = ""
    """The run that this one replays, or an empty string."""
    profile: str = ""
    """The broker that it was started with; a run is never resumed with another one."""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """The inputs, without secrets."""
    header: Mapping[str, Any] = field(default_factory=dict)
    """Its document without the steps; empty for plain calls."""
    despite: Sequence[str] = ()
    """The pre-flight warnings that were overruled, in sentences."""
    concurrency: str = ""
    """Open runs with the same key are counted together; empty if the run is not counted."""
    limit: int = 1
    """How many runs with that key may be open at once."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The secrets to mask wherever the run repeats them, by name; never written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepIntended(RunEvent):
    """A step is about to be sent; written before anything is published."""

    path: str
    task_id: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    secret: frozenset[str] = frozenset()
    """Names in ``kwargs``, and positions in ``args`` such as ``"0"``, whose values are never shown
    or written."""
    server: str = ""
    """The run id of the broker's server, which changes when the server restarts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultKept(TaskEvent):
    """A result was written so that it may be released, without the task's success.

    Usually the success itself is written in time, and keeps the result.
    """

    result: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRetried(RunEvent):
    """A step is retried, as a new task."""

    path: str
    task_id: str
    """The id of the new task."""
    attempt: int
    """Counts from 1, so the first retry is attempt 2."""
    delay: float
    """Seconds until it is sent."""
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDecided(RunEvent):
    """An operator decided what to do with an uncertain step."""

    path: str
    what: Literal["again", "done", "fail", "wait"]
    by: str
    """Who decided."""
    result: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReused(RunEvent):
    """A step is not sent: it reuses the result of an earlier run."""

    path: str
    from_run: str
    result: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class StepHeld(RunEvent):
    """A step can't be sent, because a value that it needs was never stored."""

    path: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAdopted(RunEvent):
    """A console resumes a run whose owner released it or is gone."""

    past: Sequence[object] = field(default=(), repr=False)
    """Its earlier events, for a subscriber that does not know the run; not written again."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The secrets to mask wherever the run repeats them, by name; never written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDetached(RunEvent):
    """Every step that has not ended is about to be handed to the workers and only watched."""

    paths: Sequence[str] = ()
    """The steps whose messages are published here; each carries the steps that workers send after
    it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepHandedOver(RunEvent):
    """A step of a detached run will be sent by a worker, or has been."""

    path: str
    args: Sequence[Any]
    """The arguments that arrive, with the upstream result fed in."""
    kwargs: Mapping[str, Any]
    secret: frozenset[str] = frozenset()
    """Names in ``kwargs``, and positions in ``args`` such as ``"0"``, whose values are never shown
    or written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCancelled(RunEvent):
    """The run was cancelled: no more steps are sent, and tasks in flight are revoked."""

    revoked: Sequence[str] = ()
    """The ids of the tasks in flight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopReported(RunEvent):
    """The tasks in flight of a run were revoked, and searched for in their queues."""

    tasks: int
    """How many these were."""
    taken_out: int
    """How many were taken out of their queues."""
    terminate: bool = False
    workers: Sequence[str] = ()
    """Those that acknowledged."""
    why_not: Sequence[str] = ()
    """Why others could not be stopped for certain, in sentences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSkipped(RunEvent):
    """A step will not be sent."""

    path: str
    because: str
    unreachable: bool = False
    """Whether something other than an upstream failure is the reason."""
    not_needed: bool = False
    """Whether that is as intended: its condition did not hold, or there was no error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded(RunEvent):
    """The run ended: nothing more is sent or awaited."""

    error: str = ""
    status: str = ""
    """The run's status if an error ended it; empty if it follows from its steps."""
