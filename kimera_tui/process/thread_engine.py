"""The engine for every Celery app: public calls only, none of them on the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from kimera_tui.errors import KimeraError, PublishUncertain
from kimera_tui.process.announcer import Announcer
from kimera_tui.process.call_thread import CallThread
from kimera_tui.process.engine import Engine, Message, Receipt
from kimera_tui.process.events import Forgotten, Polled, RevokeSent, StateSeen
from kimera_tui.process.failures import broker_failure
from kimera_tui.process.looking import look_all
from kimera_tui.process.outcome import SUCCESS, Outcome
from kimera_tui.process.payload import not_serialisable

PUBLISH_DEADLINE = 15.0
"""Seconds after which a publish that hasn't come back counts as uncertain."""
RELEASE_WINDOW = 0.2
"""Seconds in which finished tasks are collected into one release."""
POLLS_PER_CALL = 200
REVOKE_SECONDS = 1.0


def thread_engine(app: Any, announcer: Announcer) -> Engine:
    """An engine for any Celery app, or a stand-in for one with a ``send_task``."""
    thread, control = CallThread("kimera-celery"), CallThread("kimera-control")
    handles: dict[str, Any] = {}

    def close() -> None:
        thread.close()
        control.close()

    return Engine(
        publisher=ThreadPublisher(app, thread, handles),
        watcher=ThreadWatcher(thread, handles, announcer),
        releaser=ThreadReleaser(app, (thread, control), handles, announcer),
        close=close,
    )


class ThreadPublisher:
    """Publishes with the app's own ``send_task`` and keeps what that returns."""

    def __init__(self, app: Any, thread: CallThread, handles: dict[str, Any]) -> None:
        self._app = app
        self._thread = thread
        self._handles = handles

    async def publish(self, message: Message) -> None:
        """Publish and return once ``send_task`` has."""
        sent = self._thread.call(self._send, message)
        try:
            self._handles[message.task_id] = await asyncio.wait_for(sent, PUBLISH_DEADLINE)
        except TimeoutError:
            raise PublishUncertain(
                f"The broker did not answer in {PUBLISH_DEADLINE:g} s:"
                f" nobody can say whether {message.name} was sent."
            ) from None

    def _send(self, message: Message) -> Any:
        try:
            return self._app.send_task(
                message.name,
                args=list(message.args),
                kwargs=dict(message.kwargs),
                task_id=message.task_id,
                **message.options,
            )
        except KimeraError:
            raise
        except Exception as error:
            if type(error).__name__ in ("EncodeError", "SerializationError"):
                raise not_serialisable(message.args, message.kwargs, str(error)) from error
            if (failure := broker_failure(error)) is not None:
                raise failure from error
            raise


@dataclass(slots=True)
class _Watch:
    future: asyncio.Future[Outcome]
    delay: float
    max_poll: float
    attempt: int = 0
    seen: tuple[str, Any] = ("", None)


class ThreadWatcher:
    """Polls each task with its own back-off; one trip to the thread serves all that are due."""

    def __init__(self, thread: CallThread, handles: dict[str, Any], announcer: Announcer) -> None:
        self._thread = thread
        self._handles = handles
        self._announcer = announcer
        self._watches: dict[str, _Watch] = {}
        self._due: list[tuple[float, int, str]] = []
        self._order = itertools.count()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def watch(self, task_id: str, poll_start: float, max_poll: float) -> asyncio.Future[Outcome]:
        """Poll the task until it has ended."""
        loop = asyncio.get_running_loop()
        watch = _Watch(loop.create_future(), min(poll_start, max_poll), max_poll)
        self._watches[task_id] = watch
        self._schedule(task_id, watch)
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._run(), name="kimera watcher")
        return watch.future

    def unwatch(self, task_id: str) -> None:
        """Stop polling the task."""
        watch = self._watches.pop(task_id, None)
        if watch is not None:
            watch.future.cancel()

    def _schedule(self, task_id: str, watch: _Watch) -> None:
        due = asyncio.get_running_loop().time() + watch.delay
        heapq.heappush(self._due, (due, next(self._order), task_id))
        if self._due[0][2] == task_id:
            self._wake.set()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._due:
            now = loop.time()
            if (wait := self._due[0][0] - now) > 0:
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), wait)
                continue
            ids: list[str] = []
            while self._due and self._due[0][0] <= now and len(ids) < POLLS_PER_CALL:
                task_id = heapq.heappop(self._due)[2]
                if (watch := self._watches.get(task_id)) is None:
                    continue
                if task_id in self._handles:
                    ids.append(task_id)
                else:  # still being published: nothing can be asked yet
                    self._schedule(task_id, watch)
            if not ids:
                continue
            handles = [self._handles.get(task_id) for task_id in ids]
            outcomes = await self._thread.call(look_all, handles)
            for task_id, outcome in zip(ids, outcomes, strict=True):
                self._polled(task_id, outcome)

    def _polled(self, task_id: str, outcome: Outcome | None) -> None:
        watch = self._watches.get(task_id)
        if watch is None:
            return
        watch.attempt += 1
        ended = outcome is not None and outcome.ready
        watch.delay = 0.0 if ended else min(watch.delay * 2, watch.max_poll)
        if self._announcer.heard:
            state = outcome.state if outcome else ""
            self._announcer.tell(
                Polled(
                    at=self._announcer.now(),
                    task_id=task_id,
                    attempt=watch.attempt,
                    state=state,
                    next_delay=watch.delay,
                )
            )
        if ended and outcome is not None:
            del self._watches[task_id]
            if outcome.state != SUCCESS:  # those that succeed are released by and by
                self._handles.pop(task_id, None)
            if not watch.future.done():
                watch.future.set_result(outcome)
            return
        if outcome is not None and (outcome.state, outcome.result) != watch.seen:
            watch.seen = (outcome.state, outcome.result)
            self._announcer.tell(
                StateSeen(
                    at=self._announcer.now(),
                    task_id=task_id,
                    state=outcome.state,
                    meta=outcome.result,
                )
            )
        self._schedule(task_id, watch)


class ThreadReleaser:
    """Revokes and forgets finished tasks in batches.

    Revokes wait for acknowledgements, so they have a thread of their own; results are forgotten on
    the thread that owns the backend.
    """

    def __init__(
        self,
        app: Any,
        threads: tuple[CallThread, CallThread],
        handles: dict[str, Any],
        announcer: Announcer,
    ) -> None:
        self._app = app
        self._thread, self._control = threads
        self._workers: int | None = None
        self._handles = handles
        self._announcer = announcer
        self._pending: list[str] = []
        self._task: asyncio.Task[None] | None = None

    def release(self, task_id: str) -> None:
        """Put the task into the next batch."""
        self._pending.append(task_id)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._later())

    async def revoke(
        self, task_ids: Sequence[str], *, terminate: bool = False, signal: str = "SIGTERM"
    ) -> Sequence[Receipt]:
        """Revoke now; a stand-in without ``control`` is asked through its results."""
        return await self._control.call(self._revoke, list(task_ids), terminate, signal)

    async def settle(self) -> None:
        """Wait for the batch under way."""
        while self._task is not None and not self._task.done():
            await asyncio.wait({self._task})

    async def _later(self) -> None:
        try:
            await asyncio.sleep(RELEASE_WINDOW)
        finally:  # a loop that ends cancels the sleep; what is pending is released all the same
            while self._pending:
                ids, self._pending = self._pending, []
                with contextlib.suppress(Exception):  # results go by themselves when they expire
                    await self._release(ids)

    async def _release(self, ids: list[str]) -> None:
        receipts: Sequence[Receipt] | None = None
        try:
            receipts = await self._control.call(self._revoke, ids, False, "SIGTERM")
        except Exception as error:
            # A revoke that comes after its result is gone would leave a REVOKED result behind.
            if broker_failure(error) is not None:
                raise
        await self._thread.call(self._forget, ids)
        self._tell_released(ids, receipts)

    def _tell_released(self, ids: Sequence[str], receipts: Sequence[Receipt] | None) -> None:
        if not self._announcer.heard:
            return
        at = self._announcer.now()
        for task_id in ids:
            if receipts is not None:
                self._announcer.tell(RevokeSent(at=at, task_id=task_id, receipts=tuple(receipts)))
            self._announcer.tell(Forgotten(at=at, task_id=task_id))

    def _forget(self, ids: list[str]) -> None:
        handles = [self._handles.pop(task_id, None) for task_id in ids]
        _each(handle.forget for handle in handles if handle is not None)

    def _revoke(self, ids: list[str], terminate: bool, signal: str) -> Sequence[Receipt]:
        control = getattr(self._app, "control", None)
        if _is_celery(self._app) and control is not None:
            replies = control.revoke(
                ids,
                terminate=terminate,
                signal=signal,
                reply=True,
                timeout=REVOKE_SECONDS,
                # Without a number of answers to expect, every call waits its whole time-out.
                limit=self._workers,
            )
            receipts = [receipt for reply in replies or [] for receipt in read_receipts(reply)]
            self._workers = len(receipts) or None
            return receipts
        how = {"terminate": True, "signal": signal} if terminate else {}
        handles = [self._handles.get(task_id) for task_id in ids]
        _each(partial(handle.revoke, **how) for handle in handles if handle is not None)
        return []


def _each(calls: Iterable[Callable[[], Any]]) -> None:
    """Make all calls; the last error is raised afterwards, and one of the broker's at once."""
    failed: Exception | None = None
    for call in calls:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - one task's trouble isn't the others'
            failed = error
            if broker_failure(error) is not None:
                break
    if failed is not None:
        raise failed


def read_receipts(reply: Any) -> list[Receipt]:
    """The receipts in one broadcast reply, ``{worker: {"ok": text}}`` or ``{"error": text}``."""
    receipts = []
    for worker, answer in reply.items() if isinstance(reply, dict) else ():
        ok = isinstance(answer, dict) and "ok" in answer
        text = answer.get("ok") or answer.get("error") if isinstance(answer, dict) else answer
        receipts.append(Receipt(worker=str(worker), answer=str(text), ok=ok))
    return receipts


def _is_celery(app: Any) -> bool:
    return any(base.__module__.startswith("celery.") for base in type(app).__mro__)
