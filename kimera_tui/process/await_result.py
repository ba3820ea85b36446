"""From a dispatched task to its end: the wait, the callbacks, the release."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from kimera_tui.errors import ResultAtRisk, TaskFailed, TaskRevoked, TimeoutException
from kimera_tui.process.call import Overtime
from kimera_tui.process.callables import Callback
from kimera_tui.process.engine import Engine
from kimera_tui.process.events import (
    CallbackFailed,
    CallbackFinished,
    CallbackStarted,
    Failed,
    FinishedLate,
    RemotelyRevoked,
    Succeeded,
    TimedOut,
    WatchStopped,
)
from kimera_tui.process.loop.bus import Emitter
from kimera_tui.process.loop.deadlines import Deadlines
from kimera_tui.process.outcome import REVOKED, SUCCESS, Outcome

LEAST_MORE = 0.5
"""Seconds between two looks at how long an outage has lasted."""


@dataclass(slots=True)
class Followed:
    """One dispatched task and what shall happen when it ends."""

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
    """The most seconds of outages that don't count as time waited."""
    adopted: bool = False
    """Whether it was sent before, so that it may have ended while nobody watched."""
    let_go: Callable[[Followed, BaseException | None], None] | None = None
    """Called when the task that follows it has ended."""

    def ended(self, handle: asyncio.Task[Any]) -> None:
        """For ``add_done_callback``: a closure for each task would take 200 bytes more."""
        if self.let_go is not None:
            self.let_go(self, asyncio.CancelledError() if handle.cancelled() else None)


@dataclass(slots=True)
class Follower:
    """Follows dispatched tasks on the running loop."""

    emitter: Emitter
    _background: set[asyncio.Task[None]] = field(default_factory=set)
    _shared: Deadlines | None = None

    async def follow(self, followed: Followed) -> Any:
        """Wait for the task's end and return its result.

        Raises:
            TaskFailed: the task raised.
            TaskRevoked: it was revoked.
            TimeoutException: it did not end in time; a late end is still announced.
        """
        outcome = followed.outcome
        if followed.timeout is None:
            await outcome
        elif (waited := await self._wait(followed, followed.timeout)) is not None:
            raise self._timed_out(followed, waited)
        return await self._ended(followed, outcome.result())

    async def _wait(self, followed: Followed, seconds: float) -> float | None:
        """Wait for the outcome; returns the seconds waited if there is none in time."""
        waited, patience = 0.0, followed.patience or 0.0
        outages = followed.engine.outages
        away = outages.seconds
        while True:
            if await self._deadlines().wait(followed.outcome, seconds):
                return None
            waited += seconds
            seconds = 0.0 if followed.overtime is None else await followed.overtime()
            if seconds <= 0 and (lost := outages.seconds - away) > 0:
                # Nobody could see an end meanwhile, so that time doesn't count.
                away += lost
                seconds = min(max(lost, LEAST_MORE), patience)
                patience -= seconds
            if seconds <= 0:
                return waited

    def _deadlines(self) -> Deadlines:
        """The running loop's."""
        loop = asyncio.get_running_loop()
        if self._shared is None or self._shared.loop is not loop:
            self._shared = Deadlines(loop)
        return self._shared

    def stopped(self, followed: Followed) -> None:
        """Nobody waits any more: stop watching."""
        followed.engine.watcher.unwatch(followed.task_id)
        self.emitter.emit(WatchStopped(at=self.emitter.now(), task_id=followed.task_id))

    async def _ended(self, followed: Followed, outcome: Outcome) -> Any:
        at, task_id = self.emitter.now(), followed.task_id
        done_at = outcome.done_at if followed.adopted else None
        if outcome.state == SUCCESS:
            if self.emitter.heard:
                self.emitter.emit(
                    Succeeded(at=at, task_id=task_id, result=outcome.result, done_at=done_at)
                )
            try:
                await self._call_back(followed, outcome.result)
            except (ResultAtRisk, asyncio.CancelledError):
                raise  # nobody has the result yet, so it stays where it is
            except BaseException:
                followed.engine.releaser.release(task_id)
                raise
            followed.engine.releaser.release(task_id)
            return outcome.result
        if outcome.state == REVOKED:
            reason = outcome.error_message
            self.emitter.emit(
                RemotelyRevoked(at=at, task_id=task_id, reason=reason, done_at=done_at)
            )
            raise TaskRevoked(followed.task, task_id, reason)
        error = (outcome.error_type, outcome.error_message, outcome.traceback)
        self.emitter.emit(
            Failed(
                at=at,
                task_id=task_id,
                error_type=outcome.error_type,
                error_message=outcome.error_message,
                traceback=outcome.traceback,
                done_at=done_at,
            )
        )
        raise TaskFailed(followed.task, task_id, *error)

    async def _call_back(self, followed: Followed, result: Any) -> None:
        if followed.callback is not None:
            await self.run_callback(followed.task_id, followed.callback, result)
        if followed.func is not None:
            await self.run_callback(followed.task_id, followed.func, result)

    async def run_callback(self, task_id: str, callback: Callable[[Any], Any], value: Any) -> None:
        """Call a callback, await it if it is async, and tell how it went; reraises its error."""
        name, emitter = callback_name(callback), self.emitter
        if emitter.heard:
            emitter.emit(CallbackStarted(at=emitter.now(), task_id=task_id, callback=name))
        try:
            returned = callback(value)
            # A plain function may hand on the coroutine of an async one; a task runs by itself.
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
        if emitter.heard:
            emitter.emit(CallbackFinished(at=emitter.now(), task_id=task_id, callback=name))

    def _timed_out(self, followed: Followed, seconds: float) -> TimeoutException:
        self.emitter.emit(
            TimedOut(at=self.emitter.now(), task_id=followed.task_id, seconds=seconds)
        )
        self._in_background(self._await_late(followed))
        return TimeoutException(followed.task, followed.friend, seconds, followed.task_id)

    async def hand_over(self, results: list[Any], callback: Callable[[Any], Any]) -> None:
        """Call a callback with what has been gathered; what it raises is told as an event."""
        with contextlib.suppress(Exception):
            await self.run_callback("", callback, results)

    def call_when_ended(self, handles: Sequence[asyncio.Task[Any]], callback: Callback) -> None:
        """Schedule a callback with all results or exceptions for when all handles have ended."""

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
                task.exception()  # a callback's error is told as an event

        task = asyncio.get_running_loop().create_task(coroutine)
        self._background.add(task)
        task.add_done_callback(ended)

    async def _await_late(self, followed: Followed) -> None:
        """Announce the end of a task that nobody waits for any more; its result stays."""
        outcome = await followed.outcome
        followed.engine.watcher.unwatch(followed.task_id)
        error = f"{outcome.error_type}: {outcome.error_message}" if outcome.error_type else ""
        self.emitter.emit(
            FinishedLate(
                at=self.emitter.now(),
                task_id=followed.task_id,
                state=outcome.state,
                result=outcome.result,
                error=error,
            )
        )


def callback_name(callback: object) -> str:
    """What to call a callback on screen."""
    return str(getattr(callback, "__qualname__", "") or type(callback).__qualname__)
