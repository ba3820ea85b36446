"""From a call to a published message that is being watched, and from there to its end."""

from __future__ import annotations

import asyncio
import sys
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from kimera_tui.config.friends import secret_params
from kimera_tui.errors import KimeraError, PublishUncertain, TimeoutException
from kimera_tui.process.arguments import check_revoke, id_problem, refused
from kimera_tui.process.await_result import Followed, Follower
from kimera_tui.process.call import Call
from kimera_tui.process.engine import Engine, Message, Receipt
from kimera_tui.process.engines import Engines
from kimera_tui.process.events import Adopted, Dispatched, Refused, RevokeSent, Sending
from kimera_tui.process.loop.bus import Emitter
from kimera_tui.process.payload import check_depth

SHORTEST_POLL = 0.01
"""Seconds; a poll that is due at once, again and again, would keep a processor busy."""
MOST_LEFT_RUNNING = 10_000
"""How many tasks that nobody waits for any more can still be found to be revoked."""
MOST_SPENT = 10_000
"""How many ids of tasks that nobody waits for any more are known, so that none is used twice."""


class Dispatcher:
    """Publishes calls and keeps track of the tasks in flight."""

    def __init__(self, engines: Engines, emitter: Emitter, follower: Follower) -> None:
        self._engines = engines
        self._emitter = emitter
        self._follower = follower
        self._in_flight: dict[str, str | None] = {}
        """The friend of each task; None before anything of it is sent."""
        self._left_running: dict[str, str] = {}
        self._spent: OrderedDict[str, None] = OrderedDict()

    async def revoke(self, task_id: str, terminate: bool, signal: str) -> Sequence[Receipt]:
        """Revoke a task where it is in flight or was left to run, else at the default broker."""
        check_revoke(task_id, terminate, signal)
        friend = self._in_flight.get(task_id, self._left_running.get(task_id))
        engine = await self._engines.engine(friend)
        receipts = await engine.releaser.revoke([task_id], terminate=terminate, signal=signal)
        emitter = self._emitter
        emitter.emit(
            RevokeSent(
                at=emitter.now(), task_id=task_id, terminate=terminate, receipts=tuple(receipts),
                asked=True,
            )
        )  # fmt: skip
        return receipts

    async def dispatch(self, call: Call) -> Followed:
        """Watch a call's task, publish the call, and return once the broker acknowledged it.

        Raises:
            UsageError: the call is wrong, its id has been used, or another loop has the engine.
            KimeraError: it could not be sent.
        """
        self._engines.attach()
        task_id = call.task_id
        if problem := id_problem(task_id):
            raise refused("task_id", problem)
        if task_id in self._in_flight or task_id in self._spent:
            # Told to the caller only: as an event it would be about the task that has the id.
            raise refused("task_id", f"{task_id!r} has been used: give each task an id of its own")
        self._in_flight[task_id] = None
        try:
            return await self._send(call)
        except BaseException as error:
            friend = self._in_flight.pop(task_id, None)
            doubtful = isinstance(error, asyncio.CancelledError | PublishUncertain)
            if doubtful and friend is not None:
                self._leave_running(task_id, friend)
            raise

    async def _send(self, call: Call) -> Followed:
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
            # Thousands in flight share the few names there are.
            name=sys.intern(f"{entry['route']}.{call.task_name}"),
            args=call.args or (),
            kwargs=dict(call.kwargs) if call.kwargs else {},
            options={"queue": entry["queue"], **call.options},
            patience=call.patience,
        )
        self._in_flight[task_id] = friend
        outcome = engine.watcher.watch(
            task_id, max(call.poll_start, SHORTEST_POLL), max(call.max_poll, SHORTEST_POLL)
        )
        try:
            await self._publish(engine, message, entry, call)
        except BaseException:
            engine.watcher.unwatch(task_id)
            raise
        return Followed(
            task_id, message.name, friend, outcome, engine,
            call.callback, call.func, call.timeout, call.overtime, patience=call.patience,
        )  # fmt: skip

    async def adopt(self, friend: str, task_name: str, task_id: str) -> Followed:
        """Watch a task that has been published before."""
        engine = await self._engines.engine(friend)
        entry = self._engines.friend(friend)
        outcome = engine.watcher.watch(task_id, SHORTEST_POLL, 1)
        self._in_flight[task_id] = friend
        self._emitter.emit(Adopted(at=self._emitter.now(), task_id=task_id))
        task = f"{entry['route']}.{task_name}"
        return Followed(task_id, task, friend, outcome, engine, adopted=True)

    async def follow(self, followed: Followed) -> Any:
        """Wait inline for the end of a dispatched call and return its result."""
        try:
            result = await self._follower.follow(followed)
        except BaseException as error:
            self._let_go(followed, error)
            raise
        self._let_go(followed)
        return result

    def follow_in_task(self, followed: Followed) -> asyncio.Task[Any]:
        """The same as a background task."""
        handle = asyncio.get_running_loop().create_task(
            self.follow(followed), name=f"kimera {followed.task_id}"
        )
        # A task cancelled before its first step never runs the coroutine's own clean-up.
        followed.let_go = self._let_go
        handle.add_done_callback(followed.ended)
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

    def _let_go(self, followed: Followed, error: BaseException | None = None) -> None:
        friend = self._in_flight.pop(followed.task_id, None)
        if friend is None:  # let go already
            return
        self._spend(followed.task_id)
        if isinstance(error, asyncio.CancelledError | TimeoutException):
            self._leave_running(followed.task_id, friend)
        if isinstance(error, asyncio.CancelledError):
            self._follower.stopped(followed)

    def _spend(self, task_id: str) -> None:
        """Remember that the id has been used: what is known of its task would be taken for ours."""
        self._spent[task_id] = None
        if len(self._spent) > MOST_SPENT:
            self._spent.popitem(last=False)

    def _leave_running(self, task_id: str, friend: str) -> None:
        """Remember whose task it is: it may still be revoked."""
        if len(self._left_running) >= MOST_LEFT_RUNNING:
            del self._left_running[next(iter(self._left_running))]
        self._left_running[task_id] = friend

    async def _publish(self, engine: Engine, message: Message, entry: Any, call: Call) -> None:
        emitter, task_id, friend = self._emitter, message.task_id, call.friend
        queue = str(message.options["queue"])
        if emitter.heard:
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
        if emitter.heard:
            emitter.emit(
                Dispatched(
                    at=emitter.now(), task_id=task_id, task=message.name, friend=friend, queue=queue
                )
            )
