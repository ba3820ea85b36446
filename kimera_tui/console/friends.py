"""Which friends.yaml the console and the commands use."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

from kimera_tui.config.friends import Friend, friends_path, load_friends
from kimera_tui.config.paths import private_dir, state_dir
from kimera_tui.errors import ConfigError
from kimera_tui.files import is_missing, replace_file
from kimera_tui.yaml.legacy import reread_in
from kimera_tui.yaml.reading import read_text

DEMO_FRIENDS = Path(__file__).parent.parent / "embedded" / "friends.yaml"
SEEN = "friends-yaml-seen"
"""Name of the file with the digests of each friends.yaml that was looked through."""
MOST_SEEN = 200
MOST_LINES = 8
"""Values that one notice lists."""


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


def changed_values(path: Path) -> list[str]:
    """The lines that say which values of a friends.yaml earlier versions read otherwise.

    They read YAML 1.1, in which ``no`` is false. It is said once for each text that the file has:
    the state folder keeps which ones, and where it can't be written, it is said again.

    Args:
        path: A file that ``load_friends`` takes.
    """
    seen, known = state_dir() / SEEN, []
    try:
        text = read_text(path)
    except ConfigError:  # it is gone by now
        return []
    with contextlib.suppress(OSError, UnicodeDecodeError):
        known = seen.read_text().splitlines()
    digest = hashlib.sha256(text.encode()).hexdigest()
    if digest in known:
        return []
    found = list(reread_in(text))
    with contextlib.suppress(OSError, ConfigError):
        private_dir(seen.parent)
        replace_file(seen, "\n".join([*known[-MOST_SEEN:], digest]) + "\n", private=True)
    if not found:
        return []
    lines = [each.sentence for each in found[:MOST_LINES]]
    if len(found) > MOST_LINES:
        lines.append(f"and {len(found) - MOST_LINES} more")
    head = f"{path} is now read as YAML 1.2. Values that earlier versions read otherwise:"
    return [head, *lines]


def report_changed_values(path: Path, say: Callable[[str], None]) -> None:
    """Warn about values of a friends.yaml that earlier versions read otherwise.

    Args:
        path: A file that ``load_friends`` takes.
        say: Called with each line of the warning.
    """
    for line in changed_values(path):
        say(f"warning: {line}")


def read_friends(
    environ: Mapping[str, str], say: Callable[[str], None]
) -> tuple[Path, dict[str, Friend]]:
    """friends.yaml and the friends in it.

    Args:
        environ: The environment that may name the file.
        say: Called with warnings about the file.

    Raises:
        ConfigError: the file is missing or malformed.
    """
    path = find_friends_file(environ)
    friends = load_friends(path)
    if friends:
        report_changed_values(path, say)
    return path, friends
