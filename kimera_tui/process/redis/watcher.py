"""Learns how tasks end from a Redis result backend: by pushes at once, by polls as a safety net."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from redis.exceptions import ResponseError

from kimera_tui.errors import BrokerUnavailable
from kimera_tui.process.events import Polled, StateSeen
from kimera_tui.process.loop.bus import Emitter
from kimera_tui.process.loop.deliverer import Deliverer
from kimera_tui.process.loop.gc_truce import GcTruce
from kimera_tui.process.loop.wheel import TimerWheel
from kimera_tui.process.outcome import IsOver, Outcome
from kimera_tui.process.redis.endpoint import Endpoint
from kimera_tui.process.redis.reconnecting import RedisConnection, ServerHealth, as_unavailable
from kimera_tui.process.redis.results import PER_COMMAND, look_up, read_result
from kimera_tui.process.redis.subscriptions import Subscriptions

POLLS_PER_SECOND = 2000
"""Upper limit of ids polled per second when more than ``CROWD`` tasks are in flight."""
CROWD = 1000
"""Up to this many tasks in flight, each task's own back-off is kept exactly."""
POLL_TICK = 0.05
"""Seconds that polls may share; a poll is up to this much late, never early."""
LONGEST_STRETCH = 30.0
READ_SECONDS = 0.003
PATIENCE = 30.0
_AWAY_PAUSE = 0.5
_Seen = tuple[str, Any]
"""A state and its meta."""


class _Watch:
    """One watched task."""

    __slots__ = ("attempt", "delay", "future", "key", "max_poll", "seen")

    def __init__(
        self, key: bytes, future: asyncio.Future[Outcome], delay: float, max_poll: float
    ) -> None:
        self.key = key
        self.future = future
        self.delay = delay
        self.max_poll = max_poll
        self.attempt = 0
        self.seen: _Seen | None = None


class RedisWatcher:
    """Watches tasks by the keys under which their results are stored and announced.

    Args:
        endpoint: Address of the result backend.
        backend: The connection that reads results.
        health: Gets losses and recoveries of the subscription.
        key_prefix: Prefix of result keys, before the task id.
        emitter: Where polls and states are announced.
        on_use: Called with each new watch.
        is_over: Asked about every stored REVOKED.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        backend: RedisConnection,
        health: ServerHealth,
        key_prefix: bytes,
        emitter: Emitter,
        on_use: Callable[[], None],
        is_over: IsOver,
    ) -> None:
        self._backend = backend
        self._on_use = on_use
        self._is_over = is_over
        self._prefix = key_prefix
        self._emitter = emitter
        self._watches: dict[bytes, _Watch] = {}
        self._wheel: TimerWheel[list[_Watch]] = TimerWheel(POLL_TICK, list)
        self._deliverer: Deliverer[Outcome] = Deliverer()
        self._truce = GcTruce(self._watches)
        self._subscriptions = Subscriptions(
            endpoint, health, self._watches, self._pushed, self._read_all_soon
        )
        self._timer: asyncio.TimerHandle | None = None
        # Separate flags: with an eager task factory a task can end before it is assigned.
        self._polling = False
        self._reading = False
        self._tasks: set[asyncio.Task[None]] = set()

    def watch(self, task_id: str, poll_start: float, max_poll: float) -> asyncio.Future[Outcome]:
        """Return a future that gets the task's outcome; see ``engine.Watcher``."""
        key = self._prefix + task_id.encode()
        known = self._watches.get(key)
        if known is not None:
            return known.future
        loop = asyncio.get_running_loop()
        watch = _Watch(key, loop.create_future(), min(poll_start, max_poll), max_poll)
        self._watches[key] = watch
        self._on_use()
        self._truce.note_task()
        self._subscriptions.add(key)
        self._backend.open()
        self._schedule(watch)
        return watch.future

    def unwatch(self, task_id: str) -> None:
        """Stop watching; cancels the future."""
        watch = self._watches.get(self._prefix + task_id.encode())
        if watch is not None:
            watch.future.cancel()
            self._drop(watch)

    def conclude(self, task_id: str, outcome: Outcome) -> None:
        """End the watch of a task with an outcome learned elsewhere; see ``engine.Watcher``."""
        watch = self._watches.get(self._prefix + task_id.encode())
        if watch is not None:
            self._end(watch, outcome)

    async def look_up(self, task_ids: Sequence[str]) -> dict[str, Outcome | None]:
        """What is stored for tasks now, whether watched or not; None for nothing.

        Raises:
            BrokerUnavailable: the result backend is not available.
        """
        found: dict[str, Outcome | None] = {}
        for start in range(0, len(task_ids), PER_COMMAND):
            portion = task_ids[start : start + PER_COMMAND]
            keys = [self._prefix + task_id.encode() for task_id in portion]
            found.update(zip(portion, await self._read(keys), strict=True))
        return found

    def flush(self) -> None:
        """Write pending subscriptions; the publisher calls this before it writes."""
        self._subscriptions.flush()

    def cancel(self) -> None:
        """Cancel the futures of all watched tasks."""
        for watch in self._watches.values():
            watch.future.cancel()

    async def close(self) -> None:
        """Stop."""
        self.cancel()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for task in self._tasks:
            task.cancel()
        self._truce.end()
        await self._subscriptions.close()

    def _drop(self, watch: _Watch) -> None:
        del self._watches[watch.key]
        self._subscriptions.remove(watch.key)

    def _pushed(self, key: bytes, raw: bytes) -> None:
        watch = self._watches.get(key)
        if watch is not None:
            self._seen(watch, read_result(key, raw))

    def _end(self, watch: _Watch, outcome: Outcome) -> None:
        self._drop(watch)
        self._deliverer.deliver(watch.future, outcome)

    def _seen(self, watch: _Watch, outcome: Outcome) -> None:
        if outcome.ends(self._task_id(watch), self._is_over):
            return self._end(watch, outcome)
        seen = (outcome.state, outcome.meta)
        if seen != watch.seen:
            watch.seen = seen
            if self._emitter.has_listeners:
                self._emitter.emit(
                    StateSeen(
                        at=self._emitter.now(),
                        task_id=self._task_id(watch),
                        state=outcome.state,
                        meta=outcome.meta,
                    )
                )
        return None

    def _task_id(self, watch: _Watch) -> str:
        return watch.key[len(self._prefix) :].decode()

    def _schedule(self, watch: _Watch) -> None:
        """Schedule the next poll after the watch's delay."""
        crowd = len(self._watches)
        if crowd > CROWD and self._subscriptions.healthy:
            watch.delay = max(watch.delay, min(crowd / POLLS_PER_SECOND, LONGEST_STRETCH))
        self._wheel.bucket(asyncio.get_running_loop().time() + watch.delay).append(watch)
        self._set_timer()

    def _set_timer(self) -> None:
        due = self._wheel.next_at
        if due is None or self._polling:
            return
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(due, self._start_polling)

    def _start_polling(self) -> None:
        self._timer = None
        self._polling = True
        self._spawn(self._poll_due())

    async def _poll_due(self) -> None:
        try:
            now = asyncio.get_running_loop().time()
            due = [
                watch
                for bucket in self._wheel.take_due(now)
                for watch in bucket
                if not watch.future.done() and watch.key in self._watches
            ]
            for start in range(0, len(due), PER_COMMAND):
                await self._poll(due[start : start + PER_COMMAND])
        finally:
            self._polling = False
            self._set_timer()

    async def _poll(self, watches: Sequence[_Watch]) -> None:
        seen = [watch.seen for watch in watches]
        try:
            found = await self._read([watch.key for watch in watches])
        except BrokerUnavailable:
            # An outage ends no wait: repeat the same poll.
            await asyncio.sleep(_AWAY_PAUSE)
            for watch in watches:
                self._schedule(watch)
            return
        until = time.perf_counter() + READ_SECONDS
        for watch, last_seen, outcome in zip(watches, seen, found, strict=True):
            if watch.key in self._watches and not watch.future.done():
                self._polled(watch, last_seen, outcome)
            if time.perf_counter() > until:
                await asyncio.sleep(0)
                until = time.perf_counter() + READ_SECONDS

    def _polled(self, watch: _Watch, last_seen: _Seen | None, outcome: Outcome | None) -> None:
        watch.attempt += 1
        if outcome is not None and outcome.ends(self._task_id(watch), self._is_over):
            watch.delay = 0.0
        else:
            watch.delay = min(watch.delay * 2, watch.max_poll)
            self._schedule(watch)
        if self._emitter.has_listeners:
            self._emitter.emit(
                Polled(
                    at=self._emitter.now(),
                    task_id=self._task_id(watch),
                    attempt=watch.attempt,
                    state=outcome.state if outcome else "",
                    next_delay=watch.delay,
                )
            )
        self._take_answer(watch, last_seen, outcome)

    def _take_answer(self, watch: _Watch, last_seen: _Seen | None, outcome: Outcome | None) -> None:
        """Use a poll's answer, unless a later state was pushed since the poll."""
        if outcome is not None and (outcome.ready or watch.seen is last_seen):
            self._seen(watch, outcome)

    def _read_all_soon(self) -> None:
        if self._watches and not self._reading:
            self._reading = True
            self._spawn(self._read_all())

    async def _read_all(self) -> None:
        """Read all watched results: pushes were missed while disconnected."""
        try:
            watches = list(self._watches.values())
            for start in range(0, len(watches), PER_COMMAND):
                portion = watches[start : start + PER_COMMAND]
                seen = [watch.seen for watch in portion]
                found = await self._read([watch.key for watch in portion])
                for watch, last_seen, outcome in zip(portion, seen, found, strict=True):
                    if watch.key in self._watches:
                        self._take_answer(watch, last_seen, outcome)
                await asyncio.sleep(0)
        except BrokerUnavailable:
            return  # the polls will read them
        finally:
            self._reading = False

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name="kimera watcher")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read(self, keys: Sequence[bytes]) -> list[Outcome | None]:
        wire = await self._backend.connected(PATIENCE)
        try:
            return await look_up(wire, keys)
        except (ConnectionError, ResponseError) as error:
            raise as_unavailable(error, self._backend.endpoint) from error
