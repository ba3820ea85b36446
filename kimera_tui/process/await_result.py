"""Awaits the results of dispatched tasks: the wait, the callbacks, the release."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from kimera_tui.errors import (
    ResultAtRisk,
    ResultUnknown,
    TaskFailed,
    TaskRevoked,
    TimeoutException,
)
from kimera_tui.process.call import Callback, Overtime
from kimera_tui.process.engine import Engine
from kimera_tui.process.events import (
    CallbackFailed,
    CallbackFinished,
    CallbackStarted,
    EndedUnknown,
    Failed,
    FinishedLate,
    Noticed,
    RemotelyRevoked,
    Spawned,
    Succeeded,
    TimedOut,
    WatchStopped,
)
from kimera_tui.process.loop.bus import Emitter
from kimera_tui.process.loop.deadlines import Deadlines
from kimera_tui.process.outcome import ENDED, REVOKED, SUCCESS, Outcome

MIN_EXTENSION = 0.5
"""The shortest extension of a wait by an outage, in seconds."""


@dataclass(slots=True)
class PendingTask:
    """One dispatched task and what to do when it ends."""

    task_id: str
    task: str
    friend: str
    outcome: asyncio.Future[Outcome]
    engine: Engine
    callback: Callback | None = None
    func: Callable[[Any], Any] | None = None
    timeout: float | None = None
    """Seconds from the dispatch; None waits without a limit."""
    overtime: Overtime | None = None
    patience: float | None = None
    """Maximum seconds of outages that do not count as time waited."""
    adopted: bool = False
    """Whether it was sent earlier, so that it may have ended unwatched."""
    forget_only: bool = False
    """Whether it is released without a revoke."""
    on_done: Callable[[PendingTask, BaseException | None], None] | None = None
    """Called when the asyncio.Task that waits for it is done."""

    def release(self) -> None:
        """Release it: it has ended, and its result was taken."""
        self.engine.releaser.release(self.task_id, revoke=not self.forget_only)

    def done(self, handle: asyncio.Task[Any]) -> None:
        """For ``add_done_callback``: a closure would take 200 bytes more per task."""
        if self.on_done is not None:
            self.on_done(self, asyncio.CancelledError() if handle.cancelled() else None)


@dataclass(slots=True)
class ResultWaiter:
    """Waits for the results of dispatched tasks on the running loop."""

    emitter: Emitter
    stopped: OrderedDict[str, None] = field(default_factory=OrderedDict)
    """Ids of the tasks that this process asked to stop, the oldest first."""
    _background: set[asyncio.Task[None]] = field(default_factory=set)
    _shared: Deadlines | None = None

    async def wait(self, pending: PendingTask) -> Any:
        """Wait for the task's end and return its result.

        Raises:
            TaskFailed: the task raised.
            TaskRevoked: it was revoked.
            ResultUnknown: it ended, and its result cannot be read.
            TimeoutException: it did not end in time; a late end is still announced.
        """
        outcome = pending.outcome
        if pending.timeout is None:
            await outcome
        elif (waited := await self._wait_in_time(pending, pending.timeout)) is not None:
            raise self._timed_out(pending, waited)
        return await self._ended(pending, outcome.result())

    async def _wait_in_time(self, pending: PendingTask, seconds: float) -> float | None:
        """Wait for the outcome; return None, or the seconds waited if the timeout is over."""
        waited, patience = 0.0, pending.patience or 0.0
        outages = pending.engine.outages
        counted = outages.seconds
        while True:
            if await self._deadlines().wait(pending.outcome, seconds):
                return None
            waited += seconds
            seconds = 0.0 if pending.overtime is None else await pending.overtime()
            if seconds <= 0 and (lost := outages.seconds - counted) > 0:
                # No result could arrive meanwhile, so that time does not count.
                counted += lost
                seconds = min(max(lost, MIN_EXTENSION), patience)
                patience -= seconds
            if seconds <= 0:
                return waited

    def _deadlines(self) -> Deadlines:
        """The running loop's deadlines."""
        loop = asyncio.get_running_loop()
        if self._shared is None or self._shared.loop is not loop:
            self._shared = Deadlines(loop)
        return self._shared

    def stop(self, pending: PendingTask) -> None:
        """Stop watching: the wait was cancelled."""
        pending.engine.watcher.unwatch(pending.task_id)
        self.emitter.emit(WatchStopped(at=self.emitter.now(), task_id=pending.task_id))

    async def _ended(self, pending: PendingTask, outcome: Outcome) -> Any:
        done_at = outcome.done_at if pending.adopted else None
        if outcome.name not in ("", pending.task):
            text = f"It replaced itself: {outcome.name} ran under its id."
            self.emitter.emit(
                Noticed(at=self.emitter.now(), task_id=pending.task_id, text=text, against=False)
            )
        if outcome.state != SUCCESS:
            raise self._without_result(pending, outcome, done_at)
        task_id = pending.task_id
        if self.emitter.has_listeners:
            at = self.emitter.now()
            if children := outcome.children:
                total = outcome.children_total
                self.emitter.emit(Spawned(at=at, task_id=task_id, children=children, total=total))
            self.emitter.emit(
                Succeeded(at=at, task_id=task_id, result=outcome.result, done_at=done_at)
            )
        try:
            await self._call_back(pending, outcome.result)
        except (ResultAtRisk, asyncio.CancelledError):
            raise  # the result is not safe yet, so it stays in the backend
        except BaseException:
            pending.release()
            raise
        pending.release()
        return outcome.result

    def _without_result(
        self, pending: PendingTask, outcome: Outcome, done_at: float | None
    ) -> TaskFailed | TaskRevoked | ResultUnknown:
        """Announce any other end and return its error; what is stored stays, as evidence."""
        at, task_id, reason = self.emitter.now(), pending.task_id, outcome.error_message
        if outcome.state == REVOKED:
            self.emitter.emit(
                RemotelyRevoked(at=at, task_id=task_id, reason=reason, done_at=done_at)
            )
            return TaskRevoked(pending.task, task_id, reason)
        if outcome.state == ENDED:
            pending.engine.watcher.unwatch(task_id)
            self.emitter.emit(
                EndedUnknown(
                    at=at,
                    task_id=task_id,
                    reason=reason,
                    done_at=done_at,
                    source=outcome.source,
                )
            )
            return ResultUnknown(pending.task, task_id, reason)
        self.emitter.emit(
            Failed(
                at=at,
                task_id=task_id,
                error_type=outcome.error_type,
                error_message=reason,
                traceback=outcome.traceback,
                done_at=done_at,
            )
        )
        return TaskFailed(pending.task, task_id, outcome.error_type, reason, outcome.traceback)

    async def _call_back(self, pending: PendingTask, result: Any) -> None:
        if pending.callback is not None:
            await self.run_callback(pending.task_id, pending.callback, result)
        if pending.func is not None:
            await self.run_callback(pending.task_id, pending.func, result)

    async def run_callback(self, task_id: str, callback: Callable[[Any], Any], value: Any) -> None:
        """Call a callback, await it if it is async, and emit events; reraises its error."""
        name, emitter = callback_name(callback), self.emitter
        if emitter.has_listeners:
            emitter.emit(CallbackStarted(at=emitter.now(), task_id=task_id, callback=name))
        try:
            returned = callback(value)
            # A plain function may return a coroutine, to be awaited; a future runs by itself.
            if inspect.isawaitable(returned) and not isinstance(returned, asyncio.Future):
                await returned
        except Exception as error:
            self.emitter.emit(
                CallbackFailed(
                    at=self.emitter.now(),
                    task_id=task_id,
                    callback=name,
                    error=f"{type(error).__name__}: {error}",
                )
            )
            raise
        if emitter.has_listeners:
            emitter.emit(CallbackFinished(at=emitter.now(), task_id=task_id, callback=name))

    def _timed_out(self, pending: PendingTask, seconds: float) -> TimeoutException:
        self.emitter.emit(TimedOut(at=self.emitter.now(), task_id=pending.task_id, seconds=seconds))
        self._in_background(self._await_late(pending))
        return TimeoutException(pending.task, pending.friend, seconds, pending.task_id)

    async def hand_over(self, results: list[Any], callback: Callable[[Any], Any]) -> None:
        """Call a callback with gathered results; its error becomes an event."""
        with contextlib.suppress(Exception):
            await self.run_callback("", callback, results)

    def call_when_ended(self, handles: Sequence[asyncio.Task[Any]], callback: Callback) -> None:
        """Call a callback with all results or exceptions once all handles have ended."""

        async def deliver() -> None:
            if handles:
                await asyncio.wait(handles)
            results = [
                asyncio.CancelledError() if each.cancelled() else each.exception() or each.result()
                for each in handles
            ]
            await self.hand_over(results, callback)

        self._in_background(deliver())

    def _in_background(self, coroutine: Coroutine[Any, Any, None]) -> None:
        def ended(task: asyncio.Task[None]) -> None:
            self._background.discard(task)
            if not task.cancelled():
                task.exception()  # a callback's error is an event

        task = asyncio.get_running_loop().create_task(coroutine)
        self._background.add(task)
        task.add_done_callback(ended)

    async def _await_late(self, pending: PendingTask) -> None:
        """Announce the end of a task that timed out; its result stays in the backend."""
        outcome = await pending.outcome
        pending.engine.watcher.unwatch(pending.task_id)
        if outcome.state == REVOKED and pending.task_id in self.stopped:
            return  # the echo of our own revoke tells nothing of the task
        error = outcome.error_message
        error = f"{outcome.error_type}: {error}" if outcome.error_type else error
        self.emitter.emit(
            FinishedLate(
                at=self.emitter.now(),
                task_id=pending.task_id,
                state=outcome.state,
                result=outcome.result,
                error=error,
            )
        )


def callback_name(callback: object) -> str:
    """A callback's name for display."""
    return str(getattr(callback, "__qualname__", "") or type(callback).__qualname__)
