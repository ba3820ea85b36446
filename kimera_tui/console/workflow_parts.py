"""What the composer asks of the rest of the house: files, checks, and runs of documents."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from kimera_tui.config.friends import Friend
from kimera_tui.config.trust import Access
from kimera_tui.console.permissions import Permissions
from kimera_tui.console.ports import SavedWorkflow
from kimera_tui.documents.checks import Problem, problems_of
from kimera_tui.documents.document import Document, all_steps
from kimera_tui.documents.store import Library, Stored, changed, open_workflow, save
from kimera_tui.errors import KimeraError, UsageError
from kimera_tui.execution.detach.blockers import Stop
from kimera_tui.execution.dry_run import dry_run
from kimera_tui.execution.from_run import document_of
from kimera_tui.execution.last_run import LastRun, last_run_of
from kimera_tui.execution.preflight import Facts, Finding, Reads, preflight
from kimera_tui.execution.run_inputs import Given
from kimera_tui.runs.events import RunStarted
from kimera_tui.runs.index import RunBook
from kimera_tui.runs.search.query import RunRow
from kimera_tui.runs.search.tree import Term, written

RECENT = 20
"""Runs that tell how long a workflow usually takes."""


class Behind(Protocol):
    """What the parts give."""

    friends: Mapping[str, Friend]
    permissions: Permissions

    async def runs(self, search: str) -> Sequence[RunRow]:
        """Past runs, newest first."""

    async def events_of(self, run_id: str) -> Sequence[object]:
        """Everything that happened to a run."""

    async def run_document(self, document: Document, given: Given) -> str:
        """Start a run."""

    async def stops(self, document: Document) -> Sequence[Stop]:
        """What keeps a run from being handed to the workers."""

    async def detach_document(self, document: Document, given: Given) -> str:
        """Start a run that the workers go on with alone."""

    async def facts(self, document: Document) -> Facts:
        """What is known now of what a run would meet."""


class WorkflowParts:
    """Documents in a folder, and their runs.

    Args:
        behind: The parts that send and remember.
        folder: Where the files are.
    """

    def __init__(self, behind: Behind, folder: Path) -> None:
        self._behind = behind
        self._library = Library(folder)

    async def problems(self, document: Document) -> Sequence[Problem]:
        """What is wrong with a document."""
        return await asyncio.to_thread(problems_of, document, self._behind.friends)

    async def saved(self) -> Sequence[SavedWorkflow]:
        """The files there are, those that can't be read too."""
        files = await asyncio.to_thread(self._read_all)
        return [await self._with_runs(each) for each in files]

    async def _with_runs(self, saved: SavedWorkflow) -> SavedWorkflow:
        try:
            own = await self._runs_of(saved.name)
        except KimeraError:
            own = []  # a journal that can't be read knows no runs
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
        rows = await self._behind.runs(written(Term("workflow", name)))
        return [row for row in rows if row.name == name]

    def _read_all(self) -> list[SavedWorkflow]:
        return [self._read_one(path) for path in self._library.entries()]

    def _read_one(self, path: Path) -> SavedWorkflow:
        try:
            document = open_workflow(path).document
        except KimeraError as error:
            return SavedWorkflow(path, path.name, 0, str(error).removeprefix(f"{path}, "))
        problems = problems_of(document, self._behind.friends)
        problem = problems[0].sentence if problems else ""
        count = sum(1 for _ in all_steps(document))
        return SavedWorkflow(path, document.name, count, problem)

    async def open(self, path: Path) -> Stored:
        """Read a file; raises a KimeraError that says what is wrong with it."""
        return await asyncio.to_thread(open_workflow, path)

    def file_for(self, name: str) -> Path:
        """Where a workflow of that name is kept."""
        return self._library.file_for(name)

    async def save(self, document: Document, path: Path, stored: Stored | None) -> Stored:
        """Write a file, keeping its comments; ChangedOnDisk where somebody else wrote it."""
        return await asyncio.to_thread(save, document, path, stored)

    async def changed(self, stored: Stored) -> bool:
        """Whether a file is another than it was when it was read or written last."""
        return await asyncio.to_thread(changed, stored)

    async def last_run(self, name: str) -> LastRun | None:
        """What the last run of a workflow of that name tells."""
        rows = await self._runs_of(name)
        if not rows:
            return None
        book = RunBook()
        await asyncio.to_thread(book.apply_all, await self._behind.events_of(rows[0].run_id))
        run = book.runs.get(rows[0].run_id)
        return None if run is None else last_run_of(run)

    def reads(self, document: Document) -> Sequence[Access]:
        """What a run of it reads besides its own file."""
        return self._behind.permissions.reads(document)

    async def wants(self, document: Document, file: Path | None) -> Sequence[Access]:
        """What it asks for and nobody has allowed; ConfigError where that can't be read."""
        return await asyncio.to_thread(self._behind.permissions.wants, document, file)

    async def allow(self, document: Document, file: Path | None) -> None:
        """Let it read what it asks for now; ConfigError where that can't be written down."""
        await asyncio.to_thread(self._behind.permissions.allow, document, file)

    async def preflight(
        self, document: Document, given: Given, file: Path | None
    ) -> Sequence[Finding]:
        """What speaks for and against a run of it now."""
        facts = await self._behind.facts(document)
        reads = Reads(self.reads(document), await self.wants(document, file))
        friends = self._behind.friends
        return await asyncio.to_thread(
            preflight, document, given, friends, facts, os.environ, reads
        )

    async def dry_run(
        self, document: Document, given: Given, file: Path | None
    ) -> Sequence[Mapping[str, Any]]:
        """What a run would send; nothing is sent."""
        variables = {} if await self.wants(document, file) else os.environ
        return await asyncio.to_thread(dry_run, document, given, self._behind.friends, variables)

    async def run(self, document: Document, given: Given, file: Path | None) -> str:
        """Start a run as soon as the broker is there; returns its id."""
        await asyncio.to_thread(self._behind.permissions.check, document, file)
        return await self._behind.run_document(document, given)

    async def stops(self, document: Document) -> Sequence[Stop]:
        """What keeps a run of it from being handed to the workers."""
        return await self._behind.stops(document)

    async def detach(self, document: Document, given: Given, file: Path | None) -> str:
        """Start a run that the workers go on with alone; returns its id once they have it."""
        await asyncio.to_thread(self._behind.permissions.check, document, file)
        return await self._behind.detach_document(document, given)

    async def document_of(self, run_id: str) -> Document:
        """The document that a past run began with; UsageError where it can't be had."""
        for event in await self._behind.events_of(run_id):
            if isinstance(event, RunStarted):
                return await asyncio.to_thread(document_of, event)
        raise UsageError("Its beginning is not in the journal.")
