"""Looks for tasks in flight: in their queues, with the workers, among unacknowledged messages."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from kimera_tui.cluster.facts import (
    BrokerRestarted,
    Fact,
    QueueSeen,
    TaskQueued,
    TasksMissing,
    TasksNotHeld,
    TasksSought,
    TaskUnacked,
)
from kimera_tui.cluster.in_flight import Flight
from kimera_tui.cluster.questions import Question, Questions
from kimera_tui.cluster.queue_reader import QueueReader
from kimera_tui.cluster.sightings import Where
from kimera_tui.cluster.view import named
from kimera_tui.cluster.worker import WorkerState
from kimera_tui.cluster.world import World
from kimera_tui.errors import BrokerUnavailable
from kimera_tui.process.loop.clock import Clock

AT_ONCE = 1_000
"""Tasks that are looked for in one search."""
SURE_SECONDS = 2.0
"""Seconds between two searches that both miss a task before it counts as missing: a message leaves
its queue shortly before its worker knows of it."""
REST = 50
"""A queue is left alone for so many times as long as it took to read it."""

Depths = Callable[[Collection[str]], Awaitable[Mapping[str, int]]]
"""Returns how many messages are ready in queues, without those that can't be counted."""


class FlightSearch:
    """Searches in the order of a task's life, so that a task that moves is met at its next place.

    Args:
        world: What is known of the workers.
        clock: Tells the time.
        questions: Asks the workers.
        reader: Reads queues and unacknowledged messages; None where that is not possible.
        depths: Counts messages where queues can't be read.
        on_facts: Called with what is found.
    """

    def __init__(
        self,
        world: World,
        clock: Clock,
        questions: Questions,
        reader: QueueReader | None,
        depths: Depths,
        on_facts: Callable[[Sequence[Fact]], None],
    ) -> None:
        self._world = world
        self._clock = clock
        self._questions = questions
        self._reader = reader
        self._depths = depths
        self._on_facts = on_facts
        self._rest_until: dict[str, float] = {}
        self._server = ""
        """The run id of the broker's server when it was last read from."""

    def due(self, flights: Collection[Flight], now: float) -> list[Flight]:
        """The tasks to look for now; those whose queue was costly to read wait a little longer."""
        due = []
        for flight in flights:
            if flight.look_at > now:
                continue
            rest = self._rest_until.get(flight.queue, 0.0)
            if rest > now:
                flight.look_at = rest
                continue
            due.append(flight)
            if len(due) == AT_ONCE:
                break
        return due

    async def search(self, flights: Sequence[Flight]) -> None:
        """Look for tasks once.

        Raises:
            BrokerUnavailable: the broker is not available.
        """
        began = self._clock.now()
        for flight in flights:
            flight.looked(began)
        left = {each.task_id: each for each in flights if each.believed[0] is not Where.HELD}
        held = {each.task_id: each for each in flights if each.believed[0] is Where.HELD}
        unread = await self._in_queues(left)
        left |= held
        silent = await self._with_workers(left)
        # Only what its worker no longer has may be back: a queue is not read for what runs.
        returned = {each: held[each] for each in left.keys() & held.keys()}
        unread |= await self._in_queues(returned)
        for task_id in held.keys() - returned.keys():
            left.pop(task_id, None)
        if self._reader is not None and left:
            await self._unacknowledged(self._reader, left, silent)
        self._note_server()
        self._missed(left, unread, silent, began)

    def _note_server(self) -> None:
        server = "" if self._reader is None else self._reader.server
        if server and self._server not in ("", server):
            self._on_facts([BrokerRestarted(at=self._clock.now())])
        self._server = server or self._server

    async def _in_queues(self, left: dict[str, Flight]) -> dict[str, str]:
        """Look into the queues; returns why tasks may have been missed there, by queue."""
        by_queue: defaultdict[str, list[str]] = defaultdict(list)
        for flight in left.values():
            by_queue[flight.queue].append(flight.task_id)
        if self._reader is None:
            return await self._count(by_queue) if by_queue else {}
        unread = {}
        for queue, task_ids in by_queue.items():
            began = time.monotonic()
            queued = await self._reader.queued(queue, task_ids)
            now, took = self._clock.now(), time.monotonic() - began
            self._rest_until[queue] = now + took * REST
            await self._tell(
                [
                    TaskQueued(at=now, task_id=task_id, queue=queue, before=before)
                    for task_id, before in queued.ahead.items()
                ]
            )
            _found(left, queued.ahead)
            if not queued.complete:
                unread[queue] = f"queue {queue} is too long to search"
        return unread

    async def _count(self, queues: Collection[str]) -> dict[str, str]:
        """Where queues can't be read: one without messages holds nothing."""
        depths = await self._depths(queues)
        at = self._clock.now()
        self._on_facts([QueueSeen(at=at, queue=queue, ready=n) for queue, n in depths.items()])
        return {
            queue: f"it may be among the {depths[queue]} messages of queue {queue}"
            if queue in depths
            else f"the messages of queue {queue} can't be counted"
            for queue in queues
            if depths.get(queue, 1)
        }

    async def _with_workers(self, left: dict[str, Flight]) -> frozenset[str]:
        """Ask the workers; returns those that may have a task and did not answer.

        All of them, whether known or not: one may have come a moment ago.
        """
        known = self._world.named(self._clock.now(), WorkerState.ONLINE, WorkerState.SILENT)
        if not left:
            return frozenset()
        began = self._clock.now()
        answered = await self._ask("query_task", None, list(left))
        gone: defaultdict[str, set[str]] = defaultdict(set)
        for task_id, flight in left.items():
            worker = flight.believed[1]
            if worker in answered and worker not in self._holders(task_id, began):
                gone[worker].add(task_id)
        at = self._clock.now()
        await self._tell(
            [TasksNotHeld(at=at, task_ids=frozenset(ids), worker=w) for w, ids in gone.items()]
        )
        _found(left, [each for each in left if self._holders(each, began)])
        return frozenset(known) - answered

    async def _ask(
        self, question: Question, workers: Collection[str] | None, task_ids: Sequence[str]
    ) -> set[str]:
        """Ask the workers about tasks; returns those that answered, raises BrokerUnavailable."""
        try:
            return await self._questions.ask(question, workers, task_ids)
        except Exception as error:
            from kimera_tui.process.failures import broker_failure

            raise broker_failure(error) or BrokerUnavailable(f"{error}") from error

    def _holders(self, task_id: str, asked_at: float) -> list[str]:
        """The workers that said that they hold a task since they were asked."""
        task = self._world.tasks.get(task_id)
        held = () if task is None else task.held.values()
        return [each.worker for each in held if each.at >= asked_at]

    async def _unacknowledged(
        self, reader: QueueReader, left: dict[str, Flight], silent: frozenset[str]
    ) -> None:
        back_at = dict(await reader.held(list(left)))
        if back_at:
            waiting, late = await self._until_eta(back_at)
            _found(left, waiting)
            silent |= late
            for task_id in waiting:
                del back_at[task_id]
        now = self._clock.now()
        await self._tell(
            [
                TaskUnacked(
                    at=now,
                    task_id=each,
                    back_at=back,
                    doubt=self._leaving(each, now)
                    or self._doubt(left[each].queue, silent, now)
                    or self._held_back(left[each], now),
                )
                for each, back in back_at.items()
            ]
        )
        _found(left, back_at)

    async def _until_eta(self, task_ids: Collection[str]) -> tuple[list[str], frozenset[str]]:
        """The tasks that workers hold until their ETA, and the workers that did not answer.

        They don't find all of those by their ids: before Celery 5.7 none, and since then not one
        that was received for a retry before the try that asked for it was over.
        """
        began = self._clock.now()
        asked = self._world.named(began, WorkerState.ONLINE)
        if not asked:
            return [], frozenset()
        answered = await self._ask("scheduled", asked, list(task_ids))
        waiting = [task_id for task_id in task_ids if self._holders(task_id, began)]
        return waiting, frozenset(asked) - answered

    def _leaving(self, task_id: str, now: float) -> str:
        """That the worker that had a task may still run it, although it said that it leaves."""
        task = self._world.tasks.get(task_id)
        worker = "" if task is None else task.leaving(self._world.workers, now)
        return f"{worker}, which is shutting down, may still run it" if worker else ""

    def _held_back(self, flight: Flight, now: float) -> str:
        """Which workers may hold a task back for its rate limit, of which they tell nothing."""
        may_have = [
            name
            for name in self._world.consumers(flight.queue, now)
            if flight.name in self._world.workers[name].limited
        ]
        return f"{named(may_have)} may hold it back for its rate limit" if may_have else ""

    def _missed(
        self,
        left: Mapping[str, Flight],
        unread: Mapping[str, str],
        silent: frozenset[str],
        began: float,
    ) -> None:
        """Say of the tasks that were not found whether they are missing, or why they may not be."""
        now = self._clock.now()
        missing: defaultdict[float, set[str]] = defaultdict(set)
        doubtful: defaultdict[tuple[str, bool], set[str]] = defaultdict(set)
        for task_id, flight in left.items():
            not_read = unread.get(flight.queue, "")
            leaving = self._leaving(task_id, now)
            if doubt := not_read or leaving or self._doubt(flight.queue, silent, now):
                doubtful[doubt, not not_read].add(task_id)
                flight.missed_at = 0.0
            elif not flight.missed_at:
                flight.missed_at = began
                flight.look_soon(now + SURE_SECONDS)
            elif began - flight.missed_at >= SURE_SECONDS:
                missing[flight.missed_at].add(task_id)
        self._on_facts(
            [
                *(
                    TasksMissing(at=now, task_ids=frozenset(ids), since=since)
                    for since, ids in missing.items()
                ),
                *(
                    TasksSought(at=now, task_ids=frozenset(ids), doubt=doubt, left_queue=left_queue)
                    for (doubt, left_queue), ids in doubtful.items()
                ),
            ]
        )

    def _doubt(self, queue: str, silent: frozenset[str], now: float) -> str:
        """Why a worker may have a task of a queue although none that answered has it."""
        may_have = sorted(
            name
            for name in silent
            if (queues := self._world.workers[name].queues) is None or queue in queues
        )
        if may_have:
            return f"{named(may_have)}, which may have it, {_does(may_have)} not answer"
        if not self._world.named(now, WorkerState.ONLINE):
            return "no worker answers"
        return ""

    async def _tell(self, facts: Sequence[Fact]) -> None:
        """Hand facts over, a portion in each turn of the loop."""
        for start in range(0, len(facts), AT_ONCE // 2):
            self._on_facts(facts[start : start + AT_ONCE // 2])
            await asyncio.sleep(0)


def _found(left: dict[str, Flight], task_ids: Collection[str]) -> None:
    for task_id in task_ids:
        left.pop(task_id).missed_at = 0.0


def _does(workers: Sequence[str]) -> str:
    return "does" if len(workers) == 1 else "do"
