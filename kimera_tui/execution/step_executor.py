"""One step of a run: sent or taken over, its result kept, tried again where its rules say so."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kimera_tui.documents.short_secrets import ShortSecrets
from kimera_tui.errors import (
    KimeraError,
    PublishUncertain,
    TaskFailed,
    TaskRevoked,
    TimeoutException,
    UsageError,
)
from kimera_tui.execution.completion import GIVEN_UP, RunStopped, given, reason
from kimera_tui.execution.detach.handover import Handover
from kimera_tui.execution.pause_gate import Gate
from kimera_tui.execution.run_context import Hands
from kimera_tui.execution.start_timeout import Starts
from kimera_tui.execution.step_payload import payload
from kimera_tui.execution.template_scope import NOTHING, Scope, error_name
from kimera_tui.process.call import Overtime
from kimera_tui.runs.events import StepDecided, StepHandedOver, StepRetried
from kimera_tui.runs.plan import Node, PlannedTask, RetryRule
from kimera_tui.runs.recovery import Past, Verdict
from kimera_tui.runs.state import StepState, fold
from kimera_tui.runs.status import Status
from kimera_tui.values.placeholders import is_whole, missing_in

LEAST_WAIT = 5.0
"""Seconds for which an adopted task is waited for at least, whatever is left of its time."""
OUTAGE_SECONDS = 60.0
"""Seconds for which a broker may be away without ending a step, or longer if its time-out is."""
UNASKED = RetryRule(most=3)
"""How often a step that may run twice is sent again before its operator is asked."""


@dataclass(slots=True)
class Stepper:
    """Has the steps of one run done, each up to its end."""

    run_id: str
    hands: Hands
    scope: Scope
    past: Past | None = None
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    in_flight: dict[str, str] = field(default_factory=dict)
    """Path of each task that was handed to the broker and has not ended, by its id."""
    halt: asyncio.Event = field(default_factory=asyncio.Event)
    """Set as soon as nothing more may be sent."""
    given_up: set[str] = field(default_factory=set)
    """Paths of the steps that aren't sent any more, for a branch beside them has failed."""
    begun: set[str] = field(default_factory=set)
    """Paths of the steps of which the latest try was handed to the broker."""
    decisions: dict[str, asyncio.Future[StepDecided]] = field(default_factory=dict)
    """What is awaited from the operator, by path."""
    gate: Gate = field(default_factory=Gate)
    """Closed, it holds every step back that has not been sent."""
    handover: Handover | None = None
    """Where the workers go on with it; then nothing is watched for its time."""
    _starts: Starts | None = None
    _short: ShortSecrets = field(default_factory=ShortSecrets)

    def close(self) -> None:
        """Stop listening."""
        if self._starts is not None:
            self._starts.close()

    def known(self, path: str) -> StepState | None:
        """What the past tells of a step."""
        return self.past.run.steps.get(path) if self.past is not None else None

    def check(self, path: str) -> None:
        """Raise RunStopped if nothing more may be sent of a step."""
        if path in self.given_up:
            raise RunStopped(GIVEN_UP)
        if self.halt.is_set():
            raise RunStopped

    def _stopped(self, path: str) -> bool:
        return self.halt.is_set() or path in self.given_up

    async def go(self, node: Node, before: Any, error: Exception | None = None) -> Any:
        """Have a step's task done; returns its result, or raises what ended it.

        Args:
            node: A task's place in the plan.
            before: The result before it, or ``NOTHING``.
            error: What went wrong, for a step that is run for that.
        """
        path, task = node.path, node.task
        known, verdict = self.known(path), self.verdicts.get(path)
        if task is None:
            raise TypeError(f"No task stands at {path!r}.")
        attempt, unasked = 1, 0
        if known is not None:
            task, attempt = replace(task, task_id=known.task_id), known.attempt
        while True:
            self.scope.names[task.task_id] = f"{task.friend}.{task.task_name}"
            try:
                return await self._once(node, task, known, verdict, (before, error))
            except PublishUncertain as uncertain:
                if node.rules.idempotent and unasked < UNASKED.most and not self._stopped(path):
                    unasked += 1
                    delay = UNASKED.delay_before(unasked + 1)
                    because = "sent again unasked, for it may run twice"
                else:
                    decided = await self._decided(node, uncertain)
                    if decided.what == "done":
                        return decided.result
                    if decided.what == "wait":
                        known, verdict = known and fold(known, decided), Verdict("adopt")
                        continue
                    delay, because = 0.0, f"sent again, decided by {decided.by}"
            except (TaskFailed, TaskRevoked, TimeoutException) as ended:
                rule = node.rules.retry
                if rule is None or attempt > rule.most or not rule.covers(error_name(ended)):
                    raise
                if self._stopped(path):
                    raise
                delay, because = rule.delay_before(attempt + 1), reason(ended)
            attempt, known, verdict = attempt + 1, None, None
            task = self._retried(node, task, attempt, delay, because)
            await self._pause(delay)

    async def _once(self, *what: Any) -> Any:
        await self.gate.enter()
        try:
            return await self._tried(*what)
        finally:
            self.gate.leave()

    async def _tried(
        self,
        node: Node,
        task: PlannedTask,
        known: StepState | None,
        verdict: Verdict | None,
        fed: tuple[Any, Exception | None],
    ) -> Any:
        if known is not None and known.status.ended:
            return given(known)
        before, error = fed
        if verdict is not None and verdict.what == "adopt":
            return await self._adopt(node, task, known, verdict.why, before)
        self.check(node.path)
        if known is not None and known.status is Status.RETRYING and known.next_try and not verdict:
            await self._pause(known.next_try - self.hands.emitter.now())
        if verdict is not None and verdict.what == "uncertain":
            raise self.hands.refused(task, PublishUncertain(verdict.why), uncertain=True)
        if self.handover is not None:
            return await self._hand_over(node, task, self.handover)
        intent = self.past.intents.get(node.path) if self.past and verdict else None
        if intent is not None and is_whole(intent.args, intent.kwargs):
            return await self._send(node, task, intent.args, intent.kwargs)
        try:
            args, kwargs = payload(node, self.scope.at(before, error), before)
        except UsageError as wrong:  # such as a secret that isn't there any more
            raise self.hands.refused(task, wrong) from None
        return await self._send(node, task, args, kwargs)

    async def _hand_over(self, node: Node, task: PlannedTask, handover: Handover) -> Any:
        """Send a task with those that follow it in its message."""
        try:
            root = await handover.root(node.path)
        except KimeraError as error:
            handover.not_sent(node.path, error)
            raise self.hands.refused(task, error) from None
        try:
            return await self._send(node, task, root.args, root.kwargs, root.options)
        except KimeraError as error:
            handover.not_sent(node.path, error)
            raise

    async def _send(
        self,
        node: Node,
        task: PlannedTask,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        options: Mapping[str, Any] | None = None,
    ) -> Any:
        if (missing := next(missing_in(args, kwargs), None)) is not None:
            raise self.hands.held(self.run_id, node.path, task, missing.why)
        task = self.hands.with_secrets(task, len(args))
        await self.hands.write_down(self.run_id, node.path, task, (args, kwargs))
        for text in self._short.news(args, kwargs, task.secret):
            self.hands.notice(task, text, against=False)
        self.check(node.path)  # meanwhile it may have been stopped
        arrived: list[Any] = []
        with self._flying(node, task):
            timeout, overtime = self._patience(node, task, self.hands.emitter.now())
            handle = await self.hands.manager.send_async(
                task.task_name,
                task.friend,
                args,
                kwargs,
                self.hands.hand_on(self.run_id, node.path, task, arrived),
                task_id=task.task_id,
                timeout=timeout,
                overtime=overtime,
                patience=_through_outages(node, task),
                secret=task.secret,
                **(options or {}),
            )
            if self.handover is not None:
                self.handover.sent(node.path)
            for text in self.hands.findings(task.friend, task.task_name):
                self.hands.notice(task, text)
            await self._ended(handle, node, task)
        return arrived[0]

    async def _adopt(
        self,
        node: Node,
        task: PlannedTask,
        known: StepState | None,
        where: str = "",
        before: Any = NOTHING,
    ) -> Any:
        arrived: list[Any] = []
        manager, now = self.hands.manager, self.hands.emitter.now()
        sent = now if known is None else known.sent_at or known.since
        began = None if known is None else known.started_at
        timeout, overtime = self._patience(node, task, sent, began)
        if timeout is not None:
            timeout = max(LEAST_WAIT, timeout - (now - sent))
        with self._flying(node, task):
            handle = await manager.adoption.adopt(
                manager.friends,
                task.friend,
                task.task_name,
                task.task_id,
                self.hands.hand_on(self.run_id, node.path, task, arrived),
                timeout,
                overtime,
                _through_outages(node, task),
            )
            if where:
                self.hands.notice(task, where, against=False)
            if self.handover is not None and node.path not in self.handover.paths:
                self._tell_handed_over(node, task, before)
            await self._ended(handle, node, task)
        return arrived[0]

    def _tell_handed_over(self, node: Node, task: PlannedTask, before: Any) -> None:
        try:
            args, kwargs = payload(node, self.scope.at(before), before)
        except KimeraError:  # a secret that only the console had which handed it over
            return
        self.hands.emitter.emit(
            StepHandedOver(
                at=self.hands.emitter.now(),
                run_id=self.run_id,
                path=node.path,
                args=tuple(args),
                kwargs=dict(kwargs),
                secret=task.secret,
            )
        )

    @contextlib.contextmanager
    def _flying(self, node: Node, task: PlannedTask) -> Iterator[None]:
        self.begun.add(node.path)
        self.in_flight[task.task_id] = node.path
        try:
            yield
        finally:
            self.in_flight.pop(task.task_id, None)

    def _patience(
        self, node: Node, task: PlannedTask, sent: float, began: float | None = None
    ) -> tuple[float | None, Overtime | None]:
        """Seconds to wait at first, and who is asked for more when they are over."""
        if self.handover is not None:
            return None, None
        if node.rules.start_timeout is None:
            return task.timeout, None
        if self._starts is None:
            self._starts = Starts(self.hands.manager.events, self.hands.emitter)
        return self._starts.patience(
            task.task_id, sent, node.rules.start_timeout, task.timeout, began
        )

    async def _ended(self, handle: asyncio.Task[Any], node: Node, task: PlannedTask) -> None:
        try:
            await handle
        except TimeoutException:
            if (act := node.rules.on_timeout) != "leave":
                with contextlib.suppress(KimeraError):
                    await self.hands.manager.revoke(task.task_id, act == "terminate")
            raise

    def _retried(
        self, node: Node, task: PlannedTask, attempt: int, delay: float, because: str
    ) -> PlannedTask:
        """Announce another try; returns its task."""
        self.begun.discard(node.path)
        emitter, task_id = self.hands.emitter, self.hands.new_id()
        emitter.emit(
            StepRetried(
                at=emitter.now(),
                run_id=self.run_id,
                path=node.path,
                task_id=task_id,
                attempt=attempt,
                delay=delay,
                because=because,
            )
        )
        return replace(task, task_id=task_id)

    async def _pause(self, seconds: float) -> None:
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.halt.wait(), seconds)
        if self.halt.is_set():
            raise RunStopped

    async def _decided(self, node: Node, uncertain: PublishUncertain) -> StepDecided:
        """What the step's operator says became of it; raises for a failure."""
        if not self.hands.asks and node.path not in self.decisions:
            raise uncertain
        awaited = self.decisions.setdefault(node.path, asyncio.get_running_loop().create_future())
        halted = asyncio.ensure_future(self.halt.wait())
        halted.add_done_callback(lambda _: awaited.cancel())
        try:
            decided = await awaited
        except asyncio.CancelledError:
            if self.halt.is_set():
                raise RunStopped from None
            raise
        finally:
            halted.cancel()
        del self.decisions[node.path]
        await self.hands.keep_event(decided)
        if decided.what == "fail":
            raise KimeraError(f"{uncertain} It failed, as decided by {decided.by}.")
        return decided


def _through_outages(node: Node, task: PlannedTask) -> float:
    """Seconds of an outage that don't end a step."""
    return max(OUTAGE_SECONDS, task.timeout or 0.0, node.rules.start_timeout or 0.0)
