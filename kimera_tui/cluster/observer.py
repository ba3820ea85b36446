"""Observes one broker: its workers, its queues and our tasks in flight, and says what changes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from kimera_tui.cluster.connections import Connections
from kimera_tui.cluster.depths import QueueDepths
from kimera_tui.cluster.endings import conclusion
from kimera_tui.cluster.facts import Fact, TaskHeld, TaskQueued, TaskReported, TaskUnacked
from kimera_tui.cluster.flight_search import FlightSearch
from kimera_tui.cluster.in_flight import Flight, InFlight
from kimera_tui.cluster.kombu_feed import KombuFeed
from kimera_tui.cluster.questions import Questions
from kimera_tui.cluster.queue_reader import queue_reader_of
from kimera_tui.cluster.roll_call import EVERYBODY_SECONDS, RollCall
from kimera_tui.cluster.sightings import Sighting, Where
from kimera_tui.cluster.view import view_of
from kimera_tui.cluster.worker import WorkerState
from kimera_tui.cluster.world import World
from kimera_tui.errors import BrokerUnavailable, KimeraError
from kimera_tui.process.engines import has_redis_broker
from kimera_tui.process.events import Observed, StateSeen
from kimera_tui.process.loop.bus import Emitter
from kimera_tui.process.outcome import Outcome

logger = logging.getLogger(__name__)

TURN_SECONDS = 0.5
"""Seconds between two turns."""
CROWD = 500
"""With more tasks in flight, their places in queues are not announced."""
TOLD_PER_TURN = 500
"""Tasks whose sighting is compared in one turn of the loop."""
_ABOUT_TASKS = (TaskReported, TaskHeld, TaskQueued, TaskUnacked)
_STATES = {"received": "RECEIVED", "started": "STARTED"}

Conclude = Callable[[str, Outcome], Awaitable[None]]


class Observer:
    """Observes one broker for as long as it runs.

    Args:
        app: The Celery app of the broker.
        emitter: Where changes are announced.
        conclude: Ends the wait for a task whose end was learned here.
    """

    def __init__(self, app: Any, emitter: Emitter, conclude: Conclude) -> None:
        clock = emitter.clock
        self._emitter = emitter
        self._conclude = conclude
        self.world = World()
        self.in_flight = InFlight()
        self._feed = feed_of(app, emitter, self.take)
        self._asking = Questions(app, clock, self.take, "kimera-asking")
        self._calling = Questions(app, clock, self.take, "kimera-calling")
        self._searching = Questions(app, clock, self.take, "kimera-searching")
        self.depths = QueueDepths(app)
        self._connections = Connections(app)
        self.roll_call = RollCall(
            self.world, clock, self._asking, self._calling, self._connections, self.take
        )
        self._reader = queue_reader_of(app, clock)
        self._search = FlightSearch(
            self.world, clock, self._searching, self._reader, self.depths.look, self.take
        )
        self._states: dict[str, WorkerState] = {}
        """The state of each worker in the last turn."""
        self._changed: dict[str, None] = {}
        """Tasks in flight of which something was learned, oldest first."""
        self._findings: dict[tuple[str, str], list[str]] = {}
        """What speaks against a task in a queue, found in this turn."""
        self._wake = asyncio.Event()
        self._search_task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Observe until cancelled."""
        self._feed.start()
        try:
            while True:
                try:
                    await self._turn(self._emitter.now())
                except Exception:  # one odd fact must not end the observing
                    logger.exception("A turn of observing failed.")
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), TURN_SECONDS)
        finally:
            await self.close()

    async def close(self) -> None:
        """Stop listening and asking, and let the threads end."""
        self.roll_call.close()
        if self._search_task is not None:
            self._search_task.cancel()
        for questions in (self._asking, self._calling, self._searching):
            questions.close()
        self.depths.close()
        self._connections.close()
        await self._feed.close()
        if self._reader is not None:
            await self._reader.close()

    def take(self, facts: Sequence[Fact]) -> None:
        """Note facts; those about our tasks are announced."""
        self.world.take(facts)
        flights = self.in_flight.flights
        if not flights:
            return
        for fact in facts:
            if isinstance(fact, _ABOUT_TASKS):
                if (flight := flights.get(fact.task_id)) is not None:
                    self._about(flight, fact)
            else:
                ids = getattr(fact, "task_ids", ())
                self._changed |= dict.fromkeys(each for each in ids if each in flights)

    def look_soon(self) -> None:
        """Look for all tasks in flight now."""
        now = self._emitter.now()
        for flight in self.in_flight.flights.values():
            flight.look_soon(now)
        self._wake.set()

    def is_over(self, task_id: str) -> bool:
        """Whether a task whose stored state is REVOKED has ended; see ``outcome.IsOver``.

        Its worker reported the end; or a search that began after REVOKED was stored found it
        nowhere; or no worker that answers has it, and each that serves its queue, or may do so, has
        acknowledged the revoke.
        """
        flight = self.in_flight.flights.get(task_id)
        if flight is None:
            return task_id in self.in_flight.ended
        now = self._emitter.now()
        sighting = self._sighting(flight, now)
        if not flight.revoked_at:
            flight.revoked_at = now
            flight.look_soon(now)
            self._wake.set()
        match sighting.where:
            case Where.ENDED:
                return True
            case Where.MISSING:
                return sighting.since >= flight.revoked_at
            case Where.HELD:  # its worker will skip it
                waits = sighting.phase != "running" and sighting.at > flight.revoked_at
                return waits and sighting.worker in flight.acked
            case Where.UNSEEN:
                may_have = self.world.may_consume(flight.queue, now)
                asked = sighting.at > flight.revoked_at
                return asked and bool(may_have) and flight.acked.issuperset(may_have)
        return False

    def may_drop(self, task_id: str, worker: str, queue: str) -> bool:
        """Whether a worker may have a task or serves its queue; see ``outcome.MayDrop``."""
        flight, known = self.in_flight.flights.get(task_id), self.world.workers.get(worker)
        queue = queue or ("" if flight is None else flight.queue)
        if not queue or known is None or known.queues is None:
            return True
        return queue in known.queues or (flight is not None and flight.believed[1] == worker)

    async def _turn(self, now: float) -> None:
        self.world.forget_workers(now)
        self.roll_call.turn(now)
        self._note_workers(now)
        due = self._search.due(self.in_flight.flights.values(), now)
        if due and self._search_task is None:
            loop = asyncio.get_running_loop()
            self._search_task = loop.create_task(self._search_for(due))
        await self._tell(now)

    async def _search_for(self, flights: Sequence[Flight]) -> None:
        try:
            await self._search.search(flights)
        except BrokerUnavailable:
            pass  # announced by the engine; looked for again when due
        except Exception:
            logger.exception("A search for tasks failed.")
        finally:
            self._search_task = None
            self._wake.set()

    def _about(self, flight: Flight, fact: Fact) -> None:
        """Announce a worker's event at once, since the task may end in the next moment."""
        if isinstance(fact, TaskReported) and (state := _STATES.get(fact.report)) is not None:
            believed = (Where.HELD, fact.worker, "running" if state == "STARTED" else "reserved")
            if flight.believed != believed and flight.believed[2] != "running":
                flight.believed = believed
                self._emitter.emit(
                    StateSeen(
                        at=fact.at,
                        task_id=fact.task_id,
                        state=state,
                        meta={"hostname": fact.worker},
                        source="event",
                    )
                )
        self._changed[flight.task_id] = None

    def _note_workers(self, now: float) -> None:
        """Look again for what a worker had whose state has changed."""
        states = {name: worker.state(now) for name, worker in self.world.workers.items()}
        changed = {name for name, state in states.items() if self._states.get(name) is not state}
        restarted = {
            name
            for name, worker in self.world.workers.items()
            if now - worker.restarted_at < TURN_SECONDS * 2
        }
        self._states = states
        if changed | restarted:
            for flight in self.in_flight.flights.values():
                if flight.believed[1] in changed | restarted:
                    flight.look_soon(now)
                    self._changed[flight.task_id] = None

    async def _tell(self, now: float) -> None:
        """Announce what was learned of our tasks, and end those that have ended."""
        told, self._changed = self._changed, {}
        self._findings.clear()
        for count, task_id in enumerate(told, 1):
            if (flight := self.in_flight.flights.get(task_id)) is not None:
                sighting = self._with_doubt(flight, self._sighting(flight, now), now)
                await self._compare(flight, sighting, now)
            if count % TOLD_PER_TURN == 0:
                await asyncio.sleep(0)

    def _sighting(self, flight: Flight, now: float) -> Sighting:
        return self.world.sighting(flight.task_id, now, flight.sent_at)

    def _with_doubt(self, flight: Flight, sighting: Sighting, now: float) -> Sighting:
        """A sighting of a task that waits, with what may keep it from being taken."""
        waits = sighting.where is Where.QUEUED or (
            sighting.where is Where.UNSEEN and not sighting.left_queue
        )
        if not waits or not flight.name:
            return sighting
        key = flight.queue, flight.name
        if key not in self._findings:
            view = view_of(self.world, now, self.roll_call.problem)
            asked_lately = now - self.roll_call.everybody_at < EVERYBODY_SECONDS * 2
            self._findings[key] = view.findings(*key) if asked_lately else []
        if findings := self._findings[key]:
            return replace(sighting, doubt=findings[0])
        return sighting

    async def _compare(self, flight: Flight, sighting: Sighting, now: float) -> None:
        ending, again = conclusion(sighting, flight, now)
        if again:
            self._changed[flight.task_id] = None
        if ending is not None:
            with contextlib.suppress(KimeraError):
                await self._conclude(flight.task_id, ending)
        elif self.roll_call.problem and sighting.where in (Where.SILENT, Where.LOST):
            self._changed[flight.task_id] = None  # the broker does not answer, not the worker
        elif self._is_worth_telling(flight, sighting):
            flight.retell = False
            self._emitter.emit(observed(flight.task_id, sighting, now))
            flight.believed = (sighting.where, sighting.worker, sighting.phase or "")
            flight.before, flight.doubt = sighting.before, sighting.doubt

    def _is_worth_telling(self, flight: Flight, sighting: Sighting) -> bool:
        """Whether to announce a sighting; among many tasks, not how far each has come."""
        if flight.retell and sighting.where is not Where.UNSEEN:
            return True
        crowded = len(self.in_flight.flights) > CROWD
        waits = sighting.where is Where.QUEUED and flight.believed[0] in (
            Where.UNSEEN,
            Where.QUEUED,
        )
        if crowded and waits:
            return sighting.doubt != flight.doubt
        return is_news(flight, sighting)


def is_news(flight: Flight, sighting: Sighting) -> bool:
    """Whether a sighting says something else than what was announced last."""
    match sighting.where:
        case Where.UNSEEN if flight.believed[0] is Where.UNSEEN:
            return sighting.doubt != flight.doubt
        case Where.LEFT | Where.ENDED:
            return False  # a search or the result says more in a moment
        case Where.QUEUED if flight.believed[0] is Where.QUEUED:
            # Each time that half of those before it are gone.
            closer = sighting.before <= flight.before // 2 and sighting.before != flight.before
            return closer or sighting.doubt != flight.doubt
    believed = (sighting.where, sighting.worker, sighting.phase or "")
    return believed != flight.believed or sighting.doubt != flight.doubt


def observed(task_id: str, sighting: Sighting, now: float) -> Observed:
    """The event that announces a sighting."""
    return Observed(
        at=now,
        task_id=task_id,
        where=sighting.where.value,
        worker=sighting.worker,
        phase=sighting.phase or "",
        queue=sighting.queue,
        before=sighting.before,
        since=sighting.since,
        back_at=sighting.back_at,
        confirmed_at=sighting.at,
        source=sighting.source,
        earlier=sighting.earlier,
        restarted=sighting.restarted,
        doubt=sighting.doubt,
    )


def feed_of(app: Any, emitter: Emitter, take: Callable[[Sequence[Fact]], None]) -> Any:
    """The feed of the workers' events: on the loop for one Redis server, else on a thread."""
    if has_redis_broker(app):
        from kimera_tui.cluster.redis_feed import RedisFeed

        return RedisFeed(app, emitter.clock, take)
    return KombuFeed(app, emitter.clock, take)
