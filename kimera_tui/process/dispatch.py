"""Dispatches calls: watches the task, publishes its message, and waits for its end."""

from __future__ import annotations

import asyncio
import sys
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from kimera_tui.config.friends import secret_params
from kimera_tui.errors import KimeraError, PublishUncertain, TimeoutException
from kimera_tui.process.await_result import PendingTask, ResultWaiter
from kimera_tui.process.call import Call
from kimera_tui.process.engine import Engine, Message, Receipt
from kimera_tui.process.engines import Engines
from kimera_tui.process.events import Adopted, Dispatched, Refused, Sending
from kimera_tui.process.loop.bus import Emitter
from kimera_tui.process.outcome import Outcome
from kimera_tui.process.payload import check_depth
from kimera_tui.process.stopping.stop_all import Place, Stopper, StopReport
from kimera_tui.process.validation import check_revoke, id_problem, refused

MIN_POLL = 0.01
"""Seconds; shorter waits between polls would keep a processor busy."""
MAX_LEFT_RUNNING = 10_000
"""Tasks left running after their wait ended whose friend is remembered, for a later revoke."""
MAX_USED_IDS = 10_000
"""Ids of ended tasks that are remembered, so that none is used twice."""


class Dispatcher:
    """Publishes calls and keeps track of the tasks in flight."""

    def __init__(self, engines: Engines, emitter: Emitter, waiter: ResultWaiter) -> None:
        self._engines = engines
        self._emitter = emitter
        self._waiter = waiter
        self._in_flight: dict[str, str | None] = {}
        """The friend of each task; None before anything of it is sent."""
        self._left_running: dict[str, str] = {}
        self._queues: dict[str, str] = {}
        """The queue of each of these that was not sent to its friend's."""
        self._used_ids: OrderedDict[str, None] = OrderedDict()
        self.stopper = Stopper(engines, emitter, self._place_of, self._in_flight.__contains__)

    async def revoke(self, task_id: str, terminate: bool, signal: str) -> Sequence[Receipt]:
        """Revoke a task at its friend's broker if known, else at the default broker."""
        check_revoke(task_id, terminate, signal)
        self._note_stopped([task_id])
        return list((await self.stopper.revoke([task_id], terminate, signal, {}))[task_id])

    async def revoke_all(
        self, task_ids: Sequence[str], terminate: bool, signal: str, friends: Mapping[str, str]
    ) -> Mapping[str, Sequence[Receipt]]:
        """Revoke tasks with one broadcast for each broker; see ``TaskManager.revoke_all``."""
        self._check(task_ids, terminate, signal)
        return await self.stopper.revoke(task_ids, terminate, signal, friends)

    async def stop_all(
        self, task_ids: Sequence[str], terminate: bool, signal: str, friends: Mapping[str, str]
    ) -> StopReport:
        """Revoke tasks and take them out of their queues; see ``TaskManager.stop_all``."""
        self._check(task_ids, terminate, signal)
        return await self.stopper.stop(task_ids, terminate, signal, friends)

    def _check(self, task_ids: Sequence[str], terminate: bool, signal: str) -> None:
        for task_id in task_ids:
            check_revoke(task_id, terminate, signal)
        self._engines.require_celery()
        self._note_stopped(task_ids)

    def _note_stopped(self, task_ids: Sequence[str]) -> None:
        """Their late end as revoked will be no news."""
        for task_id in task_ids:
            self._waiter.stopped[task_id] = None
        while len(self._waiter.stopped) > MAX_LEFT_RUNNING:
            self._waiter.stopped.popitem(last=False)

    def _place_of(self, task_id: str) -> Place:
        friend = self._in_flight.get(task_id, self._left_running.get(task_id))
        return Place(friend, self._queues.get(task_id, ""))

    async def conclude(self, task_id: str, outcome: Outcome) -> None:
        """End the wait for a task in flight with an outcome that was learned elsewhere."""
        if (friend := self._in_flight.get(task_id, self._left_running.get(task_id))) is not None:
            (await self._engines.engine(friend)).watcher.conclude(task_id, outcome)

    async def dispatch(self, call: Call) -> PendingTask:
        """Watch a call's task, publish the call, and return once the broker acknowledged it.

        Raises:
            UsageError: the call is wrong, its id has been used, or another loop has the engine.
            KimeraError: it could not be sent.
        """
        self._engines.attach()
        task_id = call.task_id
        if problem := id_problem(task_id):
            raise refused("task_id", problem)
        if task_id in self._in_flight or task_id in self._used_ids:
            # No event: it would be about the other task with this id.
            raise refused("task_id", f"{task_id!r} has been used: give each task an id of its own")
        self._in_flight[task_id] = None
        try:
            return await self._send(call)
        except BaseException as error:
            friend = self._in_flight.pop(task_id, None)
            doubtful = isinstance(error, asyncio.CancelledError | PublishUncertain)
            if doubtful and friend is not None:
                self._leave_running(task_id, friend)
            else:
                self._queues.pop(task_id, None)
            raise

    async def _send(self, call: Call) -> PendingTask:
        task_id, friend = call.task_id, call.friend
        try:
            self._engines.require_celery()
            call.check()
            entry = self._engines.friend(friend)
            engine = await self._engines.engine(friend)
        except KimeraError as error:
            self._refused(task_id, error)
            raise
        message = Message(
            task_id=task_id,
            # Share one string among thousands of tasks in flight.
            name=sys.intern(f"{entry['route']}.{call.task_name}"),
            args=call.args or (),
            kwargs=dict(call.kwargs) if call.kwargs else {},
            options={"queue": entry["queue"], **call.options},
            patience=call.patience,
        )
        self._in_flight[task_id] = friend
        if (queue := str(message.options["queue"])) != entry["queue"]:
            self._queues[task_id] = queue
        outcome = engine.watcher.watch(
            task_id, max(call.poll_start, MIN_POLL), max(call.max_poll, MIN_POLL)
        )
        try:
            await self._publish(engine, message, entry, call)
        except BaseException:
            engine.watcher.unwatch(task_id)
            raise
        return PendingTask(
            task_id, message.name, friend, outcome, engine,
            call.callback, call.func, call.timeout, call.overtime, patience=call.patience,
            forget_only=entry.get("release") == "forget",
        )  # fmt: skip

    async def adopt(
        self, friend: str, task_name: str, task_id: str, queue: str = ""
    ) -> PendingTask:
        """Watch a task that was published earlier, to a queue or else its friend's."""
        engine = await self._engines.engine(friend)
        entry = self._engines.friend(friend)
        outcome = engine.watcher.watch(task_id, MIN_POLL, 1)
        self._in_flight[task_id] = friend
        if queue and queue != entry["queue"]:
            self._queues[task_id] = queue
        queue = queue or str(entry["queue"])
        at = self._emitter.now()
        self._emitter.emit(Adopted(at=at, task_id=task_id, friend=friend, queue=queue))
        task = f"{entry['route']}.{task_name}"
        forget_only = entry.get("release") == "forget"
        return PendingTask(
            task_id, task, friend, outcome, engine, adopted=True, forget_only=forget_only
        )

    async def wait(self, pending: PendingTask) -> Any:
        """Wait for the end of a dispatched call and return its result."""
        try:
            result = await self._waiter.wait(pending)
        except BaseException as error:
            self._let_go(pending, error)
            raise
        self._let_go(pending)
        return result

    def wait_in_task(self, pending: PendingTask) -> asyncio.Task[Any]:
        """Start a background task that waits."""
        handle = asyncio.get_running_loop().create_task(
            self.wait(pending), name=f"kimera {pending.task_id}"
        )
        # A task cancelled before its first step never runs its coroutine's clean-up.
        pending.on_done = self._let_go
        handle.add_done_callback(pending.done)
        return handle

    def _refused(self, task_id: str, error: Exception) -> None:
        self._emitter.emit(
            Refused(
                at=self._emitter.now(),
                task_id=task_id,
                reason=str(error),
                uncertain=isinstance(error, PublishUncertain),
            )
        )

    def _let_go(self, pending: PendingTask, error: BaseException | None = None) -> None:
        friend = self._in_flight.pop(pending.task_id, None)
        if friend is None:  # already let go
            return
        self._note_used(pending.task_id)
        if isinstance(error, asyncio.CancelledError | TimeoutException):
            self._leave_running(pending.task_id, friend)
        else:
            self._queues.pop(pending.task_id, None)
        if isinstance(error, asyncio.CancelledError):
            self._waiter.stop(pending)

    def _note_used(self, task_id: str) -> None:
        """Remember a used id: a second task with it would get the first one's result."""
        self._used_ids[task_id] = None
        if len(self._used_ids) > MAX_USED_IDS:
            self._used_ids.popitem(last=False)

    def _leave_running(self, task_id: str, friend: str) -> None:
        """Remember the friend of a task that may still be revoked."""
        if len(self._left_running) >= MAX_LEFT_RUNNING:
            oldest = next(iter(self._left_running))
            del self._left_running[oldest]
            self._queues.pop(oldest, None)
        self._left_running[task_id] = friend

    async def _publish(self, engine: Engine, message: Message, entry: Any, call: Call) -> None:
        emitter, task_id, friend = self._emitter, message.task_id, call.friend
        queue = str(message.options["queue"])
        if emitter.has_listeners:
            emitter.emit(
                Sending(
                    at=emitter.now(),
                    task_id=task_id,
                    task=message.name,
                    friend=friend,
                    queue=queue,
                    args=tuple(message.args),
                    kwargs=dict(message.kwargs),
                    secret=call.secret | secret_params(entry, call.task_name, len(message.args)),
                )
            )
        try:
            check_depth(message.args, message.kwargs)
            await engine.publisher.publish(message)
        except Exception as error:
            self._refused(task_id, error)
            raise
        if emitter.has_listeners:
            emitter.emit(
                Dispatched(
                    at=emitter.now(), task_id=task_id, task=message.name, friend=friend, queue=queue
                )
            )
