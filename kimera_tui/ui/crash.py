"""The report of a crash: a private file without locals or secrets, and a line that names it."""

from __future__ import annotations

import os
import re
import time
import traceback

from textual.worker import WorkerFailed

from kimera_tui.config.paths import private_dir, state_dir
from kimera_tui.errors import ConfigError
from kimera_tui.files import create_file
from kimera_tui.known_secrets import EVERY_RUN
from kimera_tui.redaction import redact_text
from kimera_tui.safetext import safe

_REFUSED = re.compile(r"\binput_value=.*")
"""Values that pydantic's messages repeat."""


def report_crash(error: BaseException) -> str:
    """Write the crash down and return the sentence to leave with."""
    if isinstance(error, WorkerFailed):  # Textual wraps what was raised
        error = error.error
    text = "".join(traceback.format_exception(error))
    text = redact_text(_REFUSED.sub("input_value=…", text), EVERY_RUN)
    path = state_dir() / f"crash-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    try:
        private_dir(path.parent)
        create_file(path, safe(text, 1 << 20, lines=True), private=True)
    except (OSError, ConfigError) as problem:
        return (
            f"Kimera crashed ({type(error).__name__}), and the report could not be saved: {problem}"
        )
    return f"Kimera crashed ({type(error).__name__}); the report is in {path}"
