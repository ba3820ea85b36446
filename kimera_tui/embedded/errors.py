"""What the embedded broker says when it can't be had."""

from __future__ import annotations

from typing import ClassVar

from kimera_tui.errors import KimeraError


class EmbeddedError(KimeraError):
    """The embedded broker can't be started or reached; the message says why in one sentence."""

    exit_code: ClassVar[int] = 69
