"""The seed's helpers."""

from __future__ import annotations

import logging

_log = logging.getLogger("kimera")


class Helpers:
    """Small services of the original system, kept under their names."""

    @staticmethod
    def sysPrint(*values: object) -> None:  # noqa: N802 - the name is a contract
        """Write values to the log, never onto the screen of a running console."""
        _log.info(" ".join(str(value) for value in values))
