from __future__ import annotations

from unittest.mock import Mock

import pytest
from celery import Celery

from kimera_tui.process.engine import Engine
from kimera_tui.process.engines import redis_engine
from kimera_tui.process.loop.bus import Emitter, EventBus
from kimera_tui.process.loop.clock import SystemClock

from .console import make_app

EMITTER = Emitter(EventBus(), SystemClock())
REDIS = "redis://127.0.0.1:1/0"


@pytest.mark.parametrize(
    ("broker", "backend"),
    [
        (REDIS, REDIS),
        (REDIS, "redis://other:2/3"),
        ("redis+socket:///run/redis.sock?virtual_host=2", "redis+socket:///run/redis.sock"),
        ("rediss://h:1/0?ssl_cert_reqs=required", "rediss://h:1/0?ssl_cert_reqs=required"),
    ],
)
def test_plain_redis_gets_the_redis_engine_without_any_io(broker: str, backend: str) -> None:
    assert isinstance(redis_engine(make_app(broker, backend), EMITTER), Engine)


@pytest.mark.parametrize(
    ("broker", "backend"),
    [
        ("amqp://localhost", REDIS),
        (REDIS, "rpc://"),
        ("memory://", "cache+memory://"),
        ("sentinel://a:1;sentinel://b:2", REDIS),
        ("redis://a:1;redis://b:2", REDIS),
        (REDIS, "db+sqlite:///x"),
    ],
)
def test_others_are_for_the_thread_engine(broker: str, backend: str) -> None:
    assert redis_engine(make_app(broker, backend), EMITTER) is None


def test_a_stand_in_is_for_the_thread_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert redis_engine(Mock(), EMITTER) is None
    app = make_app(REDIS)
    app.send_task = Mock()  # type: ignore[method-assign]
    assert redis_engine(app, EMITTER) is None
    monkeypatch.setattr(Celery, "send_task", Mock())
    assert redis_engine(make_app(REDIS), EMITTER) is None


def test_results_that_are_not_json_are_for_the_thread_engine() -> None:
    assert redis_engine(make_app(REDIS, result_serializer="pickle"), EMITTER) is None


def test_closing_an_engine_that_was_never_used_is_safe() -> None:
    engine = redis_engine(make_app(REDIS), EMITTER)
    assert engine is not None
    engine.close()
    engine.close()
