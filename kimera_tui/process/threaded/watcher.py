"""Learns how tasks end on a thread: by pushes where the backend supports them, and by polls."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kimera_tui.errors import BrokerUnavailable
from kimera_tui.process.events import ConnectionBack, ConnectionLost, Polled, StateSeen
from kimera_tui.process.failures import is_auth_failure
from kimera_tui.process.loop.bus import Emitter
from kimera_tui.process.loop.call_thread import CallThread
from kimera_tui.process.outages import Outages
from kimera_tui.process.outcome import SUCCESS, IsOver, Outcome
from kimera_tui.process.threaded.pushes import Pushed
from kimera_tui.process.threaded.result_reader import ReadResult, read_all

POLLS_PER_CALL = 200


@dataclass(slots=True)
class _Watch:
    future: asyncio.Future[Outcome]
    delay: float
    max_poll: float
    attempt: int = 0
    seen: tuple[str, Any] = ("", None)
    doubtful: bool = False
    """Whether its result was unreadable once; it may have been half written."""


class ThreadWatcher:
    """Polls each task with its own back-off; one trip to the thread serves all due polls.

    Args:
        thread: The thread that owns the result backend.
        handles: Result objects, by task id.
        read_result: Reads one of them, on the thread.
        adopt: Creates result objects of tasks sent by others, on the thread.
        dispose: Frees a task's result object, on the thread.
        emitter: Where polls and states are announced.
        outages: Adds up the time for which the result backend is unavailable.
        is_over: Asked about every stored REVOKED.
    """

    def __init__(
        self,
        thread: CallThread,
        handles: dict[str, Any],
        read_result: ReadResult,
        adopt: Callable[[Sequence[str]], list[Any]],
        dispose: Callable[[str], None],
        emitter: Emitter,
        outages: Outages,
        is_over: IsOver,
    ) -> None:
        self._outages = outages
        self._is_over = is_over
        self._thread = thread
        self._handles = handles
        self._read_result = read_result
        self._adopt = adopt
        self._dispose = dispose
        self._emitter = emitter
        self._watches: dict[str, _Watch] = {}
        self._due: list[tuple[float, int, str]] = []
        self._order = itertools.count()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._away = False
        self.loop: asyncio.AbstractEventLoop | None = None
        """The engine's loop; None before the first watch."""

    def watch(self, task_id: str, poll_start: float, max_poll: float) -> asyncio.Future[Outcome]:
        """Poll the task until it has ended."""
        self.loop = loop = asyncio.get_running_loop()
        known = self._watches.get(task_id)
        if known is not None:
            return known.future
        watch = _Watch(loop.create_future(), min(poll_start, max_poll), max_poll)
        self._watches[task_id] = watch
        self._schedule(task_id, watch)
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._run(), name="kimera watcher")
        return watch.future

    def conclude(self, task_id: str, outcome: Outcome) -> None:
        """End the watch of a task with an outcome learned elsewhere; see ``engine.Watcher``."""
        if (watch := self._watches.get(task_id)) is not None:
            self._end(task_id, watch, outcome)

    async def look_up(self, task_ids: Sequence[str]) -> dict[str, Outcome | None]:
        """What is stored for tasks sent by others; afterwards they can be watched.

        Raises:
            BrokerUnavailable: the result backend is not available.
        """
        found: dict[str, Outcome | None] = {}
        handles = await self._thread.call(self._adopt, task_ids)
        known = [pair for pair in zip(task_ids, handles, strict=True) if pair[1] is not None]
        while known:
            portion = [handle for _, handle in known]
            outcomes, error = await self._thread.call(read_all, portion, self._read_result)
            if error is not None:
                raise error
            found.update(zip([task_id for task_id, _ in known], outcomes, strict=False))
            known = known[len(outcomes) :]
        return found

    def unwatch(self, task_id: str) -> None:
        """Stop polling the task and free its result object."""
        watch = self._watches.pop(task_id, None)
        if watch is not None:
            watch.future.cancel()
        if task_id in self._handles:
            self._thread.call(self._dispose, task_id)

    def close(self) -> None:
        """Cancel all watches; call on the engine's loop."""
        for watch in self._watches.values():
            watch.future.cancel()
        self._watches.clear()
        if self._task is not None:
            self._task.cancel()

    def pushed(self, arrived: Pushed) -> None:
        """Use results that the backend pushed."""
        for task_id, outcome in arrived:
            if (watch := self._watches.get(task_id)) is not None:
                self._seen(task_id, watch, outcome)

    def reachable(self, error: BrokerUnavailable | None) -> None:
        """Announce that the result backend is lost (an error) or back (None)."""
        if self._away == (error is not None):
            return
        self._away = error is not None
        at, which = self._emitter.now(), "result backend"
        if error is None:
            self._outages.end(self)
            self._emitter.emit(ConnectionBack(at=at, which=which))
        else:
            if not is_auth_failure(error.message):
                self._outages.begin(self)
            reason = error.message.removeprefix("The result backend ")
            self._emitter.emit(ConnectionLost(at=at, which=which, reason=reason))

    def _schedule(self, task_id: str, watch: _Watch, *, now: bool = False) -> None:
        due = asyncio.get_running_loop().time() + (0.0 if now else watch.delay)
        heapq.heappush(self._due, (due, next(self._order), task_id))
        if self._due[0][2] == task_id:
            self._wake.set()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._due:
            if (wait := self._due[0][0] - loop.time()) > 0:
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), wait)
            elif ids := self._take_due(loop.time()):
                await self._poll(ids)

    def _take_due(self, now: float) -> list[str]:
        ids: list[str] = []
        while self._due and self._due[0][0] <= now and len(ids) < POLLS_PER_CALL:
            task_id = heapq.heappop(self._due)[2]
            if (watch := self._watches.get(task_id)) is None:
                continue
            if task_id in self._handles:
                ids.append(task_id)
            else:  # still being published: nothing to read yet
                self._schedule(task_id, watch)
        return ids

    async def _poll(self, ids: list[str]) -> None:
        handles = [self._handles.get(task_id) for task_id in ids]
        outcomes, error = await self._thread.call(read_all, handles, self._read_result)
        del handles
        self.reachable(error)
        for task_id, outcome in zip(ids, outcomes, strict=False):
            if (watch := self._watches.get(task_id)) is not None:
                self._polled(task_id, watch, outcome)
        for task_id in ids[len(outcomes) :]:  # no time was left for these
            if (watch := self._watches.get(task_id)) is not None:
                self._schedule(task_id, watch, now=True)

    def _polled(self, task_id: str, watch: _Watch, outcome: Outcome | None) -> None:
        if outcome is not None and outcome.doubtful and not watch.doubtful:
            watch.doubtful, outcome = True, None
        watch.attempt += 1
        ended = outcome is not None and outcome.ends(task_id, self._is_over)
        watch.delay = 0.0 if ended else min(watch.delay * 2, watch.max_poll)
        if self._emitter.has_listeners:
            state = outcome.state if outcome else watch.seen[0]
            self._emitter.emit(
                Polled(
                    at=self._emitter.now(),
                    task_id=task_id,
                    attempt=watch.attempt,
                    state=state,
                    next_delay=watch.delay,
                )
            )
        if outcome is not None:
            self._seen(task_id, watch, outcome)
        if not ended:
            self._schedule(task_id, watch)

    def _end(self, task_id: str, watch: _Watch, outcome: Outcome) -> None:
        del self._watches[task_id]
        if outcome.state != SUCCESS:  # successful tasks are released later
            self._thread.call(self._dispose, task_id)
        if not watch.future.done():
            watch.future.set_result(outcome)

    def _seen(self, task_id: str, watch: _Watch, outcome: Outcome) -> None:
        if outcome.ends(task_id, self._is_over):
            self._end(task_id, watch, outcome)
        elif (outcome.state, outcome.meta) != watch.seen:
            watch.seen = (outcome.state, outcome.meta)
            self._emitter.emit(
                StateSeen(
                    at=self._emitter.now(),
                    task_id=task_id,
                    state=outcome.state,
                    meta=outcome.meta,
                )
            )
