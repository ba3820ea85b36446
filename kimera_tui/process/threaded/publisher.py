"""Publishes on a thread: an outbox on the loop, handed over in batches with a deadline."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Any

from kimera_tui.errors import BrokerUnavailable, PublishUncertain
from kimera_tui.process.engine import Message
from kimera_tui.process.events import Noticed
from kimera_tui.process.failures import is_auth_failure
from kimera_tui.process.loop.bus import Emitter
from kimera_tui.process.loop.call_thread import CallThread
from kimera_tui.process.threaded.sender import Batch, SendAttempt, Sender

PUBLISH_DEADLINE = 15.0
"""Seconds that the thread may take for one batch."""
PER_BATCH = 50
AWAY_PAUSE = 1.0
"""Seconds between two attempts to reach an unavailable broker."""
_Waiting = tuple[SendAttempt, asyncio.Future[None]]


class ThreadPublisher:
    """Publishes through a Sender.

    Args:
        thread: The sender's thread.
        sender: Sends the messages.
        handles: Where the sender stores result objects, by task id.
        emitter: Where waiting messages are announced.
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
        self._in_progress: list[_Waiting] = []
        self._flushing: asyncio.Task[None] | None = None

    async def publish(self, message: Message) -> None:
        """Return once the broker took the message; see ``engine.Publisher``."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._outbox.append((SendAttempt(message), done))
        if self._flushing is None or self._flushing.done():
            self._flushing = loop.create_task(self._flush(), name="kimera publisher")
        await done

    def close(self) -> None:
        """Refuse unsent messages; call on the engine's loop."""
        waiting = [*self._in_progress, *self._outbox]
        self._outbox.clear()
        for entry, done in waiting:
            if not done.done():
                done.set_exception(_unanswered(entry, "the engine was closed"))
        if self._flushing is not None:
            self._flushing.cancel()

    async def _flush(self) -> None:
        while self._outbox:
            portion = [self._outbox.popleft() for _ in range(min(PER_BATCH, len(self._outbox)))]
            # Skip messages whose caller gave up.
            self._in_progress = [each for each in portion if not each[1].done()]
            work = Batch([entry for entry, _ in self._in_progress])
            call = self._thread.call(self._sender.send_all, work)
            try:
                await asyncio.wait({call}, timeout=PUBLISH_DEADLINE)
            finally:
                if not call.done():
                    work.abandoned = True
                    call.cancel()
            failure = call.exception() if not call.cancelled() else None
            portion, self._in_progress = self._in_progress, []
            waiting = []
            for entry, done in portion:
                if self._may_wait(entry, done):
                    # An abandoned call may still write to the old attempt.
                    again = SendAttempt(entry.message, entry.since, self._announce(entry))
                    waiting.append((again, done))
                else:
                    self._settle(entry, done, failure)
            self._outbox.extendleft(reversed(waiting))
            if waiting:
                await asyncio.sleep(AWAY_PAUSE)

    def _may_wait(self, entry: SendAttempt, done: asyncio.Future[None]) -> bool:
        """Whether to try again: the broker was unavailable and nothing was sent."""
        if entry.started or done.done() or not isinstance(entry.error, BrokerUnavailable):
            return False
        if not self._sender.was_connected or is_auth_failure(entry.error.message):
            return False
        return time.monotonic() - entry.since < (entry.message.patience or 0.0)

    def _announce(self, entry: SendAttempt) -> str:
        """Announce what a message waits for, unless unchanged; return the reason."""
        reason = str(entry.error)
        if entry.waits_for != reason:
            text = f"Not sent yet: Kimera sends it when the broker answers. {reason}"
            at, task_id = self._emitter.now(), entry.message.task_id
            self._emitter.emit(Noticed(at=at, task_id=task_id, text=text))
        return reason

    def _settle(
        self, entry: SendAttempt, done: asyncio.Future[None], failure: BaseException | None
    ) -> None:
        if done.done():
            self._handles.pop(entry.message.task_id, None)
        elif entry.sent:
            done.set_result(None)
        else:
            late = f"no answer in {PUBLISH_DEADLINE:g} s"
            done.set_exception(entry.error or failure or _unanswered(entry, late))


def _unanswered(entry: SendAttempt, why: str) -> BrokerUnavailable:
    if entry.started:
        return PublishUncertain(
            f"The broker did not confirm {entry.message.name} ({why}):"
            " the task may or may not be queued."
        )
    return BrokerUnavailable(f"The broker did not take the task ({why}); nothing was sent.")
