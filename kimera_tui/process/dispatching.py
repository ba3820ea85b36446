"""From a call to a published message that is being watched, and from there to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from kimera_tui.config.friends import find_friend, secret_params
from kimera_tui.errors import KimeraError, PublishUncertain, UsageError
from kimera_tui.process.announcer import Announcer
from kimera_tui.process.engine import Engine, Message
from kimera_tui.process.engine_room import EngineRoom
from kimera_tui.process.events import Dispatched, Refused, Sending
from kimera_tui.process.following import Followed, Follower


class Dispatcher:
    """Publishes calls and keeps count of what is in flight."""

    def __init__(self, room: EngineRoom, announcer: Announcer, follower: Follower) -> None:
        self._room = room
        self._announcer = announcer
        self._follower = follower
        self._in_flight: dict[str, Engine] = {}

    def engine_of(self, task_id: str) -> Engine | None:
        """The engine of a task in flight."""
        return self._in_flight.get(task_id)

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
            name=f"{entry['route']}.{task_name}",
            args=args or (),
            kwargs=kwargs or {},
            options={"queue": entry["queue"], **(options or {})},
        )
        outcome = engine.watcher.watch(task_id, *polling)
        self._in_flight[task_id] = engine
        try:
            await self._publish(engine, message, friend, secret_params(entry, task_name))
        except BaseException:
            engine.watcher.unwatch(task_id)
            self._in_flight.pop(task_id, None)
            raise
        return Followed(task_id, message.name, friend, outcome, engine)

    async def follow(self, followed: Followed) -> Any:
        """Wait inline for the end of a dispatched call and return its result."""
        cancelled = False
        try:
            return await self._follower.follow(followed)
        except asyncio.CancelledError:
            cancelled = True
            raise
        finally:
            self._let_go(followed, cancelled)

    def follow_in_task(self, followed: Followed) -> asyncio.Task[Any]:
        """The same as a background task."""
        handle = asyncio.get_running_loop().create_task(
            self._follower.follow(followed), name=f"kimera {followed.task_id}"
        )
        # A task cancelled before its first step never runs the coroutine's own clean-up.
        handle.add_done_callback(lambda done: self._let_go(followed, done.cancelled()))
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

    def _let_go(self, followed: Followed, cancelled: bool) -> None:
        self._in_flight.pop(followed.task_id, None)
        if cancelled:
            self._follower.stopped(followed)

    async def _publish(
        self, engine: Engine, message: Message, friend: str, secret: frozenset[str]
    ) -> None:
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
                    secret=secret,
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
