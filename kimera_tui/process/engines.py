"""The friends and their engines: one for each broker and result backend."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

from kimera_tui.config.friends import expand, find_friend
from kimera_tui.config.urls import check_backend_url, check_broker_url
from kimera_tui.errors import CeleryDisabled, UsageError
from kimera_tui.process.celery_app import is_plain_celery, make_app
from kimera_tui.process.engine import Engine
from kimera_tui.process.loop.bus import Emitter
from kimera_tui.process.outcome import IsOver, MayDrop, always_over
from kimera_tui.process.threaded.engine import thread_engine

SCHEMES = ("redis://", "rediss://", "redis+socket://")
_BACKEND_SCHEMES = (*SCHEMES, "socket://")


class Engines:
    """Knows the friends; builds Celery apps and engines on first use, for the loop that asks.

    Args:
        enabled: Whether Celery is on.
        broker: URL of the default broker.
        backend: URL of the default result backend.
        friends: Each friend's configuration, by name.
        emitter: Where the engines emit their events.
        variables: What ``${NAME}`` in a friend's own URL stands for.
    """

    def __init__(
        self,
        enabled: bool,
        broker: str,
        backend: str,
        friends: dict[str, Any],
        emitter: Emitter,
        variables: Mapping[str, str],
    ) -> None:
        self._default = (broker, backend)
        self.friends = friends
        """Each friend's configuration, by name."""
        self.is_over: IsOver = always_over
        """Asked about every stored REVOKED, whether its task has ended."""
        self.may_drop: MayDrop = lambda task_id, worker, queue: True
        """Asked about every worker that acknowledges a revoke."""
        self._variables = variables
        self._emitter = emitter
        self._enabled = enabled
        self._apps: dict[tuple[str, str], Any] = {}
        self._engines: dict[tuple[str, str], Engine] = {}
        self._opening: dict[tuple[str, str], asyncio.Future[Engine]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._building = threading.Lock()
        self._attaching = threading.Lock()

    @property
    def app(self) -> Any:
        """The Celery app of the default broker; None when Celery is off."""
        return self._app(self._default) if self._enabled else None

    @app.setter
    def app(self, app: Any) -> None:
        self.close()
        self._enabled = app is not None
        self._apps = {self._default: app}

    @property
    def observed(self) -> bool:
        """Whether somebody observes what becomes of tasks."""
        return self.is_over is not always_over

    def require_celery(self) -> None:
        """Raise CeleryDisabled when Celery is off."""
        if not self._enabled:
            raise CeleryDisabled

    def attach(self) -> None:
        """Bind the engines to the running loop.

        Raises:
            UsageError: another running loop uses them.
        """
        loop = asyncio.get_running_loop()
        if self._loop is loop or not self._enabled:
            return
        with self._attaching:
            self.check_loop()
            self.close()
            self._loop = loop

    def check_loop(self) -> None:
        """Raise UsageError if another running loop uses the engines."""
        loop = self._loop
        if loop is not None and loop is not asyncio.get_running_loop() and loop.is_running():
            raise UsageError(
                "TaskManager is in use on another running event loop, and works on one at a time;"
                " nothing was sent.",
                hint="Call it there, by asyncio.run_coroutine_threadsafe, or once that loop ended.",
            )

    def friend(self, name: str) -> Any:
        """A friend's configuration, as a mapping.

        Raises:
            UnknownFriend: no friend of that name is configured.
        """
        return find_friend(self.friends, name)

    def app_of(self, friend: str) -> Any:
        """The Celery app that a friend's tasks are sent with; may import celery, so not on a loop.

        Raises:
            UnknownFriend: no friend of that name is configured.
            ConfigError: the friend's own broker or backend URL is wrong.
        """
        return self._app(self._route(friend))

    async def engine(self, friend: str | None = None) -> Engine:
        """Return the engine of a friend, or the default one.

        Raises:
            CeleryDisabled: Celery is off.
            UnknownFriend: no friend of that name is configured.
            ConfigError: the friend's own broker or backend URL is wrong.
            UsageError: another running loop uses the engines.
        """
        self.require_celery()
        self.attach()
        route = self._default if friend is None else self._route(friend)
        if route not in self._engines:
            await self._open(route)
        # Closed while opening: the engine must be built for the current app and loop.
        return self._engines.get(route) or await self.engine(friend)

    async def _open(self, route: tuple[str, str]) -> None:
        """Build an engine, once for all waiting callers."""
        opening = self._opening.get(route)
        if opening is None:
            # Importing celery and redis takes most of a second: not on the loop.
            opening = asyncio.ensure_future(asyncio.to_thread(self._engine, route))
            self._opening[route] = opening
        try:
            engine = await asyncio.shield(opening)
        finally:
            current = self._opening.get(route) is opening
            if current and opening.done():
                del self._opening[route]
        if current:
            self._engines[route] = engine

    async def settle(self) -> None:
        """Return once every ended task is released; raises like ``attach``."""
        self.check_loop()
        if self._loop is asyncio.get_running_loop():
            for engine in list(self._engines.values()):
                await engine.releaser.settle()

    def close(self) -> None:
        """Close all engines; the next use builds new ones."""
        for engine in self._engines.values():
            engine.close()
        self._engines.clear()
        self._opening.clear()
        self._loop = None

    def _app(self, route: tuple[str, str]) -> Any:
        with self._building:
            if route not in self._apps:
                self._apps[route] = make_app(*route)
            return self._apps[route]

    def _engine(self, route: tuple[str, str]) -> Engine:
        return engine_for(self._app(route), self._emitter, lambda task_id: self.is_over(task_id))

    def _route(self, friend: str) -> tuple[str, str]:
        """Broker and backend URL; a friend's own Redis broker also stores its results."""
        entry = self.friend(friend)
        own_broker, own_backend = entry.get("broker"), entry.get("backend")
        if not own_broker and not own_backend:
            return self._default
        broker, backend = self._default
        if own_broker:
            broker = check_broker_url(expand(own_broker, friend, self._variables))
            backend = broker if broker.startswith(("redis", "sentinel")) else backend
        if own_backend:
            backend = check_backend_url(expand(own_backend, friend, self._variables))
        return broker, backend


def engine_for(app: Any, emitter: Emitter, is_over: IsOver = always_over) -> Engine:
    """Build the fastest engine for the app: the Redis engine if possible, else the threaded one."""
    return redis_engine(app, emitter, is_over) or thread_engine(app, emitter, is_over)


def redis_engine(app: Any, emitter: Emitter, is_over: IsOver = always_over) -> Engine | None:
    """Build a Redis engine for the app, or return None if it needs the threaded engine.

    Does no I/O: connections open on first use, on the loop running then, and the engine belongs to
    that loop. None for a stand-in, for brokers and backends other than one Redis server each, and
    for results that are not plain JSON.

    Args:
        app: A Celery app or a stand-in.
        emitter: Where the engine emits its events.
        is_over: Asked about every stored REVOKED.
    """
    if not is_plain_celery(app) or not _is_plain_redis(app):
        return None
    # Imported late: celery and redis take long to import and may not be needed.
    from kimera_tui.process.redis.engine import build

    return build(app, emitter, is_over)


def has_redis_broker(app: Any) -> bool:
    """Whether an app is a real Celery app whose broker is one Redis server."""
    return is_plain_celery(app) and _is_one_url(app.conf.broker_write_url, SCHEMES)


def _is_plain_redis(app: Any) -> bool:
    conf = app.conf
    broker, backend = conf.broker_write_url, conf.result_backend
    return (
        _is_one_url(broker, SCHEMES)
        and _is_one_url(backend, _BACKEND_SCHEMES)
        and conf.result_serializer == "json"
        and not conf.get("result_compression")
    )


def _is_one_url(url: Any, schemes: tuple[str, ...]) -> bool:
    return isinstance(url, str) and url.startswith(schemes) and ";" not in url
