"""The tasks that this console sent and that have not ended, folded from the engine's events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from kimera_tui.cluster.sightings import Where
from kimera_tui.process import events as e
from kimera_tui.process.outcome import REVOKED

FIRST_LOOK = 2.0
"""Seconds after the send at which a task is looked for, unless it has ended."""
LONGEST_PAUSE = 10.0
"""The longest time between two looks for a task, in seconds."""
ENDED_KEPT = 10_000
"""Tasks that have ended whose ids are remembered."""
LATE_KEPT = 10_000
"""Tasks whose wait timed out that are followed further."""

Believed = tuple[Where, str, str]
"""Where a run believes its task to be, with which worker, and how that worker holds it."""


@dataclass(slots=True)
class Flight:
    """One task in flight."""

    task_id: str
    friend: str
    queue: str
    name: str
    """The task's full name; empty if unknown."""
    sent_at: float
    """When it was sent or adopted, in seconds since the epoch."""
    look_at: float
    """When it is to be looked for next."""
    pause: float = FIRST_LOOK
    """Seconds from one look to the next."""
    believed: Believed = (Where.UNSEEN, "", "")
    """What was last announced."""
    before: int = -1
    """How many messages were last announced to be ahead of it; -1 for none."""
    doubt: str = ""
    """The doubt that was last announced."""
    missed_at: float = 0.0
    """When a search first missed it, with none that found it since; 0 if none has."""
    revoked_at: float = 0.0
    """When the backend was first seen to store REVOKED, which may not be its end; 0 for never."""
    acked: frozenset[str] = frozenset()
    """The workers that acknowledged a revoke of it."""
    retell: bool = False
    """Whether its place is to be announced again, although it has not changed."""
    late: bool = False
    """Whether its wait timed out."""

    def look_soon(self, at: float) -> None:
        """Have it looked for by a moment, and often again."""
        self.look_at = min(self.look_at, at)
        self.pause = FIRST_LOOK

    def looked(self, now: float) -> None:
        """It was looked for just now."""
        self.look_at = now + self.pause
        self.pause = min(self.pause * 2, LONGEST_PAUSE)


@dataclass(slots=True)
class InFlight:
    """All tasks in flight, by id."""

    flights: dict[str, Flight] = field(default_factory=dict)
    ended: dict[str, None] = field(default_factory=dict)
    """The latest ones that have ended, oldest first."""
    _late: int = 0

    def take(self, event: object) -> Flight | None:
        """Fold an event in; return the flight that it has just begun."""
        match event:
            case e.Sending():
                return self._begin(event, event.friend, event.queue, event.task)
            case e.Adopted():
                return self._begin(event, event.friend, event.queue, "")
            case e.TaskEvent() if (flight := self.flights.get(event.task_id)) is not None:
                self._follow(flight, event)
        return None

    def of(self, queue: str) -> Iterator[Flight]:
        """The tasks that were sent to a queue."""
        return (flight for flight in self.flights.values() if flight.queue == queue)

    def _begin(self, event: e.TaskEvent, friend: str, queue: str, name: str) -> Flight:
        flight = Flight(event.task_id, friend, queue, name, event.at, event.at + FIRST_LOOK)
        self.flights[event.task_id] = flight
        return flight

    def _follow(self, flight: Flight, event: e.TaskEvent) -> None:
        match event:
            case e.StateSeen(state="RECEIVED"):
                flight.believed = (Where.HELD, worker_in(event.meta), "reserved")
            case e.StateSeen(state=state) if state == REVOKED:
                flight.revoked_at = flight.revoked_at or event.at
                flight.look_soon(event.at)
            case e.StateSeen():
                worker = worker_in(event.meta) or flight.believed[1]
                flight.believed = (Where.HELD, worker, "running")
            case e.Observed():
                flight.believed = (Where(event.where), event.worker, event.phase)
                flight.before, flight.doubt = event.before, event.doubt
            case e.RevokeSent(asked=True):
                flight.acked |= {each.worker for each in event.receipts if each.ok}
                flight.retell = True
                flight.look_soon(event.at)
            case e.TimedOut():
                self._timed_out(flight)
            case (
                e.Succeeded()
                | e.EndedUnknown()
                | e.Failed()
                | e.RemotelyRevoked()
                | e.Refused()
                | e.FinishedLate()
                | e.WatchStopped()
            ):
                self._end(flight)

    def _timed_out(self, flight: Flight) -> None:
        flight.late = True
        self._late += 1
        if self._late > LATE_KEPT:
            self._end(next(each for each in self.flights.values() if each.late))

    def _end(self, flight: Flight) -> None:
        del self.flights[flight.task_id]
        self._late -= flight.late
        self.ended[flight.task_id] = None
        if len(self.ended) > ENDED_KEPT:
            del self.ended[next(iter(self.ended))]


def worker_in(meta: object) -> str:
    """The worker that a state's meta names; empty if it names none."""
    name = meta.get("hostname") if isinstance(meta, dict) else None
    return name if isinstance(name, str) else ""
