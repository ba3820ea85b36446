"""Brings task messages to a Redis broker: an outbox, written in slices, safe to repeat."""

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
from kimera_tui.process.redis.publish_script import Offer, by_transaction, forbids_scripts, scripted
from kimera_tui.process.redis.reconnecting import Link, as_unavailable
from kimera_tui.process.redis.rendering import Rendering
from kimera_tui.process.redis.wire import Wire, pack, refusal_in

logger = logging.getLogger(__name__)

SLICE_SECONDS = 0.0015
"""The most time that one loop turn spends on rendering."""
SLICE_BYTES = 512 * 1024
PATIENCE = 4.0
"""Seconds for which a message without patience of its own waits for a broker that was there."""
DOUBT_SECONDS = 6.0
"""The same once a reply got lost: so long it tries to learn what became of the publish."""
LOOK_SECONDS = 1.0
"""Seconds between two looks at how long messages have waited for a broker that is away."""
_LOADING_PAUSE = 0.1
_LONGEST_PAUSE = 2.0
"""Seconds between two offers of a message whose replies keep getting lost."""


class RedisPublisher:
    """Publishes what Celery's ``send_task`` would publish.

    Args:
        link: The connection to the broker.
        rendering: Renders without the server, faster where it can.
        late_capture: Makes the capture that may ask the server, for use on a thread.
        marker_prefix: What comes before a task id in its marker's key.
        emitter: Where re-sent messages are told.
        before_write: Called before messages are written.
    """

    def __init__(
        self,
        link: Link,
        rendering: Rendering,
        late_capture: Callable[[], Capture],
        marker_prefix: str,
        emitter: Emitter,
        before_write: Callable[[], None],
    ) -> None:
        self._link = link
        self._rendering = rendering
        self._late_capture = late_capture
        self._late: Capture | None = None
        self._marker_prefix = marker_prefix
        self._emitter = emitter
        self._before_write = before_write
        self._outbox: deque[Outgoing] = deque()
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
        self._outbox.append(Outgoing(message, done))
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
        for entry in waiting:
            entry.close()
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
        if entries := self._rendered_entries():
            self._offer(wire, entries)
        asyncio.get_running_loop().call_soon(self._flush)
        return None

    async def _flush_when_possible(self) -> None:
        try:
            wire = await self._link.connected(LOOK_SECONDS)
            await wire.wait_for_room()
        except BrokerUnavailable as away:
            waiting, self._outbox = list(self._outbox), deque()
            self._outbox.extend(entry for entry in waiting if self._may_wait(entry, away))
        except BaseException:
            self._flushing = False
            raise
        self._flush()

    def _may_wait(self, entry: Outgoing, away: BrokerUnavailable) -> bool:
        """Say what a message waits for, or refuse one that has waited for long enough."""
        if self._is_over(entry) or self._link.hopeless:
            entry.give_up(away)
        elif (text := entry.waits_for(away)) and self._emitter.heard:
            at, task_id = self._emitter.now(), entry.message.task_id
            self._emitter.emit(Noticed(at=at, task_id=task_id, text=text))
        return not entry.done.done()

    def _is_over(self, entry: Outgoing) -> bool:
        patience = entry.message.patience
        if patience is None:
            patience = DOUBT_SECONDS if entry.in_doubt else PATIENCE
        return time.monotonic() - entry.since >= patience

    def _rendered_entries(self) -> list[Outgoing]:
        until, size = time.perf_counter() + SLICE_SECONDS, 0
        entries: list[Outgoing] = []
        self._rendering.look_around()
        while self._outbox:
            entry = self._outbox.popleft()
            if entry.done.done():  # nobody waits for it any more
                continue
            if entry.commands or self._render(entry):
                entries.append(entry)
                size += sum(len(command[2]) for command in entry.commands)
            if time.perf_counter() > until or size > SLICE_BYTES:
                break
        return entries

    def _render(self, entry: Outgoing) -> bool:
        try:
            entry.commands = self._rendering.render(entry.message)
        except NeedsServer:
            self._spawn(self._render_on_thread(entry))
        except Exception as error:  # noqa: BLE001 - whatever send_task says belongs to its caller
            self._fail(entry, error)
        return bool(entry.commands)

    async def _render_on_thread(self, entry: Outgoing) -> None:
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

    def _offer(self, wire: Wire, entries: Sequence[Outgoing]) -> None:
        if moved := [each for each in entries if each.in_doubt and each.server != wire.server]:
            self._spawn(self._look_after_restart(wire, moved), moved)
        if not (known := [each for each in entries if each not in moved]):
            return None
        for entry in known:
            entry.server, entry.offers = entry.server or wire.server, entry.offers + 1
        self._before_write()
        if not self._scripts:
            return self._spawn(self._offer_by_transaction(wire, known), known)
        reply = wire.call(scripted(self._offers(known)))
        reply.add_done_callback(partial(self._answered, known))
        return None

    def _offers(self, entries: Sequence[Outgoing]) -> list[Offer]:
        return [(self.marker(entry.message.task_id), entry.commands) for entry in entries]

    def _answered(self, entries: Sequence[Outgoing], reply: asyncio.Future[list[Any]]) -> None:
        if reply.cancelled():
            return None
        if (lost := reply.exception()) is not None:
            return self._offer_again(entries, lost)
        answer = reply.result()[0]
        if isinstance(answer, ResponseError):
            return self._refused(entries, answer)
        return self._settle(entries, answer)

    async def _offer_by_transaction(self, wire: Wire, entries: Sequence[Outgoing]) -> None:
        try:
            async with self._one_at_a_time:
                answers = await by_transaction(wire, self._offers(entries))
        except ConnectionError as lost:
            self._offer_again(entries, lost)
        except ResponseError as refusal:
            self._declined(entries, refusal)
        else:
            self._settle(entries, answers)

    def _settle(self, entries: Sequence[Outgoing], answers: Sequence[Any]) -> None:
        for entry, answer in zip(entries, answers, strict=True):
            if isinstance(answer, bytes):
                self._decline(entry, ResponseError(answer.decode(errors="replace")))
                continue
            if entry.in_doubt and self._emitter.heard:
                at = self._emitter.now()
                self._emitter.emit(Resent(at=at, task_id=entry.message.task_id))
            self._acknowledged.deliver(entry.done, None)

    def _refused(self, entries: Sequence[Outgoing], refusal: ResponseError) -> None:
        if not forbids_scripts(refusal):
            return self._declined(entries, refusal)
        if self._scripts:
            logger.warning("The broker permits no EVAL: publishing with WATCH and MULTI.")
        self._scripts = False
        return self._back_to_front(entries)

    def _declined(self, entries: Sequence[Outgoing], refusal: ResponseError) -> None:
        if _loading(refusal):
            away = as_unavailable(refusal, self._link.endpoint)
            return self._spawn(self._offer_later(entries, away, _LOADING_PAUSE), entries)
        for entry in entries:
            self._decline(entry, refusal)
        return None

    def _decline(self, entry: Outgoing, refusal: ResponseError) -> None:
        if entry.in_doubt:  # it may say nothing of the first offer
            entry.give_up(as_unavailable(refusal, self._link.endpoint))
        else:
            self._fail(entry, refusal)

    def _offer_again(self, entries: Sequence[Outgoing], lost: BaseException) -> None:
        """Offer once more what got no reply; its markers see to it that it is queued once."""
        for entry in entries:
            entry.lost = lost
        if (offers := max(entry.offers for entry in entries)) < 2:
            return self._back_to_front(entries)
        pause = min(_LOADING_PAUSE * 2 ** min(offers - 2, 8), _LONGEST_PAUSE)
        away = as_unavailable(lost, self._link.endpoint)
        return self._spawn(self._offer_later(entries, away, pause), entries)

    async def _offer_later(
        self, entries: Sequence[Outgoing], away: BrokerUnavailable, pause: float
    ) -> None:
        await asyncio.sleep(pause)
        self._back_to_front([each for each in entries if self._may_wait(each, away)])

    def _back_to_front(self, entries: Sequence[Outgoing]) -> None:
        self._outbox.extendleft(reversed(entries))
        self._flush_soon()

    async def _look_after_restart(self, wire: Wire, entries: Sequence[Outgoing]) -> None:
        """Another server, or the same one restarted, may have forgotten markers and queues.

        A marker that is there proves the publish; without one nobody knows.
        """
        look = b"".join(pack(b"EXISTS", self.marker(each.message.task_id)) for each in entries)
        try:
            found = await wire.call(look, len(entries))
        except ConnectionError as lost:
            return self._offer_again(entries, lost)
        if _loading(refusal_in(found)):
            where = self._link.endpoint.where
            away = BrokerUnavailable(f"The broker at {where} was restarted and loads its data.")
            return await self._offer_later(entries, away, _LOADING_PAUSE)
        for entry, known in zip(entries, found, strict=True):
            if known == 1:
                self._settle([entry], [0])
            else:
                entry.refuse(uncertain(f"the broker was restarted ({entry.lost})"))
        return None

    def _fail(self, entry: Outgoing, error: Exception) -> None:
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

    def _spawn(
        self, coroutine: Coroutine[Any, Any, None], entries: Sequence[Outgoing] = ()
    ) -> None:
        """Do something beside; ``entries`` are refused if that is cancelled."""

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
