"""Publishes through a thread: an outbox on the loop, handed over in slices with a deadline."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Any

from kimera_tui.errors import BrokerUnavailable, PublishUncertain
from kimera_tui.process.engine import Message
from kimera_tui.process.events import Noticed
from kimera_tui.process.failures import is_password_matter
from kimera_tui.process.loop.bus import Emitter
from kimera_tui.process.loop.call_thread import CallThread
from kimera_tui.process.threaded.sender import Sender, Sending, Slice

PUBLISH_DEADLINE = 15.0
"""Seconds that the thread has for one slice."""
PER_SLICE = 50
AWAY_PAUSE = 1.0
"""Seconds between two tries to reach a broker that is away."""
_Waiting = tuple[Sending, asyncio.Future[None]]


class ThreadPublisher:
    """Publishes by way of a Sender.

    Args:
        thread: The sender's thread.
        sender: Sends.
        handles: Where the sender puts what ``send_task`` returned.
        emitter: Where it is told what a message waits for.
    """

    def __init__(
        self,
        thread: CallThread,
        sender: Sender,
        handles: dict[str, Any],
        emitter: Emitter,
    ) -> None:
        self._emitter = emitter
        self._thread = thread
        self._sender = sender
        self._handles = handles
        self._outbox: deque[_Waiting] = deque()
        self._under_way: list[_Waiting] = []
        self._flushing: asyncio.Task[None] | None = None

    async def publish(self, message: Message) -> None:
        """Return once the broker has the message; see ``engine.Publisher``."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._outbox.append((Sending(message), done))
        if self._flushing is None or self._flushing.done():
            self._flushing = loop.create_task(self._flush(), name="kimera publisher")
        await done

    def close(self) -> None:
        """Refuse what isn't sent; on the engine's loop."""
        waiting = [*self._under_way, *self._outbox]
        self._outbox.clear()
        for entry, done in waiting:
            if not done.done():
                done.set_exception(_unanswered(entry, "the engine was closed"))
        if self._flushing is not None:
            self._flushing.cancel()

    async def _flush(self) -> None:
        while self._outbox:
            portion = [self._outbox.popleft() for _ in range(min(PER_SLICE, len(self._outbox)))]
            # Those whose caller has given up are not sent.
            self._under_way = [each for each in portion if not each[1].done()]
            work = Slice([entry for entry, _ in self._under_way])
            call = self._thread.call(self._sender.send_all, work)
            try:
                await asyncio.wait({call}, timeout=PUBLISH_DEADLINE)
            finally:
                if not call.done():
                    work.abandoned = True
                    call.cancel()
            failure = call.exception() if not call.cancelled() else None
            portion, self._under_way = self._under_way, []
            waiting = []
            for entry, done in portion:
                if self._may_wait(entry, done):
                    # A call that was given up may still write into the old one.
                    again = Sending(entry.message, entry.since, told=self._told(entry))
                    waiting.append((again, done))
                else:
                    self._settle(entry, done, failure)
            self._outbox.extendleft(reversed(waiting))
            if waiting:
                await asyncio.sleep(AWAY_PAUSE)

    def _may_wait(self, entry: Sending, done: asyncio.Future[None]) -> bool:
        """Whether to try again, as the broker was away and nothing was sent."""
        if entry.begun or done.done() or not isinstance(entry.error, BrokerUnavailable):
            return False
        if not self._sender.was_there or is_password_matter(entry.error.message):
            return False
        return time.monotonic() - entry.since < (entry.message.patience or 0.0)

    def _told(self, entry: Sending) -> str:
        """Say what a message waits for, unless that was said; returns it."""
        away = str(entry.error)
        if entry.told != away:
            text = f"Not sent yet: it is sent when the broker answers. {away}"
            at, task_id = self._emitter.now(), entry.message.task_id
            self._emitter.emit(Noticed(at=at, task_id=task_id, text=text))
        return away

    def _settle(
        self, entry: Sending, done: asyncio.Future[None], failure: BaseException | None
    ) -> None:
        if done.done():
            self._handles.pop(entry.message.task_id, None)
        elif entry.sent:
            done.set_result(None)
        else:
            late = f"no answer in {PUBLISH_DEADLINE:g} s"
            done.set_exception(entry.error or failure or _unanswered(entry, late))


def _unanswered(entry: Sending, why: str) -> BrokerUnavailable:
    if entry.begun:
        return PublishUncertain(
            f"The broker did not confirm {entry.message.name} ({why}):"
            " the task may or may not be queued."
        )
    return BrokerUnavailable(f"The broker did not take the task ({why}): nothing was sent.")
