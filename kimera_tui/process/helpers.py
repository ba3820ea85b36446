"""The seed's helpers."""

from __future__ import annotations

import logging

from kimera_tui.redaction import redact
from kimera_tui.safetext import trimmed

_log = logging.getLogger("kimera")
_MOST_OF_A_TEXT = 1 << 16


class Helpers:
    """Small services of the original system, kept under their names."""

    @staticmethod
    def sysPrint(*values: object) -> None:  # noqa: N802 - the name is a contract
        """Write a glimpse of values to the log, without secrets; never onto the screen."""
        _log.info(" ".join(str(_glimpse(value)) for value in values))


def _glimpse(value: object) -> object:
    """A small copy of a value; a secret is looked for before its text is cut in two."""
    return trimmed(redact(trimmed(value, characters=_MOST_OF_A_TEXT)))
