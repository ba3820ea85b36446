"""Logging goes to a private file: neither a screen nor a pipe is the place for it."""

from __future__ import annotations

import logging
import os
from logging.handlers import RotatingFileHandler
from pathlib import Path

from kimera_tui.config.paths import log_file, private_dir
from kimera_tui.errors import ConfigError
from kimera_tui.known_secrets import EVERY_RUN
from kimera_tui.redaction import redact_text
from kimera_tui.safetext import safe

MAX_BYTES = 2 << 20


class _SafeFormatter(logging.Formatter):
    """Hides passwords in URLs and everything that a terminal would act on."""

    def format(self, record: logging.LogRecord) -> str:
        return safe(redact_text(super().format(record), EVERY_RUN), 20_000, lines=True)


def log_to_file() -> None:
    """Send all log records to the log file; without one that can be written they are dropped."""
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    logging.getLogger("kimera").setLevel(logging.INFO)
    try:
        path = log_file()
        private_dir(path.parent)
        _create_private(path)
        handler: logging.Handler = RotatingFileHandler(path, maxBytes=MAX_BYTES, backupCount=1)
    except (OSError, ConfigError):
        handler = logging.NullHandler()
    handler.setFormatter(_SafeFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root.addHandler(handler)


def _create_private(path: Path) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
