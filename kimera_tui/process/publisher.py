"""Brings task messages to a Redis broker: an outbox, written in slices, safe to repeat."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from redis.exceptions import ResponseError

from kimera_tui.errors import BrokerUnavailable, KimeraError, PublishUncertain, UsageError
from kimera_tui.process.announcer import Announcer
from kimera_tui.process.call_thread import CallThread
from kimera_tui.process.capture import Capture, Commands, NeedsServer
from kimera_tui.process.deliverer import Deliverer
from kimera_tui.process.engine import Message
from kimera_tui.process.events import Resent
from kimera_tui.process.link import Link, as_unavailable
from kimera_tui.process.payload import not_serialisable
from kimera_tui.process.publish_script import by_transaction, forbids_scripts, scripted
from kimera_tui.process.rendering import Rendering
from kimera_tui.process.wire import Wire, pack, refusal_in

logger = logging.getLogger(__name__)

SLICE_SECONDS = 0.0015
"""The most time that one loop turn spends on rendering."""
SLICE_BYTES = 512 * 1024
PATIENCE = 4.0
"""Seconds for which a publish waits for a broker that was there before."""
DOUBT_SECONDS = 6.0
"""Seconds for which a publish whose reply got lost tries to learn what became of it."""
_LOADING_PAUSE = 0.1


class _Entry:
    """One message on its way."""

    __slots__ = ("commands", "done", "message")

    def __init__(self, message: Message, done: asyncio.Future[None]) -> None:
        self.message = message
        self.done = done
        self.commands: Commands = ()


class _Slice:
    """Messages that were offered to the broker together."""

    __slots__ = ("doubtful", "entries", "offers", "server", "since")

    def __init__(self, entries: list[_Entry], offers: list[tuple[bytes, Commands]]) -> None:
        self.entries = entries
        self.offers = offers
        self.since = time.monotonic()
        self.doubtful = False
        """Whether an earlier offer's reply got lost."""
        self.server = b""
        """The run id of the server that got the first offer."""


class RedisPublisher:
    """Publishes what Celery's ``send_task`` would publish.

    Args:
        link: The connection to the broker.
        rendering: Renders without the server, faster where it can.
        late_capture: Makes the capture that may ask the server, for use on a thread.
        marker_prefix: What comes before a task id in its marker's key.
        announcer: Where re-sent messages are told.
        before_write: Called before messages are written.
    """

    def __init__(
        self,
        link: Link,
        rendering: Rendering,
        late_capture: Callable[[], Capture],
        marker_prefix: str,
        announcer: Announcer,
        before_write: Callable[[], None],
    ) -> None:
        self._link = link
        self._rendering = rendering
        self._late_capture = late_capture
        self._late: Capture | None = None
        self._marker_prefix = marker_prefix
        self._announcer = announcer
        self._before_write = before_write
        self._outbox: deque[_Entry] = deque()
        self._flushing = False
        self._background: set[asyncio.Task[None]] = set()
        self.thread = CallThread("kimera-render")
        """Where messages are rendered that only the server knows how to route."""
        self._acknowledged: Deliverer[None] = Deliverer()
        self._scripts = True
        self._one_at_a_time = asyncio.Lock()

    async def publish(self, message: Message) -> None:
        """Return once the broker acknowledged the message; see ``engine.Publisher``."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._outbox.append(_Entry(message, done))
        self._flush_soon()
        await done

    async def published(self, task_ids: Sequence[str]) -> dict[str, bool]:
        """Which of these tasks have been published in the last seven days and not released.

        Raises:
            BrokerUnavailable: the broker can't be asked now.
        """
        wire = await self._link.connected(PATIENCE)
        asked = b"".join(pack(b"EXISTS", self.marker(task_id)) for task_id in task_ids)
        try:
            found = await wire.call(asked, len(task_ids)) if task_ids else []
        except ConnectionError as error:
            raise as_unavailable(error, self._link.endpoint) from error
        if (refusal := refusal_in(found)) is not None:  # that isn't a "no"
            raise as_unavailable(refusal, self._link.endpoint)
        return {task_id: reply == 1 for task_id, reply in zip(task_ids, found, strict=True)}

    async def server(self) -> str:
        """The run id of the broker's server, which changes when that is restarted.

        Raises:
            BrokerUnavailable: there is no connection now.
        """
        return (await self._link.connected(PATIENCE)).server.decode(errors="replace")

    def marker(self, task_id: str) -> bytes:
        """The key that says the task has been published."""
        return f"{self._marker_prefix}{task_id}".encode()

    def close(self) -> None:
        """Refuse what is still waiting; on the engine's loop."""
        waiting, self._outbox = list(self._outbox), deque()
        self._refuse(waiting, BrokerUnavailable("The engine was closed: nothing was sent."))
        for task in self._background:
            task.cancel()

    def _flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        """Render and write one slice; the rest has its turn after the loop had one."""
        if not self._outbox:
            self._flushing = False
            return None
        wire = self._link.wire
        if wire is None or not wire.has_room:
            return self._spawn(self._flush_when_possible())
        entries = self._rendered_entries()
        if entries:
            offers = [(self.marker(entry.message.task_id), entry.commands) for entry in entries]
            self._before_write()
            self._offer(_Slice(entries, offers))
        asyncio.get_running_loop().call_soon(self._flush)
        return None

    async def _flush_when_possible(self) -> None:
        try:
            wire = await self._link.connected(PATIENCE)
            await wire.wait_for_room()
        except BrokerUnavailable as error:
            waiting, self._outbox = list(self._outbox), deque()
            self._refuse(waiting, error)
        except BaseException:
            self._flushing = False
            raise
        self._flush()

    def _rendered_entries(self) -> list[_Entry]:
        until, size = time.perf_counter() + SLICE_SECONDS, 0
        entries: list[_Entry] = []
        self._rendering.look_around()
        while self._outbox:
            entry = self._outbox.popleft()
            if entry.done.done():  # nobody waits any more, and nothing was sent
                continue
            if entry.commands or self._render(entry):
                entries.append(entry)
                size += sum(len(command[2]) for command in entry.commands)
            if time.perf_counter() > until or size > SLICE_BYTES:
                break
        return entries

    def _render(self, entry: _Entry) -> bool:
        try:
            entry.commands = self._rendering.render(entry.message)
        except NeedsServer:
            self._spawn(self._render_on_thread(entry))
        except Exception as error:  # noqa: BLE001 - whatever send_task says belongs to its caller
            self._fail(entry, error)
        return bool(entry.commands)

    async def _render_on_thread(self, entry: _Entry) -> None:
        def render() -> Commands:
            self._late = self._late or self._late_capture()
            return self._late.render(entry.message)

        try:
            entry.commands = await self.thread.call(render)
        except Exception as error:  # noqa: BLE001 - see above
            return self._fail(entry, error)
        if not entry.commands:
            return self._fail(entry, UsageError("No queue is bound to this exchange and key."))
        self._outbox.append(entry)
        return self._flush_soon()

    def _offer(self, portion: _Slice) -> None:
        wire = self._link.wire
        if wire is None:
            return self._spawn(self._offer_again(portion))
        portion.server = portion.server or wire.server
        if not self._scripts:
            return self._spawn(self._offer_by_transaction(wire, portion))
        reply = wire.call(scripted(portion.offers))
        reply.add_done_callback(partial(self._answered, portion))
        return None

    def _answered(self, portion: _Slice, reply: asyncio.Future[list[Any]]) -> None:
        if reply.cancelled():
            return None
        if (lost := reply.exception()) is not None:
            portion.doubtful = True
            return self._spawn(self._offer_again(portion, lost))
        answer = reply.result()[0]
        if isinstance(answer, ResponseError):
            return self._refused(portion, answer)
        return self._settle(portion, answer)

    async def _offer_by_transaction(self, wire: Wire, portion: _Slice) -> None:
        try:
            async with self._one_at_a_time:
                answers = await by_transaction(wire, portion.offers)
        except ConnectionError as lost:
            portion.doubtful = True
            await self._offer_again(portion, lost)
        except ResponseError as refusal:
            self._declined(portion, refusal)
        else:
            self._settle(portion, answers)

    def _settle(self, portion: _Slice, answers: Sequence[Any]) -> None:
        for entry, answer in zip(portion.entries, answers, strict=True):
            if isinstance(answer, bytes):
                self._fail(entry, ResponseError(answer.decode(errors="replace")))
            else:
                self._acknowledged.deliver(entry.done, None)

    def _refused(self, portion: _Slice, refusal: ResponseError) -> None:
        if forbids_scripts(refusal):
            if self._scripts:
                logger.warning("The broker permits no EVAL: publishing with WATCH and MULTI.")
            self._scripts = False
            return self._offer(portion)
        return self._declined(portion, refusal)

    def _declined(self, portion: _Slice, refusal: ResponseError) -> None:
        if _loading(refusal) and time.monotonic() - portion.since < PATIENCE:
            asyncio.get_running_loop().call_later(_LOADING_PAUSE, self._offer, portion)
            return None
        if portion.doubtful:
            return self._refuse(portion.entries, _uncertain(str(refusal)))
        for entry in portion.entries:
            self._fail(entry, refusal)
        return None

    async def _offer_again(self, portion: _Slice, lost: BaseException | None = None) -> None:
        """Offer once more what got no reply; its markers see to it that it is queued once."""
        left = portion.since + DOUBT_SECONDS - time.monotonic()
        try:
            wire = await self._link.connected(max(0.0, left))
            if portion.doubtful and wire.server != portion.server:
                return await self._look_after_restart(wire, portion, lost)
        except BrokerUnavailable as error:
            doubt = _uncertain(error.message) if portion.doubtful else error
            return self._refuse(portion.entries, doubt)
        except asyncio.CancelledError:
            self._refuse(portion.entries, _uncertain("the engine was closed"))
            raise
        if self._announcer.heard and portion.doubtful:
            at = self._announcer.now()
            for entry in portion.entries:
                self._announcer.tell(Resent(at=at, task_id=entry.message.task_id))
        return self._offer(portion)

    async def _look_after_restart(
        self, wire: Wire, portion: _Slice, lost: BaseException | None
    ) -> None:
        """Another server, or the same one restarted, may have forgotten markers and queues.

        A marker that is there proves the publish; without one nobody knows.
        """
        look = b"".join(pack(b"EXISTS", marker) for marker, _ in portion.offers)
        until = portion.since + DOUBT_SECONDS
        try:
            found = await wire.call(look, len(portion.offers))
            while _loading(refusal_in(found)) and time.monotonic() < until:
                await asyncio.sleep(_LOADING_PAUSE)
                found = await wire.call(look, len(portion.offers))
        except ConnectionError as error:
            return await self._offer_again(portion, error)
        for entry, known in zip(portion.entries, found, strict=True):
            if known == 1 and not entry.done.done():
                entry.done.set_result(None)
            else:
                self._refuse([entry], _uncertain(f"the broker was restarted ({lost})"))
        return None

    def _fail(self, entry: _Entry, error: Exception) -> None:
        if not entry.done.done():
            entry.done.set_exception(self._as_ours(entry.message, error))

    def _as_ours(self, message: Message, error: Exception) -> Exception:
        if isinstance(error, KimeraError):
            return error
        if type(error).__name__ in ("EncodeError", "SerializationError"):
            return not_serialisable(message.args, message.kwargs, str(error))
        if isinstance(error, OSError | ResponseError):
            return as_unavailable(error, self._link.endpoint)
        return error

    def _refuse(self, entries: Sequence[_Entry], error: BrokerUnavailable) -> None:
        for entry in entries:
            if not entry.done.done():
                entry.done.set_exception(type(error)(error.message, hint=error.hint))

    def _spawn(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _loading(refusal: ResponseError | None) -> bool:
    return "LOADING" in str(refusal)


def _uncertain(why: str) -> PublishUncertain:
    return PublishUncertain(
        f"The connection to the broker was lost while publishing ({why.rstrip('.')}):"
        " the task may or may not be queued."
    )
