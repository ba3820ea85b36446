"""Mode 2: a workflow, composed as a tree of steps, checked, saved and run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import ClassVar

from textual import getters, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Vertical

from kimera_tui.errors import KimeraError
from kimera_tui.ui.actions import bindings
from kimera_tui.ui.compose.composer import Composer
from kimera_tui.ui.compose.detail import NONE, Known, describe
from kimera_tui.ui.compose.edit_actions import EditActions
from kimera_tui.ui.compose.lookups import parts_of
from kimera_tui.ui.compose.problems import ComposeProblems
from kimera_tui.ui.compose.run_actions import RunActions
from kimera_tui.ui.compose.tree import ComposeTree
from kimera_tui.ui.kimera import Command
from kimera_tui.ui.mode_screen import ModeScreen
from kimera_tui.ui.runs.replay_flow import ask_past_replay
from kimera_tui.ui.text import content
from kimera_tui.ui.widgets.lines import LineView
from kimera_tui.ui.widgets.panes import TextPane

REST = 0.05
"""Seconds that the cursor rests on a line before its details are shown."""
CHECK_DELAY = 0.2
"""Seconds without an edit before the document is checked."""
LOOK_EVERY = 2.0
"""Seconds between two looks at the file while the composer is shown."""


class ComposeScreen(ModeScreen):
    """Shows the composer of the console, and follows its changes."""

    SCOPE: ClassVar[str] = "compose"
    SCOPES: ClassVar[tuple[str, ...]] = ("compose",)
    BINDINGS: ClassVar[list[BindingType]] = bindings("compose")
    AUTO_FOCUS: ClassVar[str | None] = "#compose-tree"

    steps = getters.query_one("#compose-tree", ComposeTree)
    detail = getters.query_one("#compose-detail", TextPane)
    problems = getters.query_one("#compose-problems", ComposeProblems)

    def compose_content(self) -> ComposeResult:
        """The tree, beside or above the selected line in full; below the problems."""
        with Vertical(id="compose"):
            with Container(id="compose-panes"):
                yield ComposeTree(id="compose-tree")
                yield TextPane(id="compose-detail")
            yield ComposeProblems(id="compose-problems")

    def on_mount(self) -> None:
        """Follow the composer, and look at its file now and then."""
        self.problems.border_title = "Problems · n goes to the next"
        self.problems.display = False
        self.composer.watch(self.show)
        self.set_interval(LOOK_EVERY, self.look_at_file)

    @property
    def composer(self) -> Composer:
        """What is shown."""
        return self.kimera.state.composer

    @property
    def commands(self) -> Mapping[str, Command]:
        """The actions by their names."""
        return {
            **EditActions(self.kimera, self.steps).commands,
            **RunActions(self.kimera, self.kimera.acts, self.steps).commands,
            **self.kimera.files.commands,
            "open": lambda _: self._open_saved(),
        }

    @on(LineView.Opened, "#compose-tree")
    async def _opened(self) -> None:
        await self.action_do("edit")

    # Following the composer

    def draw(self) -> None:
        """Draw the document."""
        super().draw()
        self.show()

    def show(self) -> None:
        """Draw the document as it is now, with the cursor where the composer has it."""
        if not self.is_drawable:
            return
        composer = self.composer
        file = composer.file.name if composer.file is not None else ""
        self.steps.friends = self.kimera.services.friends
        self.steps.show_document(composer.document, composer.cursor, file, composer.unsaved)
        self._name_panes()
        self._draw_detail()
        if not composer.is_checked:
            self._check()
        self.read_last_run()

    def _name_panes(self) -> None:
        composer = self.composer
        mark = "● " if composer.unsaved and composer.document.steps else ""
        self.steps.border_title = content(f"{mark}{composer.document.name}", 80)
        count = len(composer.problems)
        words = f"⚠ {count} problem{'s' if count != 1 else ''}" if count else ""
        self.steps.border_subtitle = content(words if count or composer.is_checked else "…")
        self.detail.border_title = content(self.steps.row.title)

    def _draw_detail(self) -> None:
        composer, row = self.composer, self.steps.row
        friends = self.kimera.services.friends
        known = Known(friends, composer.last_run or NONE, composer.problems)
        self.detail.show(describe(composer.document, row, known))
        self.steps.show_parts(parts_of(composer.document, row))

    @on(LineView.Selected, "#compose-tree")
    def _line_selected(self) -> None:
        row = self.steps.row
        self.composer.cursor = row.address if row.kind == "step" else ()
        self._rest()

    @work(exclusive=True, group="compose-rest")
    async def _rest(self) -> None:
        """Show a line in full once the cursor rests on it."""
        await asyncio.sleep(REST)
        self._name_panes()
        self._draw_detail()

    # Problems

    @work(exclusive=True, group="compose-check")
    async def _check(self) -> None:
        # Workers keep the repr of their arguments, which takes long for a large document.
        document = self.composer.document
        await asyncio.sleep(CHECK_DELAY)
        found = await self.kimera.services.workflows.problems(document)
        if not document.steps:  # the empty tree says so itself
            found = [problem for problem in found if problem.path[:1] != ("steps",)]
        found = sorted(found, key=lambda problem: self.steps.place_in(problem.path))
        if not self.composer.take_problems(document, found):
            return
        self.steps.show_problems({problem.step for problem in found if problem.step})
        self.problems.show(found)
        self.problems.display = bool(found)
        self._name_panes()
        self._draw_detail()

    @on(LineView.Opened, "#compose-problems")
    def _problem_opened(self) -> None:
        self._problem_selected()
        self.steps.focus()

    @on(LineView.Selected, "#compose-problems")
    def _problem_selected(self) -> None:
        if (problem := self.problems.selected) is not None:
            self.steps.go_to(problem)

    def action_next_problem(self) -> None:
        """Put the cursor on the next step with a problem, from the top again after the last."""
        if not self.composer.problems:
            self.kimera.flash("No problems.")
            return
        places = sorted({self.steps.place_in(each.path) for each in self.composer.problems})
        after = [place for place in places if place > self.steps.cursor]
        self.steps.move_cursor((after or places)[0])

    # The last run

    def news(self) -> None:
        """Draw what happened; a run of this workflow may have ended."""
        super().news()
        self.read_last_run()

    def read_last_run(self) -> None:
        """Read the last run of this workflow, unless that has been done."""
        if (name := self.composer.last_run_to_read()) is not None:
            self._read_last_run(name)

    @work(exclusive=True, group="compose-last")
    async def _read_last_run(self, name: str) -> None:
        try:
            self.composer.last_run = await self.kimera.services.workflows.last_run(name)
        except KimeraError:  # a journal that cannot be read has none
            self.composer.last_run = None
        self._draw_detail()

    # The file

    async def _open_saved(self) -> None:
        """Ask for a saved workflow, and open, run, replay or edit it."""
        picked = await self.kimera.files.pick()
        if picked is None:
            return
        saved, wanted = picked
        if wanted == "replay":
            if (replay := await ask_past_replay(self.kimera, saved.last_run)) is not None:
                await self.kimera.acts.replay(saved.last_run, replay)
        elif await self.kimera.files.open(saved.path, edit=wanted == "edit"):
            self.steps.focus()
            if wanted == "run":
                await self.action_do("run")

    @work(exclusive=True, group="compose-look")
    async def look_at_file(self) -> None:
        """Reload the file if somebody else wrote it."""
        if not self.is_active or (stored := await self.kimera.files.changed_on_disk()) is None:
            return
        if self.is_active:  # else a window has opened that is about what is shown
            self.composer.reload(stored)
            self.kimera.flash("Reloaded: the file changed on disk. Press u to undo.")
