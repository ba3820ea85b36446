"""What is seen of a task on its way: its state, which worker has it, and how far it is."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kimera_tui.runs.status import Status


@dataclass(frozen=True, slots=True)
class LastKnown:
    """What was known of a task when the wait for it ended."""

    status: Status
    cause: str
    source: str
    since: float
    """When it came into that status, in seconds since the epoch."""
    age: float
    """Seconds from then to the end of the wait."""


def worker_of(meta: Any) -> str:
    """The worker that a state's meta names, or an empty string."""
    worker = meta.get("hostname") if isinstance(meta, Mapping) else None
    return worker if isinstance(worker, str) else ""


def progress_of(meta: Any) -> tuple[float, float] | None:
    """Done and total of a custom state's meta, where it has numbers by one of their usual names.

    Numbers that no float can hold are none.
    """
    if not isinstance(meta, Mapping):
        return None
    done, total = meta.get("current", meta.get("done")), meta.get("total")
    if isinstance(done, int | float) and isinstance(total, int | float) and total > 0:
        with contextlib.suppress(OverflowError):
            return float(done), float(total)
    return None
