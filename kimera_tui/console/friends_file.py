"""Which friends.yaml counts for the console and the commands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kimera_tui.config.friends import Friend, friends_path, load_friends
from kimera_tui.errors import ConfigError
from kimera_tui.files import is_missing

DEMO_FRIENDS = Path(__file__).parent.parent / "embedded" / "friends.yaml"


def which_file(environ: Mapping[str, str]) -> Path:
    """friends.yaml as configured; the demo's where there is none and the embedded broker runs.

    Raises:
        ConfigError: a file that was named does not exist.
    """
    path = friends_path(environ)
    if environ.get("KIMERA_FRIENDS") and is_missing(path):
        raise ConfigError(f"KIMERA_FRIENDS names {path}, which does not exist.")
    if is_missing(path) and path.is_symlink():
        raise ConfigError(f"{path} is a link to a file that does not exist.")
    configured = environ.get("KIMERA_FRIENDS") or environ.get("BROKER_URL")
    return path if configured or not is_missing(path) else DEMO_FRIENDS


def which_friends(environ: Mapping[str, str]) -> tuple[Path, dict[str, Friend]]:
    """The file and the friends in it; ConfigError where the file is malformed."""
    path = which_file(environ)
    return path, load_friends(path)
