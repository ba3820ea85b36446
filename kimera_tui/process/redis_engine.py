"""The engine for a Celery app whose broker and result backend are plain Redis servers."""

from __future__ import annotations

import inspect
import sys
from typing import Any

from kimera_tui.process.announcer import Announcer
from kimera_tui.process.engine import Engine

SCHEMES = ("redis://", "rediss://", "redis+socket://")
_BACKEND_SCHEMES = (*SCHEMES, "socket://")


def redis_engine(app: Any, announcer: Announcer) -> Engine | None:
    """An engine for the app, or None when it needs the thread engine.

    Does no I/O: connections open on first use, on the loop that is running then, and the engine
    belongs to that loop. None for a stand-in, for brokers and backends other than one Redis
    server each, and for results that aren't plain JSON.

    Args:
        app: A Celery app, or something that is used like one.
        announcer: Where the engine says what happens.
    """
    if not is_plain_celery(app) or not _is_plain_redis(app):
        return None
    # Only here: these import celery and redis, which this module's importers may not need.
    from kimera_tui.process.redis_parts import build

    return build(app, announcer)


def is_plain_celery(app: Any) -> bool:
    """A real app, and nobody has put a ``send_task`` of their own into its place."""
    celery = sys.modules.get("celery")
    return (
        celery is not None
        and isinstance(app, celery.Celery)
        and "send_task" not in vars(app)
        and inspect.isfunction(type(app).send_task)
    )


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
