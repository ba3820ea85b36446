"""Kimera's own files and folders, all private to the user."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import platformdirs

from kimera_tui.errors import ConfigError
from kimera_tui.files import make_private_folder


def home() -> Path | None:
    """The folder for everything, if ``KIMERA_HOME`` is set."""
    place = os.environ.get("KIMERA_HOME")
    return Path(place) if place else None


def state_dir() -> Path:
    """The folder of the log and the journal."""
    base = home()
    return base / "state" if base else Path(platformdirs.user_state_dir("kimera-tui"))


def config_dir() -> Path:
    """The folder of settings for all consoles, such as saved searches."""
    base = home()
    return base / "config" if base else Path(platformdirs.user_config_dir("kimera-tui"))


def log_file() -> Path:
    """The console's log; it cannot log to the screen."""
    return state_dir() / "kimera.log"


def private_dir(path: Path) -> Path:
    """Create a folder that only this user can enter, with its parents, and return it.

    Raises:
        ConfigError: another user owns it, or it is not a folder.
    """
    make_private_folder(path)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise ConfigError(f"{path} is not a folder of yours: Kimera does not write there.")
    if found.st_mode & 0o077:
        path.chmod(0o700)
    return path
