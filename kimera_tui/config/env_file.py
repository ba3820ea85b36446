"""Reads ``.env`` of the working directory: fully for the library, in part for the console."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from dotenv import dotenv_values

from kimera_tui.errors import ConfigError

ENV_FILE: Final = Path(".env")
SETTINGS: Final = (
    "CELERY",
    "BROKER_URL",
    "RESULT_BACKEND",
    "KIMERA_FRIENDS",
    "KIMERA_WORKFLOWS",
    "APP_PATH",
)
"""What the console and the commands read from the file. None of these names a program to run or a
folder of Kimera's own, because anyone may have put the file there."""
ENVIRONMENT_ONLY: Final = ("KIMERA_HOME", "KIMERA_REDIS_SERVER", "KIMERA_RUNTIME_DIR")
"""Settings that count in the environment only."""

_from_file: set[str] = set()


def load_env() -> None:
    """Add the file's variables to the environment; existing variables win.

    For the library, whose calling program chose the working directory. Values are used as written,
    without expanding ``${NAME}``.

    Raises:
        ConfigError: the file cannot be read.
    """
    for name, value in _read():
        _set(name, value)


def load_settings() -> list[str]:
    """Add the file's ``SETTINGS`` to the environment; for the console and the commands.

    Returns:
        Names in the file that count in the environment only.

    Raises:
        ConfigError: the file cannot be read.
    """
    ignored = []
    for name, value in _read():
        if name in SETTINGS and name not in os.environ:
            _set(name, value)
            _from_file.add(name)
        elif name in ENVIRONMENT_ONLY:
            ignored.append(name)
    return ignored


def is_from_env_file(name: str) -> bool:
    """Whether ``load_settings`` set the variable, rather than the operator."""
    return name in _from_file


def _set(name: str, value: str) -> None:
    try:
        os.environ.setdefault(name, value)
    except ValueError as error:  # a value that the environment cannot hold
        raise ConfigError(f"{ENV_FILE}: {name}: {error}.") from error


def _read() -> Iterator[tuple[str, str]]:
    try:
        values = dotenv_values(ENV_FILE, interpolate=False)
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{ENV_FILE}: not UTF-8 at byte {error.start}: save it as UTF-8."
        ) from error
    except OSError as error:
        raise ConfigError(f"{ENV_FILE}: cannot be read ({error.strerror}).") from error
    for name, value in values.items():
        if value is not None:
            yield name, value
