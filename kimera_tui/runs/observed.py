"""What an observation of a task in flight says of its step: a status, and a cause in words."""

from __future__ import annotations

import time

from kimera_tui.process.events import Observed
from kimera_tui.runs.status import Status

_WITH_WORKER = (Status.RESERVED, Status.RUNNING, Status.PROGRESS, Status.RETRYING, Status.LOST)
_UNDER_WAY = (Status.RUNNING, Status.PROGRESS, Status.RETRYING)
REDELIVERY = "within about two minutes"
"""How long Celery's Redis transport may take beyond the visibility timeout."""


def observation(event: Observed, status: Status) -> tuple[Status, str]:
    """The status of a step after an observation, and the cause in words.

    Args:
        event: The observation.
        status: The status of the step before.
    """
    match event.where:
        case "queued":
            return Status.QUEUED, _queued(event, status)
        case "held":
            return _held(event, status)
        case "silent":
            return (
                status,
                f"on {event.worker}, which does not answer; last heard {_at(event.since)}",
            )
        case "lost":
            return Status.LOST, _lost(event)
        case "unacked" if event.doubt:
            kept = status if status in _UNDER_WAY else Status.RESERVED
            return kept, f"taken from its queue; {event.doubt}"
        case "unacked" if event.worker:
            return Status.LOST, _unacked(event)
        case "unacked":  # by a worker that was never heard, which is no proof that it is gone
            return Status.RESERVED, _unacked(event)
        case "missing":
            return Status.LOST, _missing(event)
    left = f"no longer in queue {event.queue}; " if event.queue else ""
    doubt = event.doubt or f"nothing has been heard of it since {_at(event.at)}"
    return status, f"{left}{doubt}"


def _queued(event: Observed, status: Status) -> str:
    back = "back " if status in _WITH_WORKER or event.worker else ""
    place = "next in line" if not event.before else f"{event.before:,} ahead of it"
    text = f"{back}in queue {event.queue}, {place}"
    return f"{text}. {event.doubt}" if event.doubt else text


def _held(event: Observed, status: Status) -> tuple[Status, str]:
    again = f"; {event.earlier} had started it before" if event.earlier else ""
    match event.phase:
        case "running":
            kept = status if status in (Status.PROGRESS,) else Status.RUNNING
            return kept, f"on {event.worker}{again}"
        case "scheduled" if status is not Status.RETRYING:
            return Status.RESERVED, f"held by {event.worker} until its ETA{again}"
    if status is Status.RETRYING:
        return status, f"{event.worker} will retry it"
    return Status.RESERVED, f"received by {event.worker}{again}"


def _lost(event: Observed) -> str:
    if not event.worker:
        return "the broker was restarted without it"
    was = "was running it" if event.phase == "running" else "had received it"
    if event.restarted:
        return f"{event.worker} {was} and died; it is back without it"
    return f"{event.worker} {was} and is lost; last heard {_at(event.since)}"


def _unacked(event: Observed) -> str:
    when = f"from {_at(event.back_at, minutes=True)}, {REDELIVERY}" if event.back_at else "later"
    if event.worker:
        took = f"taken by {event.worker}, which no longer answers for it"
        return f"{took}; the broker redelivers it {when}"
    took = "taken by a worker that does not answer"
    return f"{took}; unless it ends the task, the broker redelivers it {when}"


def _missing(event: Observed) -> str:
    was = f"; it was with {event.worker}" if event.worker else ""
    return f"in no queue and with no worker since {_at(event.since)}{was}"


def _at(seconds: float, *, minutes: bool = False) -> str:
    return time.strftime("%H:%M" if minutes else "%H:%M:%S", time.localtime(seconds))
