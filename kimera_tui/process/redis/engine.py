"""Assembles the Redis engine."""

from __future__ import annotations

from typing import Any

from celery import Celery

from kimera_tui.process.engine import Engine
from kimera_tui.process.loop.bus import Emitter
from kimera_tui.process.outages import Outages
from kimera_tui.process.outcome import IsOver
from kimera_tui.process.redis.capture import Capture
from kimera_tui.process.redis.endpoint import backend_endpoint
from kimera_tui.process.redis.known_workers import KnownWorkers
from kimera_tui.process.redis.publish_script import MARKER
from kimera_tui.process.redis.publisher import RedisPublisher
from kimera_tui.process.redis.queue_locator import RedisLocator
from kimera_tui.process.redis.reconnecting import RedisConnection, ServerHealth
from kimera_tui.process.redis.releaser import RedisReleaser
from kimera_tui.process.redis.rendering import Renderer
from kimera_tui.process.redis.revoke_new_workers import RedisNewWorkerRevoker
from kimera_tui.process.redis.revoker import Revoker
from kimera_tui.process.redis.run_id import ask_for_run_id
from kimera_tui.process.redis.unqueue import RedisUnqueuer
from kimera_tui.process.redis.watcher import RedisWatcher
from kimera_tui.process.stopping.revoke_count import RevokeCount


def build(app: Celery, emitter: Emitter, is_over: IsOver) -> Engine:
    """Build the engine of an app whose broker and result backend are one Redis server each."""
    return _Parts(app, emitter, is_over).engine


class _Parts:
    """The parts of one engine and their wiring."""

    def __init__(self, app: Celery, emitter: Emitter, is_over: IsOver) -> None:
        capture = Capture(app)
        prefix = capture.key_prefix
        backend: Any = app.backend
        control: Any = app.control
        key_prefix: bytes = backend.task_keyprefix
        outages = Outages()
        health = ServerHealth("result backend", emitter, outages)
        broker_health = ServerHealth("broker", emitter, outages)
        self._broker = RedisConnection(capture.endpoint, broker_health, on_open=ask_for_run_id)
        results = backend_endpoint(app)
        self._backend = RedisConnection(results, health)
        self._watcher = RedisWatcher(
            results, self._backend, health, key_prefix, emitter, self._used, is_over
        )
        self._publisher = RedisPublisher(
            self._broker,
            Renderer(app, capture),
            lambda: Capture(app, ask_server=True),
            f"{prefix}{MARKER}",
            emitter,
            self._watcher.flush,
        )
        pidbox = control.mailbox.exchange.name
        workers = KnownWorkers(
            f"{prefix}_kombu.binding.{pidbox}".encode(), capture.separator, f".{pidbox}"
        )
        count = RevokeCount(emitter)
        self._revoker = Revoker(app, self._broker, workers, count)
        self._stopper = Revoker(app, self._broker, workers, count, "kimera-stop")
        self._locator = RedisLocator(app, self._broker, workers)
        self._releaser = RedisReleaser(
            (self._revoker, self._stopper),
            self._broker,
            self._backend,
            self._publisher.marker,
            key_prefix,
            emitter,
            self._ended,
        )
        self.engine = Engine(
            self._publisher,
            self._watcher,
            self._releaser,
            self._close,
            new_worker_revoker=RedisNewWorkerRevoker(app),
            locator=self._locator,
            unqueuer=RedisUnqueuer(app, self._broker),
            outages=outages,
        )

    def _used(self) -> None:
        self._releaser.start()

    def _close(self) -> None:
        """Close from the engine's own loop, from another loop, or after its loop has ended."""
        loop = self._releaser.loop
        if loop is None or loop.is_closed():
            self._end_threads()
        else:
            loop.call_soon_threadsafe(self._watcher.cancel)
            loop.call_soon_threadsafe(self._releaser.cancel)

    async def _ended(self) -> None:
        """Close the connections; runs on the engine's loop after the last release."""
        self._publisher.close()
        self._end_threads()
        await self._watcher.close()
        await self._broker.close()
        await self._backend.close()

    def _end_threads(self) -> None:
        self._publisher.thread.close()
        self._revoker.close()
        self._stopper.close()
        self._locator.close()
