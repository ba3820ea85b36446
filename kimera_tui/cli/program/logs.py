"""Logging to a private file, since neither screen nor pipe is the place for it."""

from __future__ import annotations

import logging
import os
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler

from kimera_tui.config.paths import log_file, private_dir
from kimera_tui.errors import ConfigError
from kimera_tui.files import open_private
from kimera_tui.known_secrets import EVERY_RUN
from kimera_tui.redaction import redact_text
from kimera_tui.safetext import safe

MAX_BYTES = 2 << 20


class _SafeFormatter(logging.Formatter):
    """Masks secrets, also those of all runs of this process, and escapes control characters."""

    def format(self, record: logging.LogRecord) -> str:
        return safe(redact_text(super().format(record), EVERY_RUN), 20_000, lines=True)


class _PrivateFile(RotatingFileHandler):
    """Creates its files for this user only."""

    def _open(self) -> TextIOWrapper:
        descriptor = open_private(self.baseFilename, os.O_WRONLY | os.O_APPEND)
        os.fchmod(descriptor, 0o600)  # older versions relied on the umask
        return os.fdopen(descriptor, "a", encoding="utf-8")


def log_to_file() -> None:
    """Send all log records to the log file; drop them if it can't be written."""
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    logging.getLogger("kimera").setLevel(logging.INFO)
    try:
        path = log_file()
        private_dir(path.parent)
        handler: logging.Handler = _PrivateFile(path, maxBytes=MAX_BYTES, backupCount=1)
    except (OSError, ConfigError):
        handler = logging.NullHandler()
    handler.setFormatter(_SafeFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root.addHandler(handler)
