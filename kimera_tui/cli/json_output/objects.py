"""The objects that ``--json`` prints, a model for each; docs/json.md is generated from them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from kimera_tui.runs.status import Status


class Printed(BaseModel):
    """An object that is printed without the fields that were not set."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    def members(self) -> dict[str, Any]:
        """The fields to print, in order, with their values unchanged."""
        return {name: getattr(self, name) for name in self.order() if name in self.model_fields_set}

    @classmethod
    def order(cls) -> list[str]:
        """The names of its fields: its own first, then inherited ones."""
        shared = {name for base in cls.__bases__ for name in getattr(base, "model_fields", ())}
        return sorted(cls.model_fields, key=shared.__contains__)


class LastKnown(Printed):
    """What was known of a task when the wait for it ended."""

    state: Status
    """Its state at that time."""
    cause: str | None
    """Why it was in that state."""
    source: str
    """Where that is known from; see `source` of a step."""
    since: float
    """When it entered that state."""
    age: float
    """Seconds from then to the end of the wait."""


class TaskFacts(Printed):
    """What is known of a task."""

    task_id: str | None
    """Celery's id of the task."""
    state: Status | None
    """Its state, as the console shows it; see [runs.md](runs.md#states)."""
    cause: str | None
    """Why it is in that state, for people; null if unknown."""
    source: str | None
    """Where that is known from: `engine` (Kimera itself), `backend`, `event` (of a worker),
    `inspect` (a reply of a worker), `queue` (the messages on the broker), `journal` or
    `operator`."""
    since: float | None
    """When it entered that state."""
    confirmed_at: float | None
    """When that state was last confirmed by its source; null if nothing is known yet."""
    worker: str | None
    """The worker that was last seen to have it; null if none was seen."""
    queue: str | None
    """The queue that it was sent to."""
    last_known: LastKnown | None
    """For a task that timed out: what was known of it at that time."""


class WithChildren(TaskFacts):
    """What is known of a task that may have spawned others."""

    children: list[str]
    """Ids of the tasks that it spawned, at most a hundred; known once it succeeded."""
    children_total: int
    """How many it spawned."""


class SendEnd(WithChildren):
    """How a task sent by `send` ended, or why it was not sent."""

    friend: str
    task: str
    """Its name, without the friend's route."""
    status: Literal[
        "done",
        "failed",
        "timed out",
        "revoked",
        "ended, result unknown",
        "uncertain",
        "interrupted",
        "not sent",
    ]
    """How the wait ended. `ended, result unknown`: nobody can read what it returned; `cause` says
    why. `uncertain`: it is unknown whether it was sent. `interrupted`: the command was stopped
    first."""
    run: str | None
    """The run's id; null if none was started."""
    name: str
    """The run's name."""
    warnings: list[str]
    """Warnings, such as that no worker consumes its queue."""
    result: Any = None
    """What the task returned; only if `status` is `done`."""
    error: str = ""
    """What went wrong, in a sentence; like all fields below, only if something did."""
    hint: str = ""
    """What to do about it; only if something can be done."""
    error_type: str = ""
    """For a failed task: the name of its exception's class."""
    error_message: str = ""
    """For a failed task: the message of its exception."""
    traceback: str = ""
    """For a failed task: its remote traceback."""


class Step(WithChildren):
    """A step of a run."""

    path: str
    """Its place in the run's tree, such as `0/1`; empty for the only step of a run."""
    id: str | None
    """Its id in the workflow; null for a plain call."""
    task: str
    """What it calls, as `friend.task`."""
    status: Status
    """The same as `state`."""
    attempt: int
    """The number of the attempt, from 1."""
    result: Any
    """What it returned; null if nothing, or not yet."""
    error: str
    """`TYPE: MESSAGE` of its exception; empty if it raised none."""


class Cancelling(Printed):
    """How far the cancellation of a run is."""

    done: int
    """How many of the tasks that were in flight have ended."""
    of: int
    """How many tasks were in flight."""


class RunReport(Printed):
    """A run with its steps."""

    run: str
    """Its id."""
    name: str
    status: Status
    """Its state; see [runs.md](runs.md#states)."""
    state: Status
    """The same as `status`."""
    cause: str | None
    """Why it ended as it did; null if it succeeded or has not ended."""
    cancelling: Cancelling | None
    """Only while it is being cancelled: how far that is; else null."""
    steps: list[Step]


class RunEnd(RunReport):
    """The last line of `run`: how the run ended."""

    event: Literal["end"]
    result: Any
    """The run's result; null if it has none."""
    error: str = ""
    """What went wrong, in a sentence; only if something did."""


class RunEvent(TaskFacts):
    """An event while `run` waited, and what is known of its step after it."""

    event: str
    """What happened: `sending`, `dispatched`, `started`, `succeeded`, `retry` and others."""
    at: float
    text: str
    """The event in words."""
    run: str = ""
    """The run's id; left out if it concerns no run."""
    step: str = ""
    """The step's id, or else its path; left out if it concerns no step."""
    task: str = ""
    """What the step calls, as `friend.task`."""


class LeftTask(Printed):
    """A task of a cancelled run that could not be stopped for certain."""

    task_id: str
    """Celery's id of the task."""
    step: str
    """The step's id, or else its path."""
    task: str
    """What it calls, as `friend.task`."""
    worker: str | None
    """The worker that was last seen to have it; null if none was seen."""
    running: bool
    """Whether a worker was seen to run it."""
    why: str
    """Why it was not stopped, in a few words."""


class CancelledRun(Printed):
    """What became of a run that was cancelled."""

    run: str
    """Its id."""
    ended: bool
    """Whether it has ended; if not, the exit code is 3."""
    message: str
    """The outcome, for people."""
    workers: list[str]
    """The workers that acknowledged a revoke."""
    unacknowledged: list[str]
    """Ids of tasks in flight whose revoke no worker acknowledged."""
    taken_out: list[str]
    """Ids of tasks that were taken out of their queues: they never ran, and never will."""
    revoked: list[str]
    """Ids of other tasks that ended as revoked."""
    left: list[LeftTask]
    """The tasks that could not be stopped for certain."""


class Detached(Printed):
    """A run that was detached: the workers finish it alone."""

    event: Literal["detached"]
    run: str
    """Its id."""
    name: str


class DryCall(Printed):
    """A call that a run would make; nothing was sent."""

    step: str
    """The step's id."""
    friend: str
    task: str
    queue: str
    """Empty if the friend is not configured."""
    args: list[Any]
    kwargs: dict[str, Any]
    """Secrets are masked; values that only the run will know are shown as templates."""
    timeout: str
    """A duration such as `30s`."""


class ReplayedCall(Printed):
    """A step that a replay would run; nothing was sent."""

    step: str
    """The step's path."""
    task: str
    """What it calls, as `friend.task`."""


class ListedRun(Printed):
    """A run in the list."""

    run: str
    """Its id."""
    name: str
    status: Status
    """Its state; see [runs.md](runs.md#states)."""
    state: Status
    """The same as `status`."""
    started: float
    ended: float | None
    """Null while it has not ended."""
    done: int
    """Number of steps that are done."""
    total: int
    """Number of steps, without those that were not needed."""
    cancelling: Cancelling | None
    """Only while it is being cancelled: how far that is; else null."""
    error: str
    """Why it ended as it did; empty if it succeeded or has not ended."""
    parent: str
    """The run that it replays; empty if it is not a replay."""


class Param(Printed):
    """A parameter of a task."""

    type: Literal["string", "int", "float", "bool", "date", "datetime", "duration", "enum", "json"]
    required: bool
    default: Any = None
    """Left out if it has none."""
    values: list[Any]
    """The choices of an `enum`; empty for others."""
    min: int | float | str | None = None
    """The least number, date, datetime or duration; left out if there is none."""
    max: int | float | str | None = None
    """The greatest one; left out if there is none."""
    pattern: str = ""
    """What a string has to match as a whole; left out if it has none."""
    max_length: int | None = None
    """Characters of a string; left out if they aren't limited."""
    description: str
    secret: bool


class TaskOfFriend(Printed):
    """A task as friends.yaml describes it."""

    doc: str
    params: dict[str, Param]
    """By name."""


class ListedFriend(Printed):
    """A friend as friends.yaml describes it."""

    friend: str
    """Its name."""
    route: str
    queue: str
    broker: str = ""
    """Its own broker without the password; left out if it uses the default one."""
    description: str
    danger: bool
    read_only: bool
    timeout: float
    """Seconds."""
    release: Literal["revoke", "forget"]
    """How its finished tasks are released."""
    tasks: dict[str, TaskOfFriend]
    """By name."""


class ListedWorkflow(Printed):
    """A saved workflow."""

    file: str
    name: str
    steps: int
    problem: str
    """Its first problem; empty if it has none."""
    last_status: str
    """The state of its last run; empty if it never ran."""
    last_started: float | None
    usual_seconds: float | None
    """Median duration of its recent runs; null if none of them is done."""


class Problem(Printed):
    """A problem in a workflow file."""

    file: str
    line: int = 0
    """From 1; left out, like `path` and `step`, if the file cannot be read at all."""
    path: str = ""
    """Where in the file, such as `steps.0.kwargs.day`."""
    step: str = ""
    """The step's id; empty if it is in no step."""
    problem: str
    """The problem, in a sentence."""


class FileReads(Printed):
    """A variable or file that a workflow reads apart from its own file."""

    file: str
    reads: Literal["variable", "file"]
    """An environment variable, or a file."""
    name: str
    """The variable's name, or the file's absolute path."""
    to: str | None
    """Where it is sent, such as `etl.load`; null if it is not sent."""
    allowed: bool
    """Whether the operator allowed it, or the environment names the file."""


class Allowed(Printed):
    """A variable or file that a file was allowed to read."""

    file: str
    """Its absolute path."""
    reads: Literal["variable", "file"]
    name: str
    to: str | None
    """As for `workflow check`."""


class ExportedRun(Printed):
    """A run that the console exported to a file."""

    run: str
    """Its id."""
    events: list[dict[str, Any]]
    """Everything that happened, in order: `event` is its kind, `at` its time; the other fields
    differ by kind and are those of `kimera_tui/process/events.py` and
    `kimera_tui/runs/events.py`."""
