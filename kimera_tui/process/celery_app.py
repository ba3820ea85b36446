"""The Celery app that Kimera sends with: JSON only, and every wait has a timeout."""

from __future__ import annotations

import inspect
import sys
from typing import Any
from urllib.parse import parse_qs

from kimera_tui.errors import ConfigError

CONNECT_SECONDS = 3
SOCKET_SECONDS = 5
SENTINEL_SECONDS = 1


def make_app(broker: str, backend: str) -> Any:
    """Build a Celery app; imports celery (about half a second), does no network I/O.

    Args:
        broker: Broker URL, already checked.
        backend: Result backend URL, already checked.

    Raises:
        ConfigError: a Sentinel URL does not name its master.
    """
    from celery import Celery

    redis_options = {
        "socket_timeout": SOCKET_SECONDS,
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_keepalive": True,
        "health_check_interval": 25,
    }
    is_redis = broker.startswith(("redis", "sentinel"))
    broker, broker_master = _without_master(_with_certificate_check(broker))
    backend, backend_master = _without_master(_with_certificate_check(backend))
    app = Celery("kimera", broker=broker, backend=backend, set_as_current=False)
    # CELERY_BROKER_URL and CELERY_RESULT_BACKEND of the environment override the arguments; these
    # settings override the environment.
    app.backend_cls = backend
    app.conf.update(
        broker_read_url=broker,
        broker_write_url=broker,
        accept_content=["json"],
        result_accept_content=["json"],
        task_serializer="json",
        result_serializer="json",
        broker_connection_timeout=CONNECT_SECONDS,
        broker_transport_options={**(redis_options if is_redis else {}), **broker_master},
        redis_socket_timeout=SOCKET_SECONDS,
        redis_socket_connect_timeout=CONNECT_SECONDS,
        redis_backend_health_check_interval=25,
        # Celery must not repeat a publish on its own when the reply is lost.
        task_publish_retry=False,
        result_backend_transport_options={
            "retry_policy": {"timeout": SOCKET_SECONDS},
            **backend_master,
        },
    )
    return app


def _with_certificate_check(url: str) -> str:
    """Require a certificate check where a rediss URL does not say; Celery refuses such URLs."""
    if url.startswith("rediss://") and "ssl_cert_reqs" not in url:
        return f"{url}{'&' if '?' in url else '?'}ssl_cert_reqs=required"
    return url


def _without_master(url: str) -> tuple[str, dict[str, Any]]:
    """Split a Sentinel URL into the URL without ``?master_name=`` and Celery's options for it."""
    if not url.startswith("sentinel"):
        return url, {}
    master = ""
    parts = []
    for part in url.split(";"):
        address, _, query = part.partition("?")
        master = master or parse_qs(query).get("master_name", [""])[0]
        parts.append(address)
    if not master:
        raise ConfigError(
            "A Sentinel URL must name its master: sentinel://host:26379/0?master_name=NAME."
        )
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    sentinels = {
        "socket_timeout": SENTINEL_SECONDS,
        "socket_connect_timeout": SENTINEL_SECONDS,
        "retry": Retry(NoBackoff(), 0),  # rather try the next Sentinel
    }
    return ";".join(parts), {"master_name": master, "sentinel_kwargs": sentinels}


def is_plain_celery(app: Any) -> bool:
    """Whether the app is a Celery app whose ``send_task`` was not replaced."""
    celery = sys.modules.get("celery")
    return (
        celery is not None
        and isinstance(app, celery.Celery)
        and "send_task" not in vars(app)
        and inspect.isfunction(type(app).send_task)
    )
