"""One run's way through its plan: what to send next, what came of it, what is left out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kimera_tui.errors import (
    BrokerUnavailable,
    JournalError,
    KimeraError,
    PublishUncertain,
    RunTaken,
    TaskFailed,
    TaskRevoked,
    TimeoutException,
)
from kimera_tui.process.announcer import Announcer
from kimera_tui.process.events import Noticed, Refused
from kimera_tui.process.feeding import feed
from kimera_tui.process.gathering import SLICE
from kimera_tui.process.task_manager import TaskManager
from kimera_tui.process.task_params import Callback
from kimera_tui.runs.events import StepHeld, StepSkipped
from kimera_tui.runs.journal import Journal
from kimera_tui.runs.notkept import missing_in
from kimera_tui.runs.plan import Node, PlannedTask
from kimera_tui.runs.recovery import Past, Verdict
from kimera_tui.runs.state import StepState
from kimera_tui.runs.status import Status

Findings = Callable[[str, str], Sequence[str]]
"""What stands against a friend's task, as far as is known now, in sentences."""

KEEP_AGAIN = 1.0
"""Seconds between two tries to write down a result."""
LEAST_WAIT = 5.0
"""Seconds for which an adopted task is waited for at least, whatever is left of its time."""


class RunStopped(KimeraError):
    """The run was cancelled: nothing more of it is sent."""

    exit_code = 4


@dataclass(frozen=True, slots=True)
class Hands:
    """What a walk works with."""

    manager: TaskManager
    announcer: Announcer
    findings: Findings
    journal: Journal | None


@dataclass(slots=True)
class Walk:
    """Walks one run's tree; what the past knows is neither asked nor sent again."""

    run_id: str
    plan: Node
    hands: Hands
    past: Past | None = None
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    cancelled: bool = False
    """Whether somebody cancelled the run: then nothing more is sent."""
    in_flight: set[str] = field(default_factory=set)
    """Ids of tasks that were handed to the broker and have not ended."""
    _settled: set[str] = field(default_factory=set)

    async def go(self) -> Any:
        """Walk to the end; returns the run's result, or raises what ended it."""
        return await self._walk(self.plan, None)

    def skip_rest(self, because: str) -> None:
        """Say of every step that hasn't been sent that it won't be."""
        for path, _ in self.plan.leaves():
            if path not in self._settled:
                self._skip(path, because, unreachable=True)

    async def _walk(self, node: Node, before: Any) -> Any:
        if node.task is not None:
            return await self._step(node.path, node.task, before)
        if node.kind == "para":
            return await self._all_at_once(node, before)
        result = before
        for position, child in enumerate(node.children):
            try:
                result = await self._walk(child, result)
            except RunTaken:
                raise
            except Exception as error:
                self._skip_all(node.children[position + 1 :], child, error)
                raise
        return result

    async def _all_at_once(self, node: Node, before: Any) -> list[Any]:
        branches: list[asyncio.Future[Any]] = []
        try:
            for count, each in enumerate(node.children, 1):
                branches.append(asyncio.ensure_future(self._walk(each, before)))
                if count % SLICE == 0:
                    await asyncio.sleep(0)
            results = await asyncio.gather(*branches, return_exceptions=True)
        finally:
            for branch in branches:
                branch.cancel()
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return results

    async def _step(self, path: str, task: PlannedTask, before: Any) -> Any:
        known = self.past.run.steps.get(path) if self.past is not None else None
        if known is not None and known.status.ended:
            self._settled.add(path)
            return _given(known)
        if self.cancelled:
            raise RunStopped("The run was cancelled.")
        self._settled.add(path)
        verdict = self.verdicts.get(path)
        if verdict is None:
            return await self._send(path, task, *feed(task.args, task.kwargs, before))
        if verdict.what == "adopt":
            return await self._adopt(path, task, known)
        if verdict.what == "uncertain":
            raise self._refused(task, PublishUncertain(verdict.why), uncertain=True)
        args, kwargs = feed(task.args, task.kwargs, before)
        intent = self.past.intents[path] if self.past is not None else None
        if intent is not None and next(missing_in(args, kwargs), None) is not None:
            args, kwargs = list(intent.args), dict(intent.kwargs)
        return await self._send(path, task, args, kwargs)

    async def _send(
        self, path: str, task: PlannedTask, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Any:
        if (missing := next(missing_in(args, kwargs), None)) is not None:
            raise self._held(path, task, missing.why)
        await self._write_down(path, task, args, kwargs)
        arrived: list[Any] = []
        manager = self.hands.manager
        self.in_flight.add(task.task_id)
        try:
            handle = await manager.send_async(
                task.task_name,
                task.friend,
                args,
                kwargs,
                self._hand_on(path, task, arrived),
                task_id=task.task_id,
                timeout=task.timeout,
            )
            for text in self.hands.findings(task.friend, task.task_name):
                self._notice(task, text)
            await handle
        finally:
            self.in_flight.discard(task.task_id)
        return arrived[0]

    async def _adopt(self, path: str, task: PlannedTask, known: StepState | None) -> Any:
        arrived: list[Any] = []
        manager = self.hands.manager
        timeout = task.timeout
        if timeout is not None and known is not None:
            gone = self.hands.announcer.now() - (known.sent_at or known.since)
            timeout = max(LEAST_WAIT, timeout - gone)
        self.in_flight.add(task.task_id)
        try:
            handle = await manager.adoption.adopt(
                manager.friends,
                task.friend,
                task.task_name,
                task.task_id,
                self._hand_on(path, task, arrived),
                timeout,
            )
            await handle
        finally:
            self.in_flight.discard(task.task_id)
        return arrived[0]

    async def _write_down(
        self, path: str, task: PlannedTask, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> None:
        """Return once it is on disk that the step is about to be sent."""
        journal, manager = self.hands.journal, self.hands.manager
        if journal is None:
            return
        try:
            server = await manager.adoption.server(manager.friends, task.friend)
        except BrokerUnavailable:
            server = ""  # the publish will say so
        step = (path, task.task_id, args, kwargs)
        try:
            await journal.intend(self.run_id, [step], task.secret, server)
        except JournalError as error:
            raise self._refused(task, error) from None

    def _hand_on(self, path: str, task: PlannedTask, arrived: list[Any]) -> Callback:
        """The callback that has the result: it is released only after this returned."""

        async def hand_on(result: Any) -> None:
            await self._keep(path, task, result)
            arrived.append(result)

        hand_on.__qualname__ = "hand on the result"
        return hand_on

    async def _keep(self, path: str, task: PlannedTask, result: Any) -> None:
        while self.hands.journal is not None:
            try:
                return await self.hands.journal.keep_result(self.run_id, path, task.task_id, result)
            except JournalError as error:
                why = error.message.partition(";")[0]
                self._notice(task, f"Its result is not saved yet, so it is not released: {why}.")
                await asyncio.sleep(KEEP_AGAIN)
        return None

    def _held(self, path: str, task: PlannedTask, why: str) -> KimeraError:
        announcer = self.hands.announcer
        announcer.tell(StepHeld(at=announcer.now(), run_id=self.run_id, path=path, because=why))
        return KimeraError(f"Step {path or '0'} ({task.task_name}): {why}; it was not sent.")

    def _refused(
        self, task: PlannedTask, error: KimeraError, uncertain: bool = False
    ) -> KimeraError:
        announcer = self.hands.announcer
        announcer.tell(
            Refused(
                at=announcer.now(), task_id=task.task_id, reason=str(error), uncertain=uncertain
            )
        )
        return error

    def _notice(self, task: PlannedTask, text: str) -> None:
        announcer = self.hands.announcer
        announcer.tell(Noticed(at=announcer.now(), task_id=task.task_id, text=text))

    def _skip_all(self, later: Sequence[Node], failed: Node, error: Exception) -> None:
        stopped = isinstance(error, RunStopped)
        revoked = stopped or isinstance(error, TaskRevoked)
        name = failed.task.task_name if failed.task is not None else failed.kind
        because = f"{name} was revoked" if revoked else f"upstream {name} failed"
        for node in later:
            for path, _ in node.leaves():
                self._skip(path, "the run was cancelled" if stopped else because, revoked)

    def _skip(self, path: str, because: str, unreachable: bool) -> None:
        known = self.past.run.steps.get(path) if self.past is not None else None
        self._settled.add(path)
        if known is not None and known.status.ended:
            return
        announcer = self.hands.announcer
        announcer.tell(
            StepSkipped(
                at=announcer.now(),
                run_id=self.run_id,
                path=path,
                because=because,
                unreachable=unreachable,
            )
        )


def _given(step: StepState) -> Any:
    """What a step that has ended gave: its result, or the error that it ended with."""
    match step.status:
        case Status.DONE:
            return step.result
        case Status.FAILED if step.error_type != "NotSent":
            raise TaskFailed(
                step.name, step.task_id, step.error_type, step.error_message, step.traceback
            )
        case Status.REVOKED:
            raise TaskRevoked(step.name, step.task_id)
        case Status.TIMED_OUT | Status.FINISHED_LATE:
            raise TimeoutException(step.name, step.friend, step.timeout or 0, step.task_id)
        case Status.UNCERTAIN:
            raise PublishUncertain(step.cause)
    raise KimeraError(step.cause)
