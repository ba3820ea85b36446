"""Running what is composed: its inputs, what stands against it, and what it would send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from textual import work

from kimera_tui.errors import KimeraError
from kimera_tui.ui.screens.compose_base import ComposeBase
from kimera_tui.ui.screens.compose_windows import Reader
from kimera_tui.ui.screens.inputs_form import run_form
from kimera_tui.ui.screens.workflow_preflight import Preflight
from kimera_tui.ui.text import compact, safe
from kimera_tui.ui.widgets.lines import Line
from kimera_tui.workflows.launch import Given
from kimera_tui.workflows.preflight import against


class ComposeRuns(ComposeBase):
    """Runs the document, or shows what it would send."""

    @work(exclusive=True, group="compose-run")
    async def action_run(self) -> None:
        """Run what is composed: ask for its inputs, look at what stands against it, send."""
        document = self.document
        given = await self._given("Run", "Go on")
        if given is None:
            return
        try:
            found = await self.kimera.services.workflows.preflight(document, given)
        except KimeraError as error:
            self.kimera.complain(str(error))
            return
        if wrong := against(found):
            if not await self.app.push_screen_wait(Preflight(document, found)):
                return
            given = replace(given, despite=[finding.told for finding in wrong])
        await self.kimera.acts.launch_document(document, given)

    @work(exclusive=True, group="compose-run")
    async def action_preflight(self) -> None:
        """Show what speaks for and against a run now; nothing is sent."""
        document = self.document
        given = await self._given("Pre-flight", "Look")
        if given is None:
            return
        try:
            found = await self.kimera.services.workflows.preflight(document, given)
        except KimeraError as error:
            self.kimera.complain(str(error))
            return
        await self.app.push_screen_wait(Preflight(document, found, asks=False))

    @work(exclusive=True, group="compose-run")
    async def action_dry_run(self) -> None:
        """Show every call with its payload as far as it is known before; nothing is sent."""
        document = self.document
        given = await self._given("Dry run", "Show the calls")
        if given is None:
            return
        try:
            calls = await self.kimera.services.workflows.dry_run(document, given)
        except KimeraError as error:
            self.kimera.complain(str(error))
            return
        intro = "Nothing is sent. What only the run will know stays as its template."
        lines = [line for call in calls for line in call_lines(call)]
        await self.app.push_screen_wait(Reader("Dry run", intro, lines))

    async def _given(self, title: str, act: str) -> Given | None:
        """What the run is given; None where it can't be run, or nobody wants to."""
        document = self.document
        if not document.steps:
            self.kimera.complain("Nothing to run yet: add a task.")
            return None
        problems = await self.kimera.services.workflows.problems(document)
        if problems:
            self.go_to_problem(problems[0])
            self.kimera.complain(problems[0].sentence)
            return None
        if not document.inputs:
            return Given()
        return await self.app.push_screen_wait(run_form(document, self.last_inputs, title, act))


def call_lines(call: Mapping[str, Any]) -> Sequence[Line]:
    """One call of a dry run, in lines."""
    lines: list[Line] = [
        (
            (f" {safe(call['step'], 60)}  ", "strong"),
            (f"{safe(call['friend'], 80)}.{safe(call['task'], 200)}", "active"),
            (f"  on {safe(call['queue'], 80)}" if call["queue"] else "", "dim"),
            (f"  within {safe(call['timeout'], 20)}", "dim"),
        )
    ]
    for number, value in enumerate(call["args"]):
        lines.append(((f"     {number:<12} ", "key"), (compact(value, 2000), "")))
    for name, value in call["kwargs"].items():
        lines.append(((f"     {safe(name, 40):<12} ", "key"), (compact(value, 2000), "")))
    if not call["args"] and not call["kwargs"]:
        lines.append((("     no arguments of its own", "dim"),))
    return lines
