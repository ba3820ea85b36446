"""Publishes task messages to a Redis broker from an outbox, in slices that are safe to repeat."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from redis.exceptions import ResponseError

from kimera_tui.errors import BrokerUnavailable, KimeraError, UsageError
from kimera_tui.process.engine import Message
from kimera_tui.process.events import Noticed, Resent
from kimera_tui.process.loop.bus import Emitter
from kimera_tui.process.loop.call_thread import CallThread
from kimera_tui.process.loop.deliverer import Deliverer
from kimera_tui.process.payload import not_serialisable
from kimera_tui.process.redis.capture import Capture, Commands, NeedsServer
from kimera_tui.process.redis.outgoing import Outgoing, uncertain
from kimera_tui.process.redis.publish_script import (
    GuardedCommands,
    forbids_scripts,
    publish_by_transaction,
    publish_command,
)
from kimera_tui.process.redis.reconnecting import RedisConnection, as_unavailable
from kimera_tui.process.redis.rendering import Renderer
from kimera_tui.process.redis.wire import Wire, pack, refusal_in

logger = logging.getLogger(__name__)

SLICE_SECONDS = 0.0015
"""The longest that one turn of the loop spends rendering."""
SLICE_BYTES = 512 * 1024
PATIENCE = 4.0
"""Seconds that a message without its own ``patience`` waits for a broker that was up before."""
DOUBT_SECONDS = 6.0
"""The same after a lost reply, to find out whether the message was published."""
LOOK_SECONDS = 1.0
"""Seconds between two checks of how long messages have waited for an unavailable broker."""
_LOADING_PAUSE = 0.1
_LONGEST_PAUSE = 2.0
"""Seconds between two attempts when replies keep getting lost."""


class RedisPublisher:
    """Publishes what Celery's ``send_task`` would publish.

    Args:
        broker: The connection to the broker.
        renderer: Renders messages without asking the server.
        blocking_capture: Creates the capture that may ask the server; used on a thread.
        marker_prefix: Prefix of marker keys, before the task id.
        emitter: Where resent messages are announced.
        before_write: Called before messages are written.
    """

    def __init__(
        self,
        broker: RedisConnection,
        renderer: Renderer,
        blocking_capture: Callable[[], Capture],
        marker_prefix: str,
        emitter: Emitter,
        before_write: Callable[[], None],
    ) -> None:
        self._broker = broker
        self._renderer = renderer
        self._blocking_capture = blocking_capture
        self._capture: Capture | None = None
        self._marker_prefix = marker_prefix
        self._emitter = emitter
        self._before_write = before_write
        self._outbox: deque[Outgoing] = deque()
        self._flushing = False
        self._background: set[asyncio.Task[None]] = set()
        self.thread = CallThread("kimera-render")
        """Renders messages that only the server knows how to route."""
        self._acknowledged: Deliverer[None] = Deliverer()
        self._scripts = True
        self._transacting = asyncio.Lock()

    async def publish(self, message: Message) -> None:
        """Return once the broker acknowledged the message; see ``engine.Publisher``."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._outbox.append(Outgoing(message, done))
        self._flush_soon()
        await done

    async def published(self, task_ids: Sequence[str]) -> dict[str, bool]:
        """Which of these tasks were published in the last seven days and not released.

        Raises:
            BrokerUnavailable: the broker is not available.
        """
        wire = await self._broker.connected(PATIENCE)
        asked = b"".join(pack(b"EXISTS", self.marker(task_id)) for task_id in task_ids)
        try:
            found = await wire.call(asked, len(task_ids)) if task_ids else []
        except ConnectionError as error:
            raise as_unavailable(error, self._broker.endpoint) from error
        if (refusal := refusal_in(found)) is not None:  # an error is not a "no"
            raise as_unavailable(refusal, self._broker.endpoint)
        return {task_id: reply == 1 for task_id, reply in zip(task_ids, found, strict=True)}

    async def server(self) -> str:
        """The run id of the broker's server, which changes with every restart.

        Raises:
            BrokerUnavailable: there is no connection.
        """
        return (await self._broker.connected(PATIENCE)).server.decode(errors="replace")

    def marker(self, task_id: str) -> bytes:
        """The key that marks the task as published."""
        return f"{self._marker_prefix}{task_id}".encode()

    def close(self) -> None:
        """Refuse pending messages; call on the engine's loop."""
        waiting, self._outbox = list(self._outbox), deque()
        for entry in waiting:
            entry.close()
        for task in self._background:
            task.cancel()

    def _flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        """Render and write one slice; the rest follows in later turns of the loop."""
        if not self._outbox:
            self._flushing = False
            return None
        wire = self._broker.wire
        if wire is None or not wire.has_room:
            return self._spawn(self._flush_when_possible())
        if entries := self._render_slice():
            self._write(wire, entries)
        asyncio.get_running_loop().call_soon(self._flush)
        return None

    async def _flush_when_possible(self) -> None:
        try:
            wire = await self._broker.connected(LOOK_SECONDS)
            await wire.wait_for_room()
        except BrokerUnavailable as error:
            waiting, self._outbox = list(self._outbox), deque()
            self._outbox.extend(entry for entry in waiting if self._may_wait(entry, error))
        except BaseException:
            self._flushing = False
            raise
        self._flush()

    def _may_wait(self, entry: Outgoing, error: BrokerUnavailable) -> bool:
        """Announce what a message waits for, or refuse it after its ``patience``."""
        if self._out_of_patience(entry) or self._broker.hopeless:
            entry.give_up(error)
        elif (text := entry.waiting_notice(error)) and self._emitter.has_listeners:
            at, task_id = self._emitter.now(), entry.message.task_id
            self._emitter.emit(Noticed(at=at, task_id=task_id, text=text))
        return not entry.done.done()

    def _out_of_patience(self, entry: Outgoing) -> bool:
        patience = entry.message.patience
        if patience is None:
            patience = DOUBT_SECONDS if entry.in_doubt else PATIENCE
        return time.monotonic() - entry.since >= patience

    def _render_slice(self) -> list[Outgoing]:
        until, size = time.perf_counter() + SLICE_SECONDS, 0
        entries: list[Outgoing] = []
        self._renderer.refresh()
        while self._outbox:
            entry = self._outbox.popleft()
            if entry.done.done():  # its sender gave up
                continue
            if entry.commands or self._render(entry):
                entries.append(entry)
                size += sum(len(command[2]) for command in entry.commands)
            if time.perf_counter() > until or size > SLICE_BYTES:
                break
        return entries

    def _render(self, entry: Outgoing) -> bool:
        try:
            entry.commands = self._renderer.render(entry.message)
        except NeedsServer:
            self._spawn(self._render_on_thread(entry))
        except Exception as error:  # noqa: BLE001 - errors of send_task belong to the caller
            self._fail(entry, error)
        return bool(entry.commands)

    async def _render_on_thread(self, entry: Outgoing) -> None:
        def render() -> Commands:
            self._capture = self._capture or self._blocking_capture()
            return self._capture.render(entry.message)

        try:
            entry.commands = await self.thread.call(render)
        except Exception as error:  # noqa: BLE001 - see above
            return self._fail(entry, error)
        if not entry.commands:
            return self._fail(entry, UsageError("No queue is bound to this exchange and key."))
        self._outbox.append(entry)
        return self._flush_soon()

    def _write(self, wire: Wire, entries: Sequence[Outgoing]) -> None:
        if moved := [each for each in entries if each.in_doubt and each.server != wire.server]:
            self._spawn(self._check_after_restart(wire, moved), moved)
        if not (known := [each for each in entries if each not in moved]):
            return None
        for entry in known:
            entry.server, entry.attempts = entry.server or wire.server, entry.attempts + 1
        self._before_write()
        if not self._scripts:
            return self._spawn(self._write_by_transaction(wire, known), known)
        reply = wire.call(publish_command(self._guarded(known)))
        reply.add_done_callback(partial(self._answered, known))
        return None

    def _guarded(self, entries: Sequence[Outgoing]) -> list[GuardedCommands]:
        return [(self.marker(entry.message.task_id), entry.commands) for entry in entries]

    def _answered(self, entries: Sequence[Outgoing], reply: asyncio.Future[list[Any]]) -> None:
        if reply.cancelled():
            return None
        if (lost := reply.exception()) is not None:
            return self._retry(entries, lost)
        answer = reply.result()[0]
        if isinstance(answer, ResponseError):
            return self._refused(entries, answer)
        return self._acknowledge(entries, answer)

    async def _write_by_transaction(self, wire: Wire, entries: Sequence[Outgoing]) -> None:
        try:
            async with self._transacting:
                answers = await publish_by_transaction(wire, self._guarded(entries))
        except ConnectionError as lost:
            self._retry(entries, lost)
        except ResponseError as refusal:
            self._reject_all(entries, refusal)
        else:
            self._acknowledge(entries, answers)

    def _acknowledge(self, entries: Sequence[Outgoing], answers: Sequence[Any]) -> None:
        for entry, answer in zip(entries, answers, strict=True):
            if isinstance(answer, bytes):
                self._reject(entry, ResponseError(answer.decode(errors="replace")))
                continue
            if entry.in_doubt and self._emitter.has_listeners:
                at = self._emitter.now()
                self._emitter.emit(Resent(at=at, task_id=entry.message.task_id))
            self._acknowledged.deliver(entry.done, None)

    def _refused(self, entries: Sequence[Outgoing], refusal: ResponseError) -> None:
        if not forbids_scripts(refusal):
            return self._reject_all(entries, refusal)
        if self._scripts:
            logger.warning("The broker does not permit EVAL: publishing with WATCH and MULTI.")
        self._scripts = False
        return self._requeue(entries)

    def _reject_all(self, entries: Sequence[Outgoing], refusal: ResponseError) -> None:
        if _loading(refusal):
            error = as_unavailable(refusal, self._broker.endpoint)
            return self._spawn(self._retry_later(entries, error, _LOADING_PAUSE), entries)
        for entry in entries:
            self._reject(entry, refusal)
        return None

    def _reject(self, entry: Outgoing, refusal: ResponseError) -> None:
        if entry.in_doubt:  # the error may not concern the first attempt
            entry.give_up(as_unavailable(refusal, self._broker.endpoint))
        else:
            self._fail(entry, refusal)

    def _retry(self, entries: Sequence[Outgoing], lost: BaseException) -> None:
        """Publish again what got no reply; the markers ensure that it is queued once."""
        for entry in entries:
            entry.lost = lost
        if (attempts := max(entry.attempts for entry in entries)) < 2:
            return self._requeue(entries)
        pause = min(_LOADING_PAUSE * 2 ** min(attempts - 2, 8), _LONGEST_PAUSE)
        error = as_unavailable(lost, self._broker.endpoint)
        return self._spawn(self._retry_later(entries, error, pause), entries)

    async def _retry_later(
        self, entries: Sequence[Outgoing], error: BrokerUnavailable, pause: float
    ) -> None:
        await asyncio.sleep(pause)
        self._requeue([each for each in entries if self._may_wait(each, error)])

    def _requeue(self, entries: Sequence[Outgoing]) -> None:
        self._outbox.extendleft(reversed(entries))
        self._flush_soon()

    async def _check_after_restart(self, wire: Wire, entries: Sequence[Outgoing]) -> None:
        """Check messages in doubt: a restarted server may have lost markers and queues.

        An existing marker proves the publish; a missing one proves nothing.
        """
        look = b"".join(pack(b"EXISTS", self.marker(each.message.task_id)) for each in entries)
        try:
            found = await wire.call(look, len(entries))
        except ConnectionError as lost:
            return self._retry(entries, lost)
        if _loading(refusal_in(found)):
            where = self._broker.endpoint.where
            error = BrokerUnavailable(f"The broker at {where} restarted and is loading its data.")
            return await self._retry_later(entries, error, _LOADING_PAUSE)
        for entry, known in zip(entries, found, strict=True):
            if known == 1:
                self._acknowledge([entry], [0])
            else:
                entry.refuse(uncertain(f"the broker was restarted ({entry.lost})"))
        return None

    def _fail(self, entry: Outgoing, error: Exception) -> None:
        if not entry.done.done():
            entry.done.set_exception(self._translated(entry.message, error))

    def _translated(self, message: Message, error: Exception) -> Exception:
        if isinstance(error, KimeraError):
            return error
        if type(error).__name__ in ("EncodeError", "SerializationError"):
            return not_serialisable(message.args, message.kwargs, str(error))
        if isinstance(error, OSError | ResponseError):
            return as_unavailable(error, self._broker.endpoint)
        return error

    def _spawn(
        self, coroutine: Coroutine[Any, Any, None], entries: Sequence[Outgoing] = ()
    ) -> None:
        """Run work in the background; refuse ``entries`` if it is cancelled."""

        def ended(task: asyncio.Task[None]) -> None:
            self._background.discard(task)
            if task.cancelled():
                for entry in entries:
                    entry.close()

        task = asyncio.get_running_loop().create_task(coroutine)
        self._background.add(task)
        task.add_done_callback(ended)


def _loading(refusal: ResponseError | None) -> bool:
    return "LOADING" in str(refusal)
