"""Which friends.yaml counts for the console and the commands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kimera_tui.config.friends import Friend, friends_path, load_friends

DEMO_FRIENDS = Path(__file__).parent.parent / "embedded" / "friends.yaml"


def which_file(environ: Mapping[str, str]) -> Path:
    """friends.yaml as configured; the demo's where there is none and the embedded broker runs."""
    path = friends_path(environ)
    configured = environ.get("KIMERA_FRIENDS") or environ.get("BROKER_URL")
    return path if configured or path.exists() else DEMO_FRIENDS


def which_friends(environ: Mapping[str, str]) -> tuple[Path, dict[str, Friend]]:
    """The file and the friends in it; ConfigError where the file is malformed."""
    path = which_file(environ)
    return path, load_friends(path)
