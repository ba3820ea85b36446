"""Workflows: documents in a folder, their checks, and runs made from them."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from kimera_tui.config.friends import Friend
from kimera_tui.config.trust import Access
from kimera_tui.console.connection import Connection
from kimera_tui.console.guard import Guard
from kimera_tui.console.permissions import Permissions
from kimera_tui.documents.checks import Problem, problems_of
from kimera_tui.documents.document import Document, all_steps
from kimera_tui.documents.store import Library, Stored, changed, open_workflow, save
from kimera_tui.errors import KimeraError, UsageError
from kimera_tui.execution.detach.blockers import Blocker
from kimera_tui.execution.dry_run import dry_run
from kimera_tui.execution.preflight import (
    Facts,
    Finding,
    Reads,
    preflight,
    queues_of,
    tasks_of,
)
from kimera_tui.execution.replay.from_run import LastRun, last_run_of
from kimera_tui.execution.run_inputs import RunInputs
from kimera_tui.runs.journal.journal import Journal
from kimera_tui.runs.search.query import RunRow
from kimera_tui.runs.search.tree import Term, written

RECENT = 20
"""Number of past runs that tell how long a workflow usually takes."""


@dataclass(frozen=True, slots=True)
class SavedWorkflow:
    """A workflow file, for the list of them."""

    path: Path
    name: str
    steps: int
    problem: str = ""
    """The first problem in it, or an empty string."""
    last_state: str = ""
    """State of its last run; empty if it never ran."""
    last_at: float | None = None
    """When its last run started, in seconds since the epoch."""
    usual: float | None = None
    """Median duration of its latest successful runs, in seconds."""
    last_run: str = ""
    """Id of its last run; empty if it never ran."""


class Workflows:
    """Documents in a folder, and their runs.

    Args:
        connection: Gives the runner and the monitor once the broker is up.
        journal: Where runs are kept.
        guard: Says what may be sent.
        permissions: What documents may read.
        friends: The configured friends.
        folder: Where the files are.
    """

    def __init__(
        self,
        connection: Connection,
        journal: Journal,
        guard: Guard,
        permissions: Permissions,
        friends: Mapping[str, Friend],
        folder: Path,
    ) -> None:
        self._connection = connection
        self._journal = journal
        self._guard = guard
        self._permissions = permissions
        self._friends = friends
        self._library = Library(folder)

    async def problems(self, document: Document) -> Sequence[Problem]:
        """The problems of a document."""
        return await asyncio.to_thread(problems_of, document, self._friends)

    async def saved(self) -> Sequence[SavedWorkflow]:
        """The workflow files, including those that can't be read."""
        files = await asyncio.to_thread(self._read_all)
        return [await self._with_runs(each) for each in files]

    async def _with_runs(self, saved: SavedWorkflow) -> SavedWorkflow:
        try:
            own = await self._runs_of(saved.name)
        except KimeraError:
            own = []  # the journal can't be read
        if not own:
            return saved
        times = [row.ended - row.started for row in own if row.status == "done" and row.ended]
        return replace(
            saved,
            last_state=own[0].status,
            last_at=own[0].started,
            last_run=own[0].run_id,
            usual=median(times[:RECENT]) if times else None,
        )

    async def _runs_of(self, name: str) -> list[RunRow]:
        """The runs of a workflow of that name, newest first."""
        rows = await self._journal.runs(written(Term("workflow", name)))
        return [row for row in rows if row.name == name]

    def _read_all(self) -> list[SavedWorkflow]:
        return [self._read_one(path) for path in self._library.entries()]

    def _read_one(self, path: Path) -> SavedWorkflow:
        try:
            document = open_workflow(path).document
        except KimeraError as error:
            return SavedWorkflow(path, path.name, 0, str(error).removeprefix(f"{path}, "))
        problems = problems_of(document, self._friends)
        problem = problems[0].sentence if problems else ""
        count = sum(1 for _ in all_steps(document))
        return SavedWorkflow(path, document.name, count, problem)

    async def open(self, path: Path) -> Stored:
        """Read a file; raises a KimeraError that tells what is wrong with it."""
        return await asyncio.to_thread(open_workflow, path)

    def file_for(self, name: str) -> Path:
        """Where a workflow of that name is kept."""
        return self._library.file_for(name)

    async def save(self, document: Document, path: Path, stored: Stored | None) -> Stored:
        """Write a file, keeping its comments; raises ChangedOnDisk if somebody else wrote it."""
        return await asyncio.to_thread(save, document, path, stored)

    async def changed(self, stored: Stored) -> bool:
        """Whether a file has changed since it was last read or written."""
        return await asyncio.to_thread(changed, stored)

    async def last_run(self, name: str) -> LastRun | None:
        """The values of the last run of a workflow; None if it never ran or isn't kept."""
        rows = await self._runs_of(name)
        if not rows:
            return None
        with contextlib.suppress(UsageError):  # its start isn't kept
            return last_run_of(await self._journal.run(rows[0].run_id))
        return None

    async def wants(self, document: Document, file: Path | None) -> Sequence[Access]:
        """What a document asks to read and nobody has allowed.

        Args:
            document: The document to run.
            file: Where it is from; None if it was never saved.

        Raises:
            ConfigError: the permissions can't be read.
        """
        return await asyncio.to_thread(self._permissions.wants, document, file)

    async def allow(self, document: Document, file: Path | None) -> None:
        """Let a document read what it asks for now; ConfigError where that can't be saved."""
        await asyncio.to_thread(self._permissions.allow, document, file)

    async def preflight(
        self, document: Document, run_inputs: RunInputs, file: Path | None
    ) -> Sequence[Finding]:
        """What speaks for and against running a document now."""
        facts = await self.facts(document)
        reads = Reads(self._permissions.reads(document), await self.wants(document, file))
        return await asyncio.to_thread(
            preflight, document, run_inputs, self._friends, facts, os.environ, reads
        )

    async def facts(self, document: Document) -> Facts:
        """What is known of the workers, queues and past runs that a run would use."""
        try:
            monitor = await self._connection.monitor()
        except KimeraError as error:
            return Facts(broker_problem=str(error))
        names = {friend for friend, _ in tasks_of(document)}
        own = [name for name in names if self._has_own_broker(name)]
        view, *views = await asyncio.gather(
            monitor.fresh_view(), *(monitor.fresh_view(name) for name in own)
        )
        usual = {}
        for friend, task in tasks_of(document):
            with contextlib.suppress(KimeraError):  # the journal can't be read
                if (times := await self._journal.usual(friend, task)) is not None:
                    usual[friend, task] = times[0]
        return Facts(
            view,
            await monitor.queue_depths(queues_of(document, self._friends)),
            usual,
            "" if monitor.failure is None else monitor.failure.message,
            dict(zip(own, views, strict=True)),
        )

    def _has_own_broker(self, friend: str) -> bool:
        return friend in self._friends and self._friends[friend].broker is not None

    async def dry_run(
        self, document: Document, run_inputs: RunInputs, file: Path | None
    ) -> Sequence[Mapping[str, Any]]:
        """The calls that a run would send; nothing is sent."""
        variables = {} if await self.wants(document, file) else os.environ
        return await asyncio.to_thread(dry_run, document, run_inputs, self._friends, variables)

    async def run(self, document: Document, run_inputs: RunInputs, file: Path | None) -> str:
        """Start a run once the broker is up; returns its id.

        Raises:
            NotTrusted: it asks to read something that nobody has allowed.
            UsageError: it may not be sent from here, or an input is wrong.
            KimeraError: the broker or result backend is unavailable; nothing was sent.
        """
        await self._may_run(document, file)
        return (await self._connection.ready_runner()).run(document, run_inputs)

    async def blockers(self, document: Document) -> Sequence[Blocker]:
        """What keeps the workers from finishing a run of a document alone.

        Raises:
            UsageError: the workers stop with the console.
            KimeraError: the broker or result backend is unavailable.
        """
        self._connection.need_lasting_workers()
        return await (await self._connection.ready_runner()).blockers(document)

    async def detach(self, document: Document, run_inputs: RunInputs, file: Path | None) -> str:
        """Start a run that the workers finish alone; returns its id once they have it.

        Raises:
            NotTrusted: it asks to read something that nobody has allowed.
            CannotDetach: the workers can't do all of it; nothing was sent.
            UsageError: it may not be sent from here, or an input is wrong; nothing was sent.
            KimeraError: the broker, result backend or journal can't be used.
        """
        self._connection.need_lasting_workers()
        await self._may_run(document, file)
        return await (await self._connection.ready_runner()).detach(document, run_inputs)

    async def _may_run(self, document: Document, file: Path | None) -> None:
        await asyncio.to_thread(self._permissions.check, document, file)
        self._guard.may_send(friend for friend, _ in tasks_of(document))
