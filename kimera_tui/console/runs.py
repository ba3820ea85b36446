"""Runs: started from calls, searched, read, replayed, resumed, cancelled and detached."""

from __future__ import annotations

import asyncio
import getpass
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kimera_tui.config.friends import Friend
from kimera_tui.console.connection import Connection
from kimera_tui.console.export import write_run, write_text
from kimera_tui.console.filters import SavedFilters
from kimera_tui.console.guard import Guard, friends_left
from kimera_tui.documents.calls import Workflow, friends_of
from kimera_tui.documents.document import Document
from kimera_tui.errors import UsageError
from kimera_tui.execution.cancel import Cancelled, cancel_run
from kimera_tui.execution.replay.from_run import document_of
from kimera_tui.execution.replay.plan import (
    ReplayPlan,
    ReplayRequest,
    fates_before_replay,
    planned_replay,
)
from kimera_tui.execution.run_inputs import RunInputs
from kimera_tui.execution.runner import NO_INPUTS, Decision
from kimera_tui.process.loop.clock import Clock, new_id
from kimera_tui.process.stopping.stop_all import Stopped
from kimera_tui.runs.events import RunStarted
from kimera_tui.runs.journal.journal import Journal
from kimera_tui.runs.recovery import Recovery, Resumed, recover
from kimera_tui.runs.search.query import RunRow
from kimera_tui.runs.search.tree import Term, written


class Runs:
    """Past and present runs, and everything that may be done with them.

    Args:
        connection: Gives the runner once the broker is up.
        journal: Where runs are kept.
        guard: Says what may be sent.
        filters: Saved searches, which a search may name.
        friends: The configured friends.
        clock: Where the time comes from.
    """

    def __init__(
        self,
        connection: Connection,
        journal: Journal,
        guard: Guard,
        filters: SavedFilters,
        friends: Mapping[str, Friend],
        clock: Clock,
    ) -> None:
        self._connection = connection
        self._journal = journal
        self._guard = guard
        self._filters = filters
        self._friends = friends
        self._clock = clock

    async def search(self, line: str, limit: int = 200) -> Sequence[RunRow]:
        """Runs that match a search, newest first.

        Raises:
            UsageError: the search can't be understood.
            KimeraError: the saved filters or the journal can't be read.
        """
        return await self._journal.runs(line, limit, await self._filters.named_in(line))

    async def find(self, prefix: str) -> RunRow:
        """The only run whose id starts with a prefix; UsageError if there are none or several."""
        rows = await self.search(written(Term("run", prefix)), 100)
        if len(rows) != 1:
            what = f"{len(rows)} runs have ids starting" if rows else "No run's id starts"
            raise UsageError(f"{what} with `{prefix}`; kimera-tui runs lists them.")
        return rows[0]

    async def document_of(self, run_id: str) -> Document:
        """The document that a run was started with; UsageError where that isn't kept."""
        for event in await self._journal.events_of(run_id):
            if isinstance(event, RunStarted):
                return await asyncio.to_thread(document_of, event)
        raise UsageError("Its start is not in the journal.")

    async def export(self, run_id: str) -> Path:
        """Write a run with its events to a file in the working directory, as JSON."""
        events = await self._journal.events_of(run_id)
        return await asyncio.to_thread(write_run, Path.cwd(), run_id, events)

    async def save_value(self, name: str, text: str) -> Path:
        """Write a text to a new file in the working directory; UsageError where that fails."""
        return await asyncio.to_thread(write_text, Path.cwd() / name, text)

    async def start(self, workflow: Workflow) -> str:
        """Start a run of plain calls once the broker is up; returns its id.

        Raises:
            UsageError: it may not be sent from here.
            KimeraError: the broker or result backend is unavailable; nothing was sent.
        """
        self._guard.may_send(friends_of(workflow.root))
        return (await self._connection.ready_runner()).start(workflow)

    async def replay_plan(self, run_id: str, request: ReplayRequest) -> ReplayPlan:
        """What a replay would run and reuse; nothing is sent.

        Raises:
            UsageError: there is no such run or step, or an input is wrong.
        """
        return await self._planned(await self._journal.events_of(run_id), request)

    async def replay(self, run_id: str, request: ReplayRequest) -> str:
        """Start a new run from a past one; returns its id.

        Steps whose outcome is unknown are looked for before they are sent again.

        Raises:
            StepsInDoubt: a step might run twice, and ``request`` doesn't allow that.
            UsageError: as ``replay_plan``, or it may not be sent from here; nothing was sent.
            KimeraError: the broker or result backend is unavailable; nothing was sent.
        """
        past = await self._journal.events_of(run_id)
        self._guard.may_send((await self._planned(past, request)).friends)
        runner = await self._connection.ready_runner()
        manager = await self._connection.manager()
        fates = await fates_before_replay(past, request, manager, self._clock.now())
        return await runner.replay(run_id, request, fates)

    async def _planned(self, past: Sequence[object], request: ReplayRequest) -> ReplayPlan:
        friends = {name: friend.as_mapping() for name, friend in self._friends.items()}
        return await asyncio.to_thread(planned_replay, past, request, new_id, friends)

    async def recover(self) -> Recovery:
        """Resume the interrupted runs once the broker is up; returns what became of them.

        Raises:
            KimeraError: the broker never came up, or the journal can't be used.
        """
        if self._guard.read_only:
            return Recovery()
        await self._connection.runner()
        return await recover(self._journal, self.resume, self._connection.profile)

    async def resume(self, run_id: str, run_inputs: RunInputs = NO_INPUTS) -> Resumed:
        """Resume an interrupted run; returns which tasks are watched again.

        Raises:
            RunTaken: it has ended, or another console owns it.
            UsageError: it may not be sent from here, or was started with another broker.
            KimeraError: the broker or journal can't be used.
        """
        await self._may_resume(run_id)
        return await (await self._connection.runner()).resume(run_id, run_inputs)

    async def decide(self, run_id: str, path: str, what: Decision, result: Any) -> None:
        """Decide on an uncertain step; UsageError if it isn't waiting for a decision."""
        await self._may_resume(run_id)
        runner = await self._connection.runner()
        await runner.decide(run_id, path, what, getpass.getuser(), result)

    async def cancel(self, run_id: str) -> Cancelled:
        """Send nothing more of a run, whoever owns it, and revoke what is in flight."""
        self._guard.may_act()
        return await cancel_run(
            self._journal, run_id, self._connection.started_runner, self._take_over
        )

    async def _take_over(self, run_id: str) -> None:
        await self._connection.start()
        await self._connection.ready_runner()
        # Which workers serve which queue decides whose acknowledgement counts.
        await (await self._connection.monitor()).look()
        await self.resume(run_id)

    async def stop(self, task_id: str, *, terminate: bool, signal: str) -> Stopped:
        """Revoke a task, and take it out of its queue where it waits; returns what that brought."""
        self._guard.may_act()
        manager = await self._connection.manager()
        report = await manager.stop_all([task_id], terminate, signal)
        return report.tasks[task_id]

    async def keep_revoking(self, unheard: Sequence[tuple[str, str]]) -> str:
        """Repeat revokes until workers acknowledge them; returns the outcome in a sentence.

        Args:
            unheard: Friend and task id of each.
        """
        self._guard.may_act()
        manager = await self._connection.manager()
        by_friend: defaultdict[str, list[str]] = defaultdict(list)
        for friend, task_id in unheard:
            by_friend[friend].append(task_id)
        outcomes = await asyncio.gather(
            *(manager.revoke_until_acked(friend, ids) for friend, ids in by_friend.items())
        )
        return " ".join(dict.fromkeys(outcomes))

    async def detach_rest(self, run_id: str) -> None:
        """Let the workers finish a run alone, once what is in flight has ended.

        Raises:
            CannotDetach: the workers can't do all of it; the run continues here.
            UsageError: it isn't active here, or nothing is left.
            KimeraError: the broker, result backend or journal can't be used.
        """
        self._connection.need_lasting_workers()
        await self._may_resume(run_id)
        await (await self._connection.ready_runner()).detach_rest(run_id)

    async def _may_resume(self, run_id: str) -> None:
        """Raise UsageError unless everything left of a run may be sent."""
        self._guard.may_act()
        if self._guard.closes_friends:  # else the journal need not be read
            self._guard.may_send(friends_left(await self._journal.run(run_id)))
