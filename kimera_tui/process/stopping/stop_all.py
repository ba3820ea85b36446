"""Stops tasks in one stroke: revoked by one broadcast, and taken out of their queues."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from kimera_tui.errors import KimeraError
from kimera_tui.process.engine import Engine, Receipt, Unqueuer, checked, receipts_by_task
from kimera_tui.process.engines import Engines
from kimera_tui.process.events import RevokeSent, TakenOut
from kimera_tui.process.loop.bus import Emitter
from kimera_tui.process.outcome import REVOKED, Outcome
from kimera_tui.process.stopping.broadcast import PER_BROADCAST

PER_TURN = 200
"""Tasks concluded or announced per turn of the loop."""
NO_TAKE_OUT = "This broker cannot take waiting messages out of a queue."
UNKNOWN_QUEUE = "Their queue is not known here."


@dataclass(frozen=True, slots=True)
class Place:
    """Where a task was sent to."""

    friend: str | None = None
    """None if unknown: the default broker is used."""
    queue: str = ""
    """Empty if unknown."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """What stopping one task brought."""

    task_id: str
    taken_out: bool = False
    """Whether its message was taken out of its queue, so that it will never run."""
    queue: str = ""
    receipts: Sequence[Receipt] = ()
    """What workers answered to the revoke; an acknowledgement is no proof that it was stopped."""
    why_not: str = ""
    """Why it could not be revoked, or its queue not be searched, in a sentence."""

    @property
    def workers(self) -> list[str]:
        """The workers that acknowledged."""
        return [receipt.worker for receipt in self.receipts if receipt.ok]


@dataclass(frozen=True, slots=True)
class StopReport:
    """What stopping tasks brought, by task id."""

    tasks: Mapping[str, Stopped] = field(default_factory=dict)

    @property
    def taken_out(self) -> list[str]:
        """Ids of the tasks that will never run."""
        return [each.task_id for each in self.tasks.values() if each.taken_out]

    @property
    def receipts(self) -> list[Receipt]:
        """Every answer once; a worker that had one of the tasks acknowledged."""
        found: dict[str, Receipt] = {}
        for stopped in self.tasks.values():
            for receipt in stopped.receipts:
                if receipt.ok or receipt.worker not in found:
                    found[receipt.worker] = receipt
        return list(found.values())

    @property
    def why_not(self) -> list[str]:
        """Why tasks that were not taken out could not be stopped for certain, most often first."""
        left = (each for each in self.tasks.values() if not each.taken_out and each.why_not)
        return [why for why, _ in Counter(each.why_not for each in left).most_common()]


def words_of(stopped: Stopped) -> str:
    """What stopping a task brought, in a few words."""
    if stopped.taken_out:
        return f"taken out of queue {stopped.queue}"
    workers = stopped.workers
    told = f"acknowledged by {', '.join(workers)}" if workers else "acknowledged by no worker"
    if stopped.why_not:
        return f"{told}; {stopped.why_not.rstrip('.')}"
    return f"not in queue {stopped.queue}; its revoke was {told}"


class Stopper:
    """Revokes and takes out tasks, each at the broker of its friend.

    Args:
        engines: The engine of each friend.
        emitter: Where it is announced.
        place_of: Where a task was sent to.
        is_awaited: Whether a task is waited for.
    """

    def __init__(
        self,
        engines: Engines,
        emitter: Emitter,
        place_of: Callable[[str], Place],
        is_awaited: Callable[[str], bool],
    ) -> None:
        self._engines = engines
        self._emitter = emitter
        self._place_of = place_of
        self._is_awaited = is_awaited

    async def revoke(
        self, task_ids: Sequence[str], terminate: bool, signal: str, friends: Mapping[str, str]
    ) -> dict[str, tuple[Receipt, ...]]:
        """Revoke tasks with one broadcast for each broker; see ``TaskManager.revoke_all``."""
        receipts: dict[str, tuple[Receipt, ...]] = {}
        groups = await self._groups(task_ids, friends)
        strokes = (self._revoke(group, list(group.queues), terminate, signal) for group in groups)
        for found in await asyncio.gather(*strokes, return_exceptions=True):
            if isinstance(found, BaseException):
                raise found
            receipts |= found
        return receipts

    async def stop(
        self, task_ids: Sequence[str], terminate: bool, signal: str, friends: Mapping[str, str]
    ) -> StopReport:
        """Revoke tasks and take them out of their queues; see ``TaskManager.stop_all``."""
        done: dict[str, Stopped] = {}
        try:
            groups = await self._groups(task_ids, friends)
        except KimeraError as error:  # a friend that is gone
            return StopReport({each: Stopped(each, why_not=str(error)) for each in task_ids})
        for found in await asyncio.gather(
            *(self._stop(group, terminate, signal) for group in groups)
        ):
            done |= found
        return StopReport(done)

    async def _groups(self, task_ids: Sequence[str], friends: Mapping[str, str]) -> list[_Group]:
        """The tasks by engine."""
        groups: dict[int, _Group] = {}
        engines: dict[str | None, Engine] = {}
        usual: dict[str | None, str] = {}
        for task_id in dict.fromkeys(task_ids):
            place = self._place_of(task_id)
            friend = friends.get(task_id) if place.friend is None else place.friend
            if friend not in engines:
                engines[friend] = await self._engines.engine(friend)
                usual[friend] = "" if friend is None else self._engines.friend(friend)["queue"]
            engine = engines[friend]
            group = groups.setdefault(id(engine), _Group(engine))
            group.queues[task_id] = place.queue or usual[friend]
        return list(groups.values())

    async def _revoke(
        self, group: _Group, ids: Sequence[str], terminate: bool, signal: str
    ) -> dict[str, tuple[Receipt, ...]]:
        engine, queues = group.engine, group.queues
        answers = await engine.releaser.revoke(ids, terminate=terminate, signal=signal)
        may_drop = self._engines.may_drop
        receipts = {
            task_id: checked(found, task_id, queues.get(task_id, ""), may_drop)
            for task_id, found in receipts_by_task(answers, ids).items()
        }
        at = self._emitter.now()
        if self._emitter.has_listeners:
            for number, task_id in enumerate(ids, 1):
                self._emitter.emit(
                    RevokeSent(
                        at=at, task_id=task_id, terminate=terminate, receipts=receipts[task_id],
                        asked=True,
                    )
                )  # fmt: skip
                if number % PER_TURN == 0:
                    await asyncio.sleep(0)
        return receipts

    async def _stop(self, group: _Group, terminate: bool, signal: str) -> dict[str, Stopped]:
        """Revoke what workers may hold already, the oldest, while the others are taken out.

        A revoke costs every worker up to a millisecond for each id, a take-out costs none of them
        anything: what was taken out is not revoked as well.
        """
        ids, engine = list(group.queues), group.engine
        first = ids if engine.unqueuer is None else ids[:PER_BROADCAST]
        revoking = asyncio.ensure_future(self._revoke(group, first, terminate, signal))
        try:
            taken, why_not = await self._take_out(group)
            receipts, error = await _outcome_of(revoking)
        finally:
            revoking.cancel()
        if rest := [task_id for task_id in ids[len(first) :] if task_id not in taken]:
            more, problem = await _outcome_of(self._revoke(group, rest, terminate, signal))
            receipts, error = {**receipts, **more}, error or problem
        return {
            task_id: Stopped(
                task_id,
                task_id in taken,
                queue,
                receipts.get(task_id, ()),
                "" if task_id in taken else error or why_not.get(queue, ""),
            )
            for task_id, queue in group.queues.items()
        }

    async def _take_out(self, group: _Group) -> tuple[set[str], dict[str, str]]:
        """The ids taken out, and by queue why others may still be in it."""
        queues: dict[str, list[str]] = {}
        for task_id, queue in group.queues.items():
            queues.setdefault(queue, []).append(task_id)
        why_not = {"": UNKNOWN_QUEUE} if queues.pop("", None) else {}
        unqueuer = group.engine.unqueuer
        if unqueuer is None:
            return set(), dict.fromkeys(queues, NO_TAKE_OUT) | why_not
        taking = _Taken(group.engine, self._emitter, self._is_awaited)
        if why := await taking.by(unqueuer, queues):
            why_not |= dict.fromkeys(queues, why)
        return taking.ids, why_not


class _Taken:
    """Concludes the tasks that are taken out, in portions, while others are still looked for."""

    def __init__(self, engine: Engine, emitter: Emitter, is_awaited: Callable[[str], bool]) -> None:
        self.ids: set[str] = set()
        self._engine = engine
        self._emitter = emitter
        self._is_awaited = is_awaited
        self._ready: asyncio.Queue[tuple[str, Sequence[str]] | None] = asyncio.Queue()

    async def by(self, unqueuer: Unqueuer, queues: Mapping[str, Sequence[str]]) -> str:
        """Take messages out, and conclude their tasks; return why others may be left."""
        concluding = asyncio.ensure_future(self._conclude())
        try:
            unqueued = await unqueuer.take_out(queues, lambda *found: self._ready.put_nowait(found))
            self._ready.put_nowait(None)
            await concluding
        finally:
            concluding.cancel()
        return "" if unqueued.complete else unqueued.why

    async def _conclude(self) -> None:
        while (found := await self._ready.get()) is not None:
            queue, task_ids = found
            reason = f"taken out of queue {queue}: it will never run"
            for number, task_id in enumerate(task_ids, 1):
                self.ids.add(task_id)
                at = self._emitter.now()
                self._emitter.emit(TakenOut(at=at, task_id=task_id, queue=queue))
                if self._is_awaited(task_id):
                    outcome = Outcome(REVOKED, error_message=reason)
                    self._engine.watcher.conclude(task_id, outcome)
                else:  # its end has been told
                    self._engine.watcher.unwatch(task_id)
                if number % PER_TURN == 0:
                    await asyncio.sleep(0)


@dataclass(frozen=True, slots=True)
class _Group:
    """Tasks of one engine."""

    engine: Engine
    queues: dict[str, str] = field(default_factory=dict)
    """The queue of each, by task id; empty if unknown."""


async def _outcome_of(
    revoking: Awaitable[dict[str, tuple[Receipt, ...]]],
) -> tuple[Mapping[str, tuple[Receipt, ...]], str]:
    """The receipts, and why nothing was revoked."""
    try:
        return await revoking, ""
    except KimeraError as error:
        return {}, str(error)
