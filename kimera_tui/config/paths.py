"""Where Kimera keeps its own files, all of them private to the user."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import platformdirs

from kimera_tui.errors import ConfigError
from kimera_tui.files import make_private_folder


def home() -> Path | None:
    """The one folder that ``KIMERA_HOME`` puts everything into, if it is set."""
    place = os.environ.get("KIMERA_HOME")
    return Path(place) if place else None


def state_dir() -> Path:
    """Folder of the log and the journal."""
    base = home()
    return base / "state" if base else Path(platformdirs.user_state_dir("kimera-tui"))


def config_dir() -> Path:
    """Folder of what the operator settles for all consoles, such as saved filters."""
    base = home()
    return base / "config" if base else Path(platformdirs.user_config_dir("kimera-tui"))


def log_file() -> Path:
    """The log that the console writes, since it can't write to the screen."""
    return state_dir() / "kimera.log"


def private_dir(path: Path) -> Path:
    """Make a folder that only this user can enter, with all above it, and return it.

    Raises:
        ConfigError: somebody else owns it, or it is not a folder.
    """
    make_private_folder(path)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise ConfigError(f"{path} is not a folder of yours: Kimera won't write there.")
    if found.st_mode & 0o077:
        path.chmod(0o700)
    return path
