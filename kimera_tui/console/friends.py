"""Which friends.yaml the console and the commands use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kimera_tui.config.friends import Friend, friends_path, load_friends
from kimera_tui.errors import ConfigError
from kimera_tui.files import is_missing

DEMO_FRIENDS = Path(__file__).parent.parent / "embedded" / "friends.yaml"


def find_friends_file(environ: Mapping[str, str]) -> Path:
    """The configured friends.yaml; the demo's if there is none and the embedded broker is used.

    Raises:
        ConfigError: the configured file does not exist.
    """
    path = friends_path(environ)
    if environ.get("KIMERA_FRIENDS") and is_missing(path):
        raise ConfigError(f"KIMERA_FRIENDS names {path}, which does not exist.")
    if is_missing(path) and path.is_symlink():
        raise ConfigError(f"{path} is a link to a file that does not exist.")
    configured = environ.get("KIMERA_FRIENDS") or environ.get("BROKER_URL")
    return path if configured or not is_missing(path) else DEMO_FRIENDS


def read_friends(environ: Mapping[str, str]) -> tuple[Path, dict[str, Friend]]:
    """friends.yaml and the friends in it; ConfigError where it is missing or malformed."""
    path = find_friends_file(environ)
    return path, load_friends(path)
