"""Running what is composed: its inputs, what stands against it, and what it would send."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from textual import work

from kimera_tui.documents.document import Document
from kimera_tui.errors import KimeraError
from kimera_tui.execution.preflight import Finding, against
from kimera_tui.execution.run_inputs import Given
from kimera_tui.ui.compose.base import ComposeBase
from kimera_tui.ui.compose.calls import calls_lines
from kimera_tui.ui.compose.preflight_window import Preflight
from kimera_tui.ui.compose.windows import Reader
from kimera_tui.ui.runs.detach_windows import Stops, detaching
from kimera_tui.ui.runs.inputs_form import run_form
from kimera_tui.ui.windows.confirm import Confirm
from kimera_tui.ui.windows.confirm_palette import running

T = TypeVar("T")


class ComposeRuns(ComposeBase):
    """Runs the document, or shows what it would send."""

    @work(exclusive=True, group="compose-run")
    async def action_run(self, ask: bool = False) -> None:
        """Run what is composed: ask for its inputs, look at what stands against it, send."""
        document = self.document
        if not await self._may_read(document):
            return
        given = await self._given("Run", "Run")
        found = await self._looked_at(document, given)
        if given is None or found is None:
            return
        if wrong := against(found):
            if not await self.app.push_screen_wait(Preflight(document, found)):
                return
            given = replace(given, despite=[finding.text for finding in wrong])
        question = running(document, given, self.kimera.services.friends)
        if ask and not await self.app.push_screen_wait(Confirm(question)):
            return
        await self.kimera.acts.launch_document(document, given, self._file)

    @work(exclusive=True, group="compose-run")
    async def action_detach(self) -> None:
        """Hand what is composed to the workers, if they can do all that it says."""
        document = self.document
        if not await self._is_sound():
            return
        stops = await self._or_say(self.kimera.services.workflows.blockers(document))
        if stops is None:
            return
        if stops:
            await self.app.push_screen_wait(Stops(stops, "Run it here, or change these steps."))
            return
        if not await self._may_read(document):
            return
        given = await self._given("Detach", "Go on")
        if given is None:
            return
        if await self.app.push_screen_wait(Confirm(detaching(document))):
            await self.kimera.acts.detach_document(document, given, self._file)

    @work(exclusive=True, group="compose-run")
    async def action_preflight(self) -> None:
        """Show what speaks for and against a run now; nothing is sent."""
        document = self.document
        found = await self._looked_at(document, await self._given("Pre-flight", "Look"))
        if found is not None:
            await self.app.push_screen_wait(Preflight(document, found, asks=False))

    @work(exclusive=True, group="compose-run")
    async def action_dry_run(self) -> None:
        """Show every call with its payload as far as it is known before; nothing is sent."""
        document = self.document
        given = await self._given("Dry run", "Show the calls")
        if given is None:
            return
        calls = await self._or_say(
            self.kimera.services.workflows.dry_run(document, given, self._file)
        )
        if calls is None:
            return
        intro = "Nothing is sent. What only the run will know stays as its template."
        lines = calls_lines(document, calls)
        await self.app.push_screen_wait(Reader("Dry run", intro, lines))

    async def _given(self, title: str, act: str) -> Given | None:
        """What the run is given; None where it can't be run, or nobody wants to."""
        document = self.document
        if not await self._is_sound():
            return None
        if not document.inputs:
            return Given()
        return await self.app.push_screen_wait(run_form(document, self.last_inputs, title, act))

    async def _looked_at(self, document: Document, given: Given | None) -> Sequence[Finding] | None:
        """What speaks for and against a run now; None where nothing is to be run."""
        if given is None:
            return None
        self.kimera.acts.tell_wait()
        workflows = self.kimera.services.workflows
        return await self._or_say(workflows.preflight(document, given, self._file))

    async def _may_read(self, document: Document) -> bool:
        """Whether it may read what it asks for; asks, once it is sound."""
        return await self._is_sound() and await self.kimera.acts.may_read(document, self._file)

    @property
    def _file(self) -> Path | None:
        """Where the document is from; None for what was never saved."""
        stored = self.composition.stored
        return stored.path if stored is not None else None

    async def _or_say(self, asked: Awaitable[T]) -> T | None:
        """The answer; None where there is none, and then it is said why."""
        try:
            return await asked
        except KimeraError as error:
            self.kimera.complain(str(error))
            return None

    async def _is_sound(self) -> bool:
        """Whether it can be run at all; if not, it is said why."""
        if not self.document.steps:
            self.kimera.complain("Nothing to run yet: add a task.")
            return False
        problems = await self.kimera.services.workflows.problems(self.document)
        if problems:
            self.go_to_problem(problems[0])
            self.kimera.complain(problems[0].sentence)
        return not problems
