"""Mode 4: every run of the past, searched, inspected as if it were live, and replayed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from textual import getters, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input

from kimera_tui.errors import KimeraError
from kimera_tui.execution.run_inputs import Given
from kimera_tui.runs.compare.comparison import compare
from kimera_tui.runs.index import RunBook, RunState
from kimera_tui.runs.search.query import ENDED_BADLY, parse
from kimera_tui.runs.search.tree import EVERYTHING, All, Term, written
from kimera_tui.ui.actions import bindings
from kimera_tui.ui.runs.compare_window import CompareRuns
from kimera_tui.ui.runs.event_lines import event_line
from kimera_tui.ui.runs.event_pane import EventLine
from kimera_tui.ui.runs.filter_windows import FilterPicker, ask_name
from kimera_tui.ui.runs.history_table import HistoryTable
from kimera_tui.ui.runs.inputs_form import asked_secrets, run_form
from kimera_tui.ui.runs.replay_flow import document_of_run, secrets_only
from kimera_tui.ui.runs.run_screen import RunScreen
from kimera_tui.ui.text import content
from kimera_tui.ui.widgets.lines import LineView
from kimera_tui.ui.widgets.plain import PlainInput
from kimera_tui.ui.windows.confirm import Confirm
from kimera_tui.ui.windows.confirm_palette import resuming

TYPING_DELAY = 0.15
"""Seconds without a key before what was typed is searched."""
REST = 0.05
"""Seconds that the cursor rests on a run before it is read."""
HINT = "words  -not  (a or b)  state:failed  exc:text  task:x  friend:x  since:2h  run:id  @filter"
ONLY_BAD = "only what ended badly  ! shows all"


class HistoryScreen(RunScreen):
    """Shows runs from the journal, with the same fold and the same panes as Live."""

    SCOPE: ClassVar[str] = "history"
    SCOPES: ClassVar[tuple[str, ...]] = ("history", "runs")
    BINDINGS: ClassVar[list[BindingType]] = bindings("history")
    AUTO_FOCUS: ClassVar[str | None] = "#history-table"

    table = getters.query_one(HistoryTable)
    search = getters.query_one("#history-search", PlainInput)

    def __init__(self) -> None:
        super().__init__()
        self._run: RunState | None = None
        self._is_found = asyncio.Event()
        """Whether the list shows what was searched for last."""
        self._only_bad = False
        self._told_hidden = ""
        """The run that was last said to be hidden by the search."""
        self._problem = ""
        """What is wrong with the search or the journal."""
        self._unread = ""
        """Why the run under the cursor could not be read."""

    def compose_list(self) -> ComposeResult:
        """A search line over the list."""
        with Vertical(id="runs"):
            yield PlainInput(placeholder=HINT, id="history-search", compact=True)
            yield HistoryTable(self.kimera.looked_at, id="history-table")

    @property
    def shown_run(self) -> RunState | None:
        """The run under the cursor, if that has been read already."""
        run = self._run
        return run if run is not None and run.run_id == self.table.selected_id else None

    async def selected_run(self) -> RunState | None:
        """The run under the cursor, read now if it has not been."""
        await self._is_found.wait()
        if self.shown_run is None:
            await self._show_selected()
        return self.shown_run

    @property
    def line(self) -> str:
        """What is searched: what was typed, of the runs that are let through.

        Raises:
            UsageError: what was typed can't be read.
        """
        if not self._only_bad:
            return self.search.value.strip()
        typed = parse(self.search.value)
        return written(ENDED_BADLY if typed == EVERYTHING else All((ENDED_BADLY, typed)))

    def draw(self) -> None:
        """Search again: there may be new runs."""
        super().draw()
        self._search()

    @on(Input.Changed, "#history-search")
    def _typed(self) -> None:
        self._search(TYPING_DELAY)

    @on(Input.Submitted, "#history-search")
    def _done_typing(self) -> None:
        self.table.focus()

    @on(LineView.Selected, "HistoryTable")
    def _row_selected(self) -> None:
        self._read_selected()

    @on(LineView.Opened, "HistoryTable")
    def _row_opened(self) -> None:
        self.focus_steps()

    def _search(self, delay: float = 0) -> None:
        """Search, once nothing has been typed for ``delay`` seconds."""
        self._is_found.clear()
        self._find(delay)

    @work(exclusive=True, group="history-find")
    async def _find(self, delay: float) -> None:
        await asyncio.sleep(delay)
        try:
            rows = await self.kimera.services.runs.search(self.line)
        except KimeraError as error:
            self._problem = str(error)
        else:
            self._problem = self.kimera.services.journal.problem
            self.table.show_rows(rows, self.kimera.services.clock.now())
            self._read_selected()
            self._tell_hidden()
        self._note()
        self._is_found.set()

    def _tell_hidden(self) -> None:
        """Say, once a run, that the search hides the run that was looked at in Live."""
        run_id = self.kimera.looked_at.run_id
        if run_id in ("", self.table.selected_id, self._told_hidden):
            return
        self._told_hidden = run_id
        if self.search.value or self._only_bad:
            self.kimera.flash("The run you looked at is not among these: the search hides it.")

    def _note(self) -> None:
        """Say at the list what is wrong, and that it is not the whole."""
        problem = self._problem or self._unread
        below = [problem, ONLY_BAD if self._only_bad else ""]
        self.table.border_subtitle = _joined(below) or None
        # A short screen has no room for a border below.
        above = [
            "ended badly" if self._only_bad else "",
            problem if self.has_class("-short") else "",
        ]
        self.table.border_title = _joined(["History", *above])

    @work(exclusive=True, group="history-read")
    async def _read_selected(self) -> None:
        await asyncio.sleep(REST)
        await self._show_selected()

    async def _show_selected(self) -> None:
        """Read the run under the cursor, and show it if the cursor is still there."""
        run_id, self._unread = self.table.selected_id, ""
        run: RunState | None = None
        lines: list[EventLine] = []
        try:
            if run_id:
                events = await self.kimera.services.journal.events_of(run_id)
                run, lines = await asyncio.to_thread(_folded, events, run_id)
        except KimeraError as error:
            self._unread = str(error)
        if run_id == self.table.selected_id:
            self._run = run
            self._note()
            self.events.replace(lines)
            self.draw_steps()

    def action_search(self) -> None:
        """Go to the search line."""
        self.search.focus()

    def action_to_list(self) -> None:
        """Go back to the list, and from there clear the search."""
        if self.table.has_focus:
            self.search.value = ""
        self.table.focus()

    def action_toggle_only_bad(self) -> None:
        """Let only those runs through that ended badly, or all again."""
        self._only_bad = not self._only_bad
        self._search()

    @work(exclusive=True, group="history-filters")
    async def action_filters(self) -> None:
        """Search with a saved filter."""
        name = await self.app.push_screen_wait(FilterPicker(self.kimera.services.filters))
        if name is not None:
            self.search.value = written(Term("saved", name))
            self.table.focus()

    @work(exclusive=True, group="history-filters")
    async def action_save_filter(self) -> None:
        """Save the search under a name."""
        filters = self.kimera.services.filters
        try:
            line = self.line
            if parse(line) == EVERYTHING:
                self.kimera.complain("There is no search to save: type one first (/).")
                return
            before = {saved.name: saved.line for saved in await filters.list()}
            name = await self.app.push_screen_wait(ask_name(line))
            if name is None:
                return
            await filters.save(name, line)
        except KimeraError as error:
            self.kimera.complain(str(error))
            return
        instead = f" in place of {before[name]}" if name in before else ""
        self.kimera.flash(f"Saved: @{name}{instead}")

    @work
    async def action_mark(self) -> None:
        """Mark the run under the cursor, or take its mark away."""
        await self._is_found.wait()
        self.table.toggle_mark()

    @work(exclusive=True, group="history-compare")
    async def action_compare(self) -> None:
        """Compare the run with the marked one; without a mark, a replay with what it replays."""
        await self._is_found.wait()
        row = self.table.selected
        if row is None:
            return
        try:
            run = await self.kimera.services.journal.run(row.run_id)
            other_id = self.table.marked or run.parent
            if other_id in ("", row.run_id):
                self.kimera.flash("Mark another run with m first.")
                return
            other = await self.kimera.services.journal.run(other_id)
        except KimeraError as error:
            self.kimera.complain(str(error))
            return
        self.app.push_screen(CompareRuns(await asyncio.to_thread(compare, other, run)))

    @work
    async def action_resume(self, ask: bool = False) -> None:
        """Go on with a run that its console left; secrets that it was given are asked for again."""
        run = await self.selected_run()
        if run is None or run.ended is not None:
            self.kimera.flash("Select a run that has not ended.")
            return
        document, given = document_of_run(run), Given()
        if document is not None and asked_secrets(document):
            form = run_form(secrets_only(document), {}, "Resume", "Go on")
            if (answer := await self.app.push_screen_wait(form)) is None:
                return
            given = answer
        if ask and not await self.app.push_screen_wait(Confirm(resuming(run))):
            return
        await self.kimera.acts.resume(run.run_id, given)

    @work
    async def action_export(self) -> None:
        """Write the run with all its events to a file, as JSON."""
        await self._is_found.wait()
        if (row := self.table.selected) is not None:
            try:
                path = await self.kimera.services.runs.export(row.run_id)
            except KimeraError as error:
                self.kimera.complain(str(error))
                return
            self.kimera.flash(f"Written to {path}")


def _folded(events: Sequence[object], run_id: str) -> tuple[RunState | None, list[EventLine]]:
    """A run as its events tell it, and these in words."""
    book, lines = RunBook(), []
    for event in events:
        book.apply(event)
        if (line := event_line(event, book)) is not None:
            lines.append(line)
    return book.runs.get(run_id), lines


def _joined(notes: Sequence[str]) -> Content:
    return content("  ·  ".join(filter(None, notes)))
