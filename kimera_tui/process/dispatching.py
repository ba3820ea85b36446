"""From a call to a published message that is being watched, and from there to its end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from kimera_tui.config.friends import find_friend, secret_params
from kimera_tui.errors import KimeraError, PublishUncertain, TimeoutException, UsageError
from kimera_tui.process.announcer import Announcer
from kimera_tui.process.engine import Engine, Message
from kimera_tui.process.engine_room import EngineRoom
from kimera_tui.process.events import Adopted, Dispatched, Refused, Sending
from kimera_tui.process.following import Followed, Follower

SHORTEST_POLL = 0.01
"""Seconds; a poll that is due at once, again and again, would keep a processor busy."""
MOST_LEFT_RUNNING = 10_000
"""How many tasks that nobody waits for any more can still be found to be revoked."""
_Home = tuple[str, Mapping[str, Any]]
"""A task's friend and what is configured for it."""


class Dispatcher:
    """Publishes calls and keeps count of what is in flight."""

    def __init__(self, room: EngineRoom, announcer: Announcer, follower: Follower) -> None:
        self._room = room
        self._announcer = announcer
        self._follower = follower
        self._in_flight: dict[str, _Home] = {}
        self._left_running: dict[str, _Home] = {}
        self._homes: dict[str, _Home] = {}

    async def engine_of(self, task_id: str) -> Engine:
        """The engine of a task in flight or left to run without us; else the default one."""
        home = self._in_flight.get(task_id) or self._left_running.get(task_id) or ("", {})
        return await self._room.engine(*home)

    async def dispatch(
        self,
        friends: Mapping[str, Any],
        friend: str,
        task_name: str,
        task_id: str,
        *,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        polling: tuple[float, float] = (0.1, 1),
        secret: frozenset[str] = frozenset(),
    ) -> Followed:
        """Publish a call that is watched from before its publish; return once acknowledged.

        Args:
            friends: The configured friends.
            friend: Name of one of them.
            task_name: Function on the friend, without its route.
            task_id: Id of the task.
            args: Positional arguments.
            kwargs: Named arguments.
            options: What ``apply_async`` takes besides.
            polling: First and longest wait between two polls, in seconds.
            secret: Names in kwargs that are never shown, besides those that are configured.
        """
        try:
            self._room.require_celery()
            entry = find_friend(friends, friend)
            if not task_name:
                raise UsageError("The task name is empty.")
            engine = await self._room.engine(friend, entry)
        except KimeraError as error:
            self._refused(task_id, error)
            raise
        message = Message(
            task_id=task_id,
            # Thousands in flight share the few names there are.
            name=sys.intern(f"{entry['route']}.{task_name}"),
            args=args or (),
            kwargs=kwargs or {},
            options={"queue": entry["queue"], **(options or {})},
        )
        home = self._home(friend, entry)
        first, longest = polling
        outcome = engine.watcher.watch(
            task_id, max(first, SHORTEST_POLL), max(longest, SHORTEST_POLL)
        )
        self._in_flight[task_id] = home
        try:
            await self._publish(engine, message, home, task_name, secret)
        except BaseException as error:
            engine.watcher.unwatch(task_id)
            self._in_flight.pop(task_id, None)
            if isinstance(error, asyncio.CancelledError | PublishUncertain):
                self._leave_running(task_id, home)
            raise
        return Followed(task_id, message.name, friend, outcome, engine)

    async def adopt(
        self, friends: Mapping[str, Any], friend: str, task_name: str, task_id: str
    ) -> Followed:
        """Watch a task that has been published before."""
        self._room.require_celery()
        entry = find_friend(friends, friend)
        engine = await self._room.engine(friend, entry)
        outcome = engine.watcher.watch(task_id, SHORTEST_POLL, 1)
        self._in_flight[task_id] = (friend, entry)
        self._announcer.tell(Adopted(at=self._announcer.now(), task_id=task_id))
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
        self._announcer.tell(
            Refused(
                at=self._announcer.now(),
                task_id=task_id,
                reason=str(error),
                uncertain=isinstance(error, PublishUncertain),
            )
        )

    def _let_go(self, followed: Followed, error: BaseException | None = None) -> None:
        home = self._in_flight.pop(followed.task_id, None)
        if home is None:  # let go already
            return
        if isinstance(error, asyncio.CancelledError | TimeoutException):
            self._leave_running(followed.task_id, home)
        if isinstance(error, asyncio.CancelledError):
            self._follower.stopped(followed)

    def _home(self, friend: str, entry: Mapping[str, Any]) -> _Home:
        home = self._homes.get(friend)
        if home is None or home[1] is not entry:
            home = self._homes[friend] = (friend, entry)
        return home

    def _leave_running(self, task_id: str, home: _Home) -> None:
        """Remember where the task is: it may still be revoked."""
        if len(self._left_running) >= MOST_LEFT_RUNNING:
            del self._left_running[next(iter(self._left_running))]
        self._left_running[task_id] = home

    async def _publish(
        self,
        engine: Engine,
        message: Message,
        home: _Home,
        task_name: str,
        secret: frozenset[str],
    ) -> None:
        friend, entry = home
        told, task_id = self._announcer, message.task_id
        queue = str(message.options["queue"])
        if told.heard:
            told.tell(
                Sending(
                    at=told.now(),
                    task_id=task_id,
                    task=message.name,
                    friend=friend,
                    queue=queue,
                    args=tuple(message.args),
                    kwargs=dict(message.kwargs),
                    secret=secret | secret_params(entry, task_name),
                )
            )
        try:
            await engine.publisher.publish(message)
        except Exception as error:
            self._refused(task_id, error)
            raise
        if told.heard:
            told.tell(
                Dispatched(
                    at=told.now(), task_id=task_id, task=message.name, friend=friend, queue=queue
                )
            )
