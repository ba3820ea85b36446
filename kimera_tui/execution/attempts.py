"""Send, adopt and retry steps, or ask the operator about them."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from kimera_tui.errors import (
    KimeraError,
    PublishUncertain,
    TaskFailed,
    TaskRevoked,
    TimeoutException,
)
from kimera_tui.execution.actions import Adopt, Ask, Doubt, Retry, Send, Withdraw
from kimera_tui.execution.completion import RunStopped, outcome_of, reason
from kimera_tui.execution.frames import Agenda, Frame
from kimera_tui.execution.template_scope import Scope, error_name
from kimera_tui.runs.events import StepDecided, StepIntended
from kimera_tui.runs.plan import PlannedTask, RetryRule
from kimera_tui.runs.recovery import Verdict
from kimera_tui.runs.state import fold
from kimera_tui.runs.status import Status
from kimera_tui.runs.step import StepState

UNASKED = RetryRule(most=3)
"""How often an idempotent step is resent before its operator is asked."""


@dataclass(slots=True, eq=False)
class Step(Frame):
    """A step that has begun."""

    task: PlannedTask = field(default_factory=lambda: PlannedTask("", "", ""))
    attempt: int = 1
    recorded: StepState | None = None
    sent: bool = False
    """Whether the latest attempt was published."""
    resent: int = 0
    """How often it was resent without asking."""
    doubt: PublishUncertain | None = None
    """Why the operator is asked about it."""
    timed_out: TimeoutException | None = None
    """Set while it is unknown whether the attempt that timed out is over."""


@dataclass(slots=True)
class Attempts:
    """The steps of one run that have begun and not ended.

    Args:
        agenda: Queues work and collects actions.
        scope: Learns the name of each task.
        new_id: Creates task ids for retries.
        asks: Whether an operator can be asked.
        stopped: Returns why a step may no longer be sent; None if it may.
        ended: Called with the result and the error of each step that ends.
        recorded: The journal's state of each step, by path.
        verdicts: The fate of each step that was in flight, by path.
        intents: What was about to be sent, by path.
    """

    agenda: Agenda
    scope: Scope
    new_id: Callable[[], str]
    asks: bool
    stopped: Callable[[str], RunStopped | None]
    ended: Callable[[Step, Any, Exception | None], None]
    recorded: Mapping[str, StepState] = field(default_factory=dict)
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    intents: Mapping[str, StepIntended] = field(default_factory=dict)
    asking: set[str] = field(default_factory=set)
    """Paths of the steps that wait for the operator's decision."""
    open: dict[str, Step] = field(default_factory=dict)
    """The steps, by path."""
    withdrawing: set[str] = field(default_factory=set)
    """Paths of the steps that timed out and need proof that they are over, to be retried."""
    _later: list[tuple[float, int, Step]] = field(default_factory=list)
    """Heap of steps scheduled for a retry."""
    _number: Iterator[int] = field(default_factory=itertools.count)

    def begin(self, step: Step) -> None:
        """Begin a step, or continue it from the journal's state."""
        path, recorded = step.node.path, self.recorded.get(step.node.path)
        self.open[path] = step
        verdict = self.verdicts.get(path)
        if recorded is not None:
            step.task, step.attempt = replace(step.task, task_id=recorded.task_id), recorded.attempt
            step.recorded = recorded
        self._name(step)
        if recorded is not None and recorded.status.ended:
            try:
                result = outcome_of(recorded)
            except KimeraError as error:
                self._failed(step, error)
            else:
                self._end(step, result)
        elif verdict is not None and verdict.what == "adopt":
            self._adopt(step, verdict.why)
        elif (stopped := self.stopped(path)) is not None:
            self._failed(step, stopped)
        elif verdict is not None and verdict.what == "uncertain":
            doubt = PublishUncertain(verdict.why)
            self.agenda.actions.append(Doubt(step.task, doubt))
            self._failed(step, doubt)
        elif recorded is not None and recorded.status is Status.RETRYING and verdict is None:
            self._send_at(step, recorded.next_try or 0.0)
        else:
            self._send(step, self.intents.get(path) if verdict is not None else None)

    def send_due(self) -> None:
        """Send the retries that are due."""
        while self._later and self._later[0][0] <= self.agenda.now:
            step = heapq.heappop(self._later)[2]
            self.agenda.add(step, partial(self._send, step))

    def next_time(self) -> float | None:
        """When the next retry is due, in seconds since the epoch; None if none is scheduled."""
        return self._later[0][0] if self._later else None

    def sent(self, path: str) -> None:
        """Report that a step's task is being published."""
        if (step := self.open.get(path)) is not None:
            step.sent = True

    def succeeded(self, path: str, result: Any) -> None:
        """Report a step's result."""
        if (step := self.open.get(path)) is not None:
            self.agenda.add(step, partial(self._end, step, result))

    def failed(self, path: str, error: Exception) -> None:
        """Report that an attempt failed or could not be made."""
        if (step := self.open.get(path)) is not None:
            self.agenda.add(step, partial(self._failed, step, error))

    def withdrawn(self, path: str, task_id: str, over: bool, why: str) -> None:
        """Report what became of a task that timed out.

        Args:
            path: Its step.
            task_id: The task.
            over: Whether it is certain that it does not run, and never will.
            why: What is known instead, in a few words.
        """
        step = self.open.get(path)
        if step is not None and path in self.withdrawing and step.task.task_id == task_id:
            self.withdrawing.discard(path)
            self.agenda.add(step, partial(self._withdrawn, step, over, why))

    def decided(self, event: StepDecided) -> None:
        """Report the operator's decision about a step."""
        self.asking.discard(event.path)
        if (step := self.open.get(event.path)) is not None:
            self.agenda.add(step, partial(self._decide, step, event))

    def stop_waiting(self, stopped: RunStopped, paths: Collection[str] | None = None) -> None:
        """End the steps that wait for a retry, for proof or for the operator.

        Args:
            stopped: The error they end with.
            paths: Only these; None for all.
        """
        later = [each[2] for each in self._later]
        asked = [self.open[path] for path in sorted(self.asking | self.withdrawing)]
        for step in [*later, *asked]:
            if paths is None or step.node.path in paths:
                self.asking.discard(step.node.path)
                self.withdrawing.discard(step.node.path)
                self.agenda.add(step, partial(self._failed, step, stopped))
        self._later = [
            each for each in self._later if paths is not None and each[2].node.path not in paths
        ]
        heapq.heapify(self._later)

    def forget(self, path: str) -> Step | None:
        """Stop tracking a step, and return it."""
        self.asking.discard(path)
        self.withdrawing.discard(path)
        return self.open.pop(path, None)

    def _send(self, step: Step, intent: StepIntended | None = None) -> None:
        if (stopped := self.stopped(step.node.path)) is not None:
            self._failed(step, stopped)
            return
        self.agenda.actions.append(Send(step.node, step.task, step.upstream, step.error, intent))

    def _send_at(self, step: Step, at: float) -> None:
        if at <= self.agenda.now:
            self.agenda.add(step, partial(self._send, step))
        else:
            heapq.heappush(self._later, (at, next(self._number), step))

    def _adopt(self, step: Step, where: str = "") -> None:
        self.agenda.actions.append(Adopt(step.node, step.task, step.upstream, step.recorded, where))

    def _failed(self, step: Step, error: Exception) -> None:
        stopped = self.stopped(step.node.path)
        match error:
            case PublishUncertain():
                if step.node.rules.idempotent and step.resent < UNASKED.most and not stopped:
                    step.resent += 1
                    delay = UNASKED.delay_before(step.resent + 1)
                    self._retry(step, delay, "resent automatically: the step is idempotent")
                    return
                if self.asks and not stopped:
                    step.doubt = error
                    self.asking.add(step.node.path)
                    self.agenda.actions.append(Ask(step.node.path))
                    return
                if self.asks and stopped:
                    error = stopped
            case TimeoutException():
                if self._timed_out(step, error, again=not stopped and _covers(step, error)):
                    return
            case TaskFailed() | TaskRevoked() if not stopped and _covers(step, error):
                self._next_try(step, error)
                return
        self._end(step, None, error)

    def _timed_out(self, step: Step, error: TimeoutException, *, again: bool) -> bool:
        """Withdraw a task that timed out; return whether its step goes on.

        A second attempt needs proof that the first is over, unless both may run.
        """
        rules, recorded = step.node.rules, step.recorded
        over = recorded is not None and (
            recorded.taken_out or recorded.status is Status.FINISHED_LATE
        )
        awaited = again and not rules.idempotent and not over
        if rules.on_timeout != "leave" and (step.sent or awaited):
            terminate = rules.on_timeout == "terminate"
            self.agenda.actions.append(Withdraw(step.node.path, step.task, terminate, awaited))
        if awaited:
            step.timed_out = error
            if rules.on_timeout == "leave":
                self._withdrawn(step, False, "it was left to run")
            else:
                self.withdrawing.add(step.node.path)
        elif again:
            self._next_try(step, error)
        return again

    def _withdrawn(self, step: Step, over: bool, why: str) -> None:
        error, step.timed_out = step.timed_out, None
        if error is None:
            return
        if self.stopped(step.node.path) is not None:
            self._end(step, None, error)
        elif over:
            self._next_try(step, error)
        else:
            doubt = PublishUncertain(
                f"No result within {error.seconds:g} s, and it may still run: {why}. Without"
                " `idempotent: true` it is not sent a second time."
            )
            self.agenda.actions.append(Doubt(step.task, doubt))
            self._failed(step, doubt)

    def _next_try(self, step: Step, error: KimeraError) -> None:
        rule = step.node.rules.retry
        delay = 0.0 if rule is None else rule.delay_before(step.attempt + 1)
        self._retry(step, delay, reason(error))

    def _end(self, step: Step, result: Any, error: Exception | None = None) -> None:
        if self.open.get(step.node.path) is step:
            del self.open[step.node.path]
        self.ended(step, result, error)

    def _retry(self, step: Step, delay: float, because: str) -> None:
        step.attempt, step.recorded, step.sent = step.attempt + 1, None, False
        step.task = replace(step.task, task_id=self.new_id())
        self._name(step)
        self.agenda.actions.append(
            Retry(step.node.path, step.task.task_id, step.attempt, delay, because)
        )
        self._send_at(step, self.agenda.now + delay)

    def _decide(self, step: Step, event: StepDecided) -> None:
        match event.what:
            case "done":
                self._end(step, event.result)
            case "wait":
                step.recorded = step.recorded and fold(step.recorded, event)
                self._adopt(step)
            case "again" if (stopped := self.stopped(step.node.path)) is not None:
                self._end(step, None, stopped)
            case "again":
                self._retry(step, 0.0, f"resent, as decided by {event.by}")
            case "fail":
                doubt = f"{step.doubt} " if step.doubt is not None else ""
                error = KimeraError(f"{doubt}Marked as failed by {event.by}.")
                self._end(step, None, error)

    def _name(self, step: Step) -> None:
        self.scope.names[step.task.task_id] = f"{step.task.friend}.{step.task.task_name}"


def _covers(step: Step, error: KimeraError) -> bool:
    """Whether a step is retried after an error."""
    rule = step.node.rules.retry
    return rule is not None and step.attempt <= rule.most and rule.covers(error_name(error))
