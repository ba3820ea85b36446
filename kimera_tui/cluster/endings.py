"""The end of a task that its result does not tell, concluded from what was observed."""

from __future__ import annotations

from kimera_tui.cluster.facts import TaskReported
from kimera_tui.cluster.in_flight import Flight
from kimera_tui.cluster.sightings import Sighting, Where
from kimera_tui.process.outcome import ENDED, FAILURE, REVOKED, Outcome

RESULT_SECONDS = 2.0
"""Seconds after a worker's report for a result to arrive, which says more."""
MISSING_SECONDS = 10.0
"""Seconds for which a task must be missing before it counts as ended."""


def conclusion(sighting: Sighting, flight: Flight, now: float) -> tuple[Outcome | None, bool]:
    """The outcome of a task in flight, if it ended without a result, and whether to look again.

    Args:
        sighting: Where it is.
        flight: The task.
        now: Seconds since the epoch.
    """
    if sighting.where is Where.ENDED and sighting.report is not None:
        if now - sighting.at < RESULT_SECONDS:
            return None, True
        return _reported(sighting.report), False
    if sighting.where is Where.MISSING:
        if flight.revoked_at and sighting.since >= flight.revoked_at:
            return Outcome(REVOKED, error_message="revoked"), False
        if now - sighting.since < MISSING_SECONDS:
            return None, True
        why = "it is in no queue and with no worker: it left no result, or was discarded"
        return Outcome(ENDED, error_message=why, source="inspect"), False
    return None, False


def _reported(report: TaskReported) -> Outcome | None:
    match report.report:
        case "succeeded":
            why = "its worker reported success, and no result was stored here"
            return Outcome(ENDED, error_message=why, source="event")
        case "failed":
            error_type, message = _exception_in(report.detail)
            return Outcome(FAILURE, error_type=error_type, error_message=message)
        case "revoked":
            return Outcome(REVOKED, error_message=report.detail or "revoked")
    return None


def _exception_in(detail: str) -> tuple[str, str]:
    """Type and message in an exception's repr, such as ``ValueError('no')``."""
    name, bracket, rest = detail.partition("(")
    if not bracket or not name.replace(".", "").isidentifier() or not rest.endswith(")"):
        return "Exception", detail
    return name, rest[:-1]
