"""The seed's bootstrap: what the environment and friends.yaml say, read once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from dotenv import load_dotenv

from kimera_tui.config.friends import Friend, friends_path, load_friends
from kimera_tui.config.urls import check_backend_url, check_broker_url
from kimera_tui.errors import ConfigError

DEFAULT_URL = "redis://localhost:6379/0"


def load_env() -> None:
    """Load ``.env`` of the working directory; what the environment already has wins.

    Raises:
        ConfigError: the file can't be read.
    """
    path = Path(".env")
    try:
        load_dotenv(path, override=False)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}: save it as UTF-8.") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}).") from error
    except ValueError as error:  # a value that no environment can hold
        raise ConfigError(f"{path}: {error}.") from error


class Bootstrap:
    """Configuration of the engine.

    Args:
        environ: Where to read from; the process's environment when None.
        friends: The friends, where they have been read already.

    Attributes:
        celery_on: Whether Celery is used at all (``CELERY=1``).
        celery_broker: Broker URL (``BROKER_URL``).
        celery_backend: Result backend URL (``RESULT_BACKEND``, else the broker when that is
            Redis).
        friends: The friends by name; empty when Celery is off.

    Raises:
        ConfigError: a URL or friends.yaml is malformed.
    """

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        friends: Mapping[str, Friend] | None = None,
    ) -> None:
        environ = os.environ if environ is None else environ
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
