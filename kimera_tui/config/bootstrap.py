"""Bootstrap: the engine's configuration, read once from the environment and friends.yaml."""

from __future__ import annotations

import os
from collections.abc import Mapping

from kimera_tui.config.friends import Friend, friends_path, load_friends
from kimera_tui.config.urls import check_backend_url, check_broker_url

DEFAULT_URL = "redis://localhost:6379/0"


class Bootstrap:
    """Configuration of the engine.

    Args:
        environ: The variables to read; the process's environment if None.
        friends: The friends, if already read.
        variables: What ``${NAME}`` in a friend's URL stands for; the environment if None.

    Attributes:
        celery_on: Whether Celery is on (``CELERY=1``).
        celery_broker: Broker URL (``BROKER_URL``).
        celery_backend: Result backend URL (``RESULT_BACKEND``, else the broker if it is Redis).
        friends: The friends by name; empty if Celery is off.
        variables: What ``${NAME}`` in a friend's URL stands for.

    Raises:
        ConfigError: a URL or friends.yaml is malformed.
    """

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        friends: Mapping[str, Friend] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        environ = os.environ if environ is None else environ
        self.variables = os.environ if variables is None else variables
        self.celery_on = environ.get("CELERY", "").strip() == "1"
        self.celery_broker = check_broker_url(environ.get("BROKER_URL") or DEFAULT_URL)
        self.celery_backend = check_backend_url(
            environ.get("RESULT_BACKEND") or _backend_beside(self.celery_broker)
        )
        self.friends: dict[str, Friend] = dict(friends or {})
        if self.celery_on and friends is None:
            self.friends = load_friends(friends_path(environ))


def _backend_beside(broker: str) -> str:
    """The default result backend: a Redis broker also stores results, other brokers cannot."""
    return broker if broker.startswith(("redis", "sentinel")) else DEFAULT_URL
