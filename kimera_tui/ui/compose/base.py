"""The composer's panes, and how they follow the document; what can be done is elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from textual import getters, on, work
from textual.app import ComposeResult
from textual.containers import Container, Vertical

from kimera_tui.documents.addresses import Address, step_at
from kimera_tui.documents.checks import Problem
from kimera_tui.documents.document import Document
from kimera_tui.errors import KimeraError
from kimera_tui.execution.last_run import LastRun
from kimera_tui.ui.compose.composition import Composition
from kimera_tui.ui.compose.detail import NONE, ComposeDetail, Known
from kimera_tui.ui.compose.lookups import parts_of
from kimera_tui.ui.compose.problems import ComposeProblems
from kimera_tui.ui.compose.rows import Row
from kimera_tui.ui.compose.tree import ComposeTree
from kimera_tui.ui.mode_screen import ModeScreen
from kimera_tui.ui.text import content
from kimera_tui.ui.widgets.lines import LineView

REST = 0.05
"""Seconds that the cursor rests on a line before it is told in full."""
CHECK_DELAY = 0.2
"""Seconds without an edit before the document is checked."""


class ComposeBase(ModeScreen):
    """Shows the document that is composed."""

    steps = getters.query_one("#compose-tree", ComposeTree)
    detail = getters.query_one("#compose-detail", ComposeDetail)
    problems = getters.query_one("#compose-problems", ComposeProblems)

    def __init__(self) -> None:
        super().__init__()
        self._shown: Composition | None = None
        self._found: Sequence[Problem] = ()
        self._checked: Document | None = None
        self._last: LastRun | None = None
        self._last_of: tuple[str, int] | None = None

    def compose_content(self) -> ComposeResult:
        """The tree, beside or over it the selected line in full; below what is wrong."""
        with Vertical(id="compose"):
            with Container(id="compose-panes"):
                yield ComposeTree(id="compose-tree")
                yield ComposeDetail(id="compose-detail")
            yield ComposeProblems(id="compose-problems")

    def on_mount(self) -> None:
        """Name the panes."""
        self.problems.border_title = "Problems · n goes to the next"
        self.problems.display = False
        super().on_mount()

    @property
    def composition(self) -> Composition:
        """What is composed."""
        return self.kimera.composition

    @property
    def document(self) -> Document:
        """The document as it stands."""
        return self.composition.document

    @property
    def row(self) -> Row:
        """The line under the cursor."""
        return self.steps.row

    @property
    def here(self) -> Address:
        """The address of the step under the cursor; empty where there is none."""
        return self.row.address if self.row.kind == "step" else ()

    # Following the document

    def draw(self) -> None:
        """Draw the document, if it is another than the one that is shown."""
        super().draw()
        self._learn_last_run()
        if self._shown is not self.composition:
            self.show_composition()

    def show_composition(self) -> None:
        """Draw the document, with the cursor where its history has it."""
        made = self._shown = self.composition
        stays = not made.history.cursor and self.row.kind in ("header", "inputs")
        stored = made.stored
        file = stored.path.name if stored is not None else ""
        self.steps.friends = self.kimera.services.friends
        self.steps.show_document(
            made.document, None if stays else made.history.cursor, file, made.unsaved
        )
        self._name_panes()
        self._draw_detail()
        if made.document is not self._checked:
            self._check()

    def put(self, composition: Composition) -> None:
        """Take another composition."""
        self.kimera.composition = composition
        self.show_composition()

    def change(self, document: Document, cursor: Address) -> None:
        """Take an edit."""
        self.put(self.composition.edited(document, cursor))

    def _name_panes(self) -> None:
        made = self.composition
        self.steps.border_title = content(
            f"{'● ' if made.unsaved and made.document.steps else ''}{made.document.name}", 80
        )
        count = len(self._found)
        waiting = made.document is not self._checked
        words = f"⚠ {count} problem{'s' if count != 1 else ''}" if count else ""
        self.steps.border_subtitle = content("…" if waiting and not count else words)
        row = self.row
        title = row.step.id if row.step is not None else self._title_of(row)
        self.detail.border_title = content(title)

    @staticmethod
    def _title_of(row: Row) -> str:
        if row.kind == "heading":
            return "Finally" if row.address[-1] == "finally" else "On error"
        return "Inputs" if row.kind == "inputs" else "Workflow"

    @property
    def _is_stale(self) -> bool:
        """Whether another mode has put another document here, which is drawn when it is shown."""
        return self._shown is None or self._shown.document is not self.document

    def _draw_detail(self) -> None:
        if self._is_stale:
            return
        known = Known(self.kimera.services.friends, self._last or NONE, self._found)
        self.detail.show_row(self.document, self.row, known)
        self.steps.show_parts(parts_of(self.document, self.row))

    @on(LineView.Selected, "#compose-tree")
    def _line_selected(self) -> None:
        if self._is_stale:
            return
        made = self.composition
        self._shown = self.kimera.composition = Composition(
            made.history.at(self.here), made.kept, made.stored
        )
        self._rest()

    @work(exclusive=True, group="compose-rest")
    async def _rest(self) -> None:
        """Tell a line in full once the cursor rests on it."""
        await asyncio.sleep(REST)
        if self._is_stale:
            return
        self._name_panes()
        self._draw_detail()

    # What is wrong with it

    @work(exclusive=True, group="compose-check")
    async def _check(self) -> None:
        # Workers that are given something keep its repr: of a large document that takes long.
        document = self.document
        await asyncio.sleep(CHECK_DELAY)
        found = await self.kimera.services.workflows.problems(document)
        if document is not self.document or self._is_stale:
            return
        if not document.steps:  # that they are missing is what the empty tree says
            found = [problem for problem in found if problem.path[:1] != ("steps",)]
        found = sorted(found, key=lambda problem: self.steps.place_in(problem.path))
        self._checked, self._found = document, found
        self.steps.show_problems({problem.step for problem in found if problem.step})
        self.problems.show_problems(found)
        self.problems.display = bool(found)
        self._name_panes()
        self._draw_detail()

    @on(LineView.Opened, "#compose-problems")
    def _problem_opened(self) -> None:
        self.go_to_problem(self.problems.selected)
        self.steps.focus()

    @on(LineView.Selected, "#compose-problems")
    def _problem_selected(self) -> None:
        self.go_to_problem(self.problems.selected)

    def go_to_problem(self, problem: Problem | None) -> None:
        """Put the cursor on the step that a problem is about."""
        if problem is not None:
            self.steps.move_cursor(self.steps.place_in(problem.path))

    def action_next_problem(self) -> None:
        """Put the cursor on the next step with a problem, from the top again after the last."""
        if not self._found:
            self.kimera.flash("No problems.")
            return
        places = sorted({self.steps.place_in(problem.path) for problem in self._found})
        after = [place for place in places if place > self.steps.cursor]
        self.steps.move_cursor((after or places)[0])

    # What the last run was

    def news(self) -> None:
        """A run that ended may be the last one of what is composed."""
        super().news()
        self._learn_last_run()
        if self._is_stale:
            self.show_composition()

    def _learn_last_run(self) -> None:
        """Read the last run of a workflow of this name, if that may be another than before."""
        name = self.document.name
        wanted = (name, self.kimera.ended_runs[name])
        if self._last_of != wanted:
            self._last_of = wanted
            self._read_last_run(name)

    @work(exclusive=True, group="compose-last")
    async def _read_last_run(self, name: str) -> None:
        try:
            self._last = await self.kimera.services.workflows.last_run(name)
        except KimeraError:  # a journal that can't be read knows none
            self._last = None
        self._draw_detail()

    @property
    def last_inputs(self) -> Mapping[str, Any]:
        """The inputs of the last run."""
        return self._last.inputs if self._last is not None else {}

    def step_here(self) -> Address | None:
        """The address of the step under the cursor, or a word about it."""
        if self.row.kind == "step" and step_at(self.document, self.here):
            return self.here
        self.kimera.flash("Put the cursor on a step.")
        return None
