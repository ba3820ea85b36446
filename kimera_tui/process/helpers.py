"""Helpers of the original system."""

from __future__ import annotations

import logging

from kimera_tui.redaction import redact
from kimera_tui.safetext import trimmed

_log = logging.getLogger("kimera")
_MOST_OF_A_TEXT = 1 << 16


class Helpers:
    """Helpers of the original system, under their original names."""

    @staticmethod
    def sysPrint(*values: object) -> None:  # noqa: N802 - the name is a contract
        """Log shortened values with secrets masked; never writes to the screen."""
        _log.info(" ".join(str(_glimpse(value)) for value in values))


def _glimpse(value: object) -> object:
    """A shortened copy of a value; secrets are masked before texts are cut."""
    return trimmed(redact(trimmed(value, characters=_MOST_OF_A_TEXT)))
