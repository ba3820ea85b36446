"""Tells workers which tasks are revoked while they start, before they take a message."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator
from typing import Any

from kombu.utils.json import loads

from kimera_tui.process.loop.call_thread import CallThread
from kimera_tui.process.redis.endpoint import TIMEOUTS

LISTEN_SECONDS = 0.5
"""The longest that the thread takes to notice that it should end."""
TRY_AGAIN = 1.0


class RedisNewWorkerRevoker:
    """Answers the question that a worker asks its neighbours when it starts.

    A broadcast reaches only workers that already listen, and a worker that starts takes its first
    message at once. But before that it asks what has been revoked. (Celery calls this mingling;
    ``--without-mingle`` turns it off.) For Redis brokers.

    Args:
        app: The Celery app.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._name = f"kimera-{os.getpid()}@{socket.gethostname()}"

    @contextlib.contextmanager
    def revoking(self, task_ids: Collection[str], on_told: Callable[[str], None]) -> Iterator[None]:
        """Tell every worker that starts meanwhile that these tasks are revoked.

        Args:
            task_ids: Read again for each worker, so it may change.
            on_told: Called on the loop with the name of each worker that was told.
        """
        loop, end = asyncio.get_running_loop(), threading.Event()
        thread = CallThread("kimera-new-workers")

        def report(worker: str) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(on_told, worker)

        answering = thread.call(self._keep_answering, task_ids, report, end)
        try:
            yield
        finally:
            end.set()
            answering.cancel()
            thread.close()

    def _keep_answering(
        self, task_ids: Collection[str], report: Callable[[str], None], end: threading.Event
    ) -> None:
        """On the thread, until ``end`` is set; a broker that is away is tried again."""
        while not end.is_set():
            try:
                self._answer(task_ids, report, end)
            except Exception:  # noqa: BLE001 - whatever it was, the next try may succeed
                end.wait(TRY_AGAIN)

    def _answer(
        self, task_ids: Collection[str], report: Callable[[str], None], end: threading.Event
    ) -> None:
        with self._app.connection_for_write(transport_options=TIMEOUTS) as connection:
            channel: Any = connection.default_channel
            mailbox: Any = self._app.control.mailbox(connection)

            def hello(state: object, from_node: str = "", **rest: object) -> dict[str, object]:
                report(from_node)
                now = time.time()
                revoked = dict.fromkeys(tuple(task_ids), now)
                return {"revoked": revoked, "clock": self._app.clock.forward()}

            node = mailbox.Node(self._name, channel=channel, handlers={"hello": hello})
            pushes = channel.client.pubsub(ignore_subscribe_messages=True)
            with contextlib.closing(pushes):
                pushes.subscribe(f"{channel.keyprefix_fanout}{mailbox.exchange.name}")
                while not end.is_set():
                    pushed = pushes.get_message(timeout=LISTEN_SECONDS)
                    if pushed is not None:
                        self._handle(channel, node, pushed["data"])

    def _handle(self, channel: Any, node: Any, data: bytes) -> None:
        message = channel.Message(loads(data), channel=channel)
        message.accept = {"application/json"}
        body = message.decode()
        if body.get("method") == "hello":
            node.handle_message(body)
