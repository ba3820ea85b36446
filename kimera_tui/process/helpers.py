"""The seed's helpers."""

from __future__ import annotations

import logging

from kimera_tui.redaction import redact

_log = logging.getLogger("kimera")


class Helpers:
    """Small services of the original system, kept under their names."""

    @staticmethod
    def sysPrint(*values: object) -> None:  # noqa: N802 - the name is a contract
        """Write values to the log, without their secrets; never onto the console's screen."""
        _log.info(" ".join(str(redact(value)) for value in values))
