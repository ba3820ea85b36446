"""The runs of a console by id, folded from the events, newest last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from kimera_tui.process.events import TaskEvent
from kimera_tui.runs.events import (
    RunAdopted,
    RunCancelled,
    RunDetached,
    RunEnded,
    RunEvent,
    RunStarted,
    StepDecided,
    StepHandedOver,
    StepHeld,
    StepRetried,
    StepReused,
    StepSkipped,
    StopReported,
)
from kimera_tui.runs.journal.event_codec import learn
from kimera_tui.runs.journal.value_codec import Packer
from kimera_tui.runs.masking import masked
from kimera_tui.runs.plan import Node, is_handler
from kimera_tui.runs.state import begin, fold, interrupted, revived
from kimera_tui.runs.status import Status
from kimera_tui.runs.step import StepState

E = TypeVar("E")

MAX_RUNS = 500
"""Beyond this many, the oldest ended runs are forgotten."""

_NOT_STARTED = (Status.WAITING, Status.SENDING, Status.QUEUED, Status.RESERVED)
_IN_FLIGHT = (
    Status.SENDING,
    Status.QUEUED,
    Status.RESERVED,
    Status.RUNNING,
    Status.PROGRESS,
    Status.LOST,
    Status.RETRYING,
)

# The first of these that a step of the run has is the status of the run.
_WORST = (
    Status.FAILED,
    Status.UNCERTAIN,
    Status.TIMED_OUT,
    Status.REVOKED,
    Status.INTERRUPTED,
    Status.RESULT_UNKNOWN,
    Status.FINISHED_LATE,
    Status.UNREACHABLE,
    Status.SKIPPED,
)
_NOT_SENT = (Status.UNREACHABLE, Status.SKIPPED)


@dataclass(slots=True)
class RunState:
    """One run: its plan and what is known of each step."""

    run_id: str
    name: str
    plan: Node
    started: float
    steps: dict[str, StepState] = field(default_factory=dict)
    ended: float | None = None
    parent: str = ""
    """The run that this one replays, or an empty string."""
    cancelled: bool = False
    stop: StopReported | None = None
    """What stopping its tasks in flight brought, the last time."""
    detached: bool = False
    """Whether its workers have it, and the console only watches."""
    error: str = ""
    """The error that ended it, or an empty string."""
    failed_as: Status | None = None
    """The status that its error implies; None if it follows from its steps."""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    header: Mapping[str, Any] = field(default_factory=dict)
    """Its document without the steps; empty for plain calls."""
    profile: str = ""
    """The broker that it was started with."""
    secrets: Packer = field(default_factory=Packer, repr=False, compare=False)
    """Knows the run's secrets and masks them."""
    _handlers: tuple[str, ...] = ()
    """Paths of the steps that run only after a failure."""
    _counts: Counter[Status] = field(default_factory=Counter)
    _stopping: set[str] = field(default_factory=set)
    """Paths of the steps that were in flight when it was cancelled."""
    _unstopped: set[str] = field(default_factory=set)
    """Those of them that have not ended."""

    def resume(self, event: RunAdopted) -> None:
        """Reopen the run for a console that resumes it."""
        self.ended = None
        self.secrets.learn(event.secrets, event.secrets.keys())
        for step in list(self.steps.values()):
            self.put(revived(step, event.at))

    @property
    def status(self) -> Status:
        """The run's status, from those of its steps or from the error that ended it."""
        if self.ended is None:
            if self._counts[Status.WAITING] == len(self.steps):
                return Status.WAITING
            queued = sum(self._counts[status] for status in _NOT_STARTED)
            return Status.QUEUED if queued == len(self.steps) else Status.RUNNING
        if self.cancelled and self.done < self.total:
            return Status.REVOKED
        if not self.error and self.header:  # a document can tolerate failures
            return Status.DONE
        worst = next((status for status in _WORST if self._counts[status]), Status.DONE)
        if not self.error or self.cancelled:
            return worst
        return self.failed_as or (Status.FAILED if worst in _NOT_SENT else worst)

    @property
    def faulty(self) -> bool:
        """Whether it has an error, or a step that ended other than as intended."""
        return bool(self.error) or any(self._counts[status] for status in _WORST)

    @property
    def done(self) -> int:
        """How many steps are done."""
        return self._counts[Status.DONE]

    @property
    def total(self) -> int:
        """How many steps there are, without those that are not needed."""
        idle = sum(self.steps[path].status is Status.WAITING for path in self._handlers)
        return len(self.steps) - self._counts[Status.NOT_NEEDED] - idle

    @property
    def in_flight(self) -> int:
        """How many steps were sent and have not ended."""
        return sum(self._counts[status] for status in _IN_FLIGHT)

    @property
    def cancelling(self) -> tuple[int, int] | None:
        """While it is being cancelled: how many tasks that were in flight have ended, of how many.

        None if it is not.
        """
        if not self.cancelled or self.ended is not None:
            return None
        return len(self._stopping) - len(self._unstopped), len(self._stopping)

    def cancel(self, paths: Iterable[str]) -> None:
        """Note a cancellation, and those of the given steps that are in flight."""
        self.cancelled = True
        for path in paths:
            if self.steps[path].status in _IN_FLIGHT:
                self._stopping.add(path)
                self._unstopped.add(path)

    def put(self, step: StepState) -> None:
        """Replace a step's state."""
        if step.path in self._stopping:
            (self._unstopped.discard if step.status.ended else self._unstopped.add)(step.path)
        old = self.steps.get(step.path)
        if old is not None:
            self._counts[old.status] -= 1
        self._counts[step.status] += 1
        self.steps[step.path] = step


class RunIndex:
    """Folds events into runs. The same events always give the same runs.

    The states of steps are folded purely (``runs.state.fold``). The index itself is changed in
    place, because a run of ten thousand steps can't be copied for each of its events.
    """

    def __init__(self, max_runs: int = MAX_RUNS) -> None:
        self.runs: dict[str, RunState] = {}
        self._places: dict[str, tuple[str, str]] = {}
        self._max_runs = max_runs

    def place_of(self, task_id: str) -> tuple[RunState, StepState] | None:
        """The run and the step that a task belongs to; None for a task of no run."""
        place = self._places.get(task_id)
        if place is None:
            return None
        run = self.runs[place[0]]
        return run, run.steps[place[1]]

    def apply(self, event: object) -> str | None:
        """Fold one event in; returns the id of the run that it changed, if any."""
        match event:
            case RunStarted():
                self._start(event)
                return event.run_id
            case (
                StepSkipped()
                | StepReused()
                | StepHeld()
                | StepRetried()
                | StepDecided()
                | StepHandedOver()
            ):
                return self._fold_step(event)
            case RunAdopted():
                return self._adopt(event)
            case RunDetached() if event.run_id in self.runs:
                self.runs[event.run_id].detached = True
                return event.run_id
            case RunCancelled() if event.run_id in self.runs:
                places = (self._places.get(task_id) for task_id in event.revoked)
                paths = [place[1] for place in places if place and place[0] == event.run_id]
                self.runs[event.run_id].cancel(paths)
                return event.run_id
            case StopReported() if event.run_id in self.runs:
                self.runs[event.run_id].stop = event
                return event.run_id
            case RunEnded() if event.run_id in self.runs:
                return self._end(event)
            case TaskEvent():
                return self._fold_task(event)
        return None

    def step_of(self, event: object) -> tuple[RunState, StepState] | None:
        """The run and step that an event is about; None if it is about no step."""
        if isinstance(event, TaskEvent):
            return self.place_of(event.task_id)
        run = self.runs.get(getattr(event, "run_id", ""))
        step = run.steps.get(getattr(event, "path", None) or "") if run is not None else None
        if run is None or step is None or not hasattr(event, "path"):
            return None
        return run, step

    def take(self, event: E, *, results: bool = True) -> E:
        """Fold one event in; returns it without the secrets of its run, to be shown.

        Args:
            event: What happened.
            results: Whether results are masked too; see ``runs.masking.masked``.
        """
        run = self._run_of(event)
        shown = event if run is None else masked(event, run.secrets, results=results)
        self.apply(shown)
        return shown

    def apply_all(self, events: Iterable[object]) -> set[str]:
        """Fold events in; returns the ids of the runs that changed."""
        return {run_id for event in events if (run_id := self.apply(event)) is not None}

    def forget(self, run_id: str) -> None:
        """Drop a run and ignore its events from now on."""
        run = self.runs.pop(run_id, None)
        for step in run.steps.values() if run is not None else ():
            self._places.pop(step.task_id, None)

    def _run_of(self, event: object) -> RunState | None:
        if isinstance(event, TaskEvent):
            place = self.place_of(event.task_id)
            return place[0] if place is not None else None
        if isinstance(event, RunEvent) and not isinstance(event, RunStarted):
            return self.runs.get(event.run_id)
        return None

    def _start(self, event: RunStarted) -> None:
        run = RunState(
            event.run_id,
            event.name,
            event.plan,
            event.at,
            parent=event.parent,
            inputs=event.inputs,
            header=event.header,
            profile=event.profile,
        )
        learn(event, run.secrets)
        for _, node in event.plan.walk():
            if node.task is not None:
                run.put(begin(node.path, node.task, event.at, node.id))
                self._places[node.task.task_id] = (run.run_id, node.path)
        run._handlers = tuple(path for path in run.steps if is_handler(path))
        self.runs[run.run_id] = run
        self._forget_oldest()

    def _end(self, event: RunEnded) -> str:
        run = self.runs[event.run_id]
        for step in list(run.steps.values()):
            run.put(interrupted(step, event.at))
        run.ended, run.error = _end_of(run, event.at), event.error
        run.failed_as = next((status for status in _WORST if status == event.status), None)
        return run.run_id

    def _adopt(self, event: RunAdopted) -> str | None:
        if event.run_id not in self.runs:
            self.apply_all(event.past)
        run = self.runs.get(event.run_id)
        if run is None:
            return None
        run.resume(event)
        return run.run_id

    def _fold_step(
        self,
        event: StepSkipped | StepReused | StepHeld | StepRetried | StepDecided | StepHandedOver,
    ) -> str | None:
        run = self.runs.get(event.run_id)
        if run is None or event.path not in run.steps:
            return None
        step = run.steps[event.path]
        if isinstance(event, StepRetried):
            self._places.pop(step.task_id, None)
            self._places[event.task_id] = (run.run_id, event.path)
        run.put(fold(step, event))
        return run.run_id

    def _fold_task(self, event: TaskEvent) -> str | None:
        place = self.place_of(event.task_id)
        if place is None:
            return None
        run, step = place
        after = fold(step, event)
        if after is step:
            return None
        run.put(after)
        return run.run_id

    def _forget_oldest(self) -> None:
        if len(self.runs) <= self._max_runs:
            return
        oldest = next((run for run in self.runs.values() if run.ended is not None), None)
        if oldest is None:
            return
        self.forget(oldest.run_id)


def _end_of(run: RunState, seen_at: float) -> float:
    """When a run ended: a detached run ends with its last step, whenever that is seen."""
    if not run.detached:
        return seen_at
    ends = [step.ended_at or seen_at for step in run.steps.values() if step.was_sent]
    return max(ends, default=seen_at)


def folded(events: Iterable[object]) -> RunState | None:
    """The run that its events tell of; None where its start is not among them."""
    index = RunIndex()
    index.apply_all(events)
    return next(iter(index.runs.values()), None)
