"""Running what is composed: its inputs, the pre-flight, the dry run, detaching."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from kimera_tui.documents.document import Document
from kimera_tui.errors import UsageError
from kimera_tui.execution.preflight import Finding, against
from kimera_tui.execution.run_inputs import RunInputs
from kimera_tui.ui.acts import Acts
from kimera_tui.ui.compose.calls import calls_lines
from kimera_tui.ui.compose.preflight_window import Preflight
from kimera_tui.ui.compose.tree import ComposeTree
from kimera_tui.ui.compose.windows import Reader
from kimera_tui.ui.kimera import Command, Kimera
from kimera_tui.ui.runs.detach_windows import DetachBlockers, detaching
from kimera_tui.ui.runs.inputs_form import run_form
from kimera_tui.ui.windows.confirm import Confirm
from kimera_tui.ui.windows.confirm_palette import running


class RunActions:
    """Runs the document, or shows what it would send. What prevents that is raised.

    Args:
        kimera: The console, which has the document.
        acts: Start runs.
        tree: The tree, whose cursor goes to the first problem.
    """

    def __init__(self, kimera: Kimera, acts: Acts, tree: ComposeTree) -> None:
        self._kimera = kimera
        self._services = kimera.services
        self._composer = kimera.state.composer
        self._acts = acts
        self._tree = tree

    @property
    def commands(self) -> Mapping[str, Command]:
        """The actions by their names; each is told whether to ask first."""
        return {
            "run": self._run,
            "detach": lambda _: self._detach(),
            "preflight": lambda _: self._preflight(),
            "dry-run": lambda _: self._dry_run(),
        }

    async def _run(self, ask: bool) -> None:
        """Ask for the inputs, show what the pre-flight found, and send."""
        document, file = await self._sound(), self._composer.file
        if not await self._acts.may_read(document, file):
            return
        if (run_inputs := await self._given(document, "Run", "Run")) is None:
            return
        found = await self._findings(document, run_inputs)
        if wrong := against(found):
            if not await self._kimera.ask(Preflight(document, found)):
                return
            run_inputs = replace(run_inputs, despite=[finding.text for finding in wrong])
        question = running(document, run_inputs, self._kimera.services.friends)
        if ask and not await self._kimera.ask(Confirm(question)):
            return
        self._acts.launch_document(document, run_inputs, file)

    async def _detach(self) -> None:
        """Hand the run to the workers, if they can do all of it."""
        document, file = await self._sound(), self._composer.file
        blockers = await self._services.workflows.blockers(document)
        if blockers:
            await self._kimera.ask(DetachBlockers(blockers, "Run it here, or change these steps."))
            return
        if not await self._acts.may_read(document, file):
            return
        run_inputs = await self._given(document, "Detach", "Continue")
        if run_inputs is None:
            return
        if await self._kimera.ask(Confirm(detaching(document))):
            await self._acts.detach_document(document, run_inputs, file)

    async def _preflight(self) -> None:
        document = await self._sound()
        run_inputs = await self._given(document, "Pre-flight", "Check")
        if run_inputs is not None:
            found = await self._findings(document, run_inputs)
            await self._kimera.ask(Preflight(document, found, asks=False))

    async def _dry_run(self) -> None:
        document, file = await self._sound(), self._composer.file
        run_inputs = await self._given(document, "Dry run", "Show the calls")
        if run_inputs is None:
            return
        calls = await self._services.workflows.dry_run(document, run_inputs, file)
        intro = "Nothing is sent. Templates that only a run can fill stay as they are."
        await self._kimera.ask(Reader("Dry run", intro, calls_lines(document, calls)))

    async def _given(self, document: Document, title: str, act: str) -> RunInputs | None:
        """The inputs of the run; None if the operator closes the form."""
        if not document.inputs:
            return RunInputs()
        last = self._composer.last_run
        inputs = last.inputs if last is not None else {}
        return await self._kimera.ask(run_form(document, inputs, title, act))

    async def _findings(self, document: Document, run_inputs: RunInputs) -> Sequence[Finding]:
        """What the pre-flight finds now."""
        self._acts.mention_wait()
        return await self._services.workflows.preflight(document, run_inputs, self._composer.file)

    async def _sound(self) -> Document:
        """The document; UsageError with its first problem, if it has any."""
        document = self._composer.document
        if not document.steps:
            raise UsageError("Nothing to run yet: add a task.")
        problems = await self._services.workflows.problems(document)
        if problems:
            self._tree.go_to(problems[0])
            raise UsageError(problems[0].sentence)
        return document
