"""The seed's bootstrap: what the environment and friends.yaml say, read once."""

from __future__ import annotations

import os
from collections.abc import Mapping

from kimera_tui.config.friends import Friend, friends_path, load_friends
from kimera_tui.config.urls import check_backend_url, check_broker_url

DEFAULT_URL = "redis://localhost:6379/0"


class Bootstrap:
    """Configuration of the engine.

    Args:
        environ: Where to read from; the process's environment when None.
        friends: The friends, where they have been read already.
        variables: What ``${NAME}`` in a friend's URL stands for; the environment when None.

    Attributes:
        celery_on: Whether Celery is used at all (``CELERY=1``).
        celery_broker: Broker URL (``BROKER_URL``).
        celery_backend: Result backend URL (``RESULT_BACKEND``, else the broker when that is
            Redis).
        friends: The friends by name; empty when Celery is off.
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
    """A Redis broker also keeps the results; other brokers can't."""
    return broker if broker.startswith(("redis", "sentinel")) else DEFAULT_URL
