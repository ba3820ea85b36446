"""Mode 4: past runs, searched, inspected like live ones, and replayed."""

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
from kimera_tui.execution.run_setup import Given
from kimera_tui.runs.compare.comparison import compare
from kimera_tui.runs.index import RunBook, RunState
from kimera_tui.runs.search.query import ENDED_BADLY, parse
from kimera_tui.runs.search.tree import EVERYTHING, All, Term, written
from kimera_tui.ui.actions import bindings
from kimera_tui.ui.mode_screen import act
from kimera_tui.ui.runs.compare_window import CompareRuns
from kimera_tui.ui.runs.event_lines import event_line
from kimera_tui.ui.runs.event_pane import EventLine
from kimera_tui.ui.runs.filter_windows import FilterPicker, ask_name
from kimera_tui.ui.runs.history_table import HistoryTable
from kimera_tui.ui.runs.inputs_form import asked_secrets, run_form
from kimera_tui.ui.runs.replay_flow import document_of_run, read_run, secrets_only
from kimera_tui.ui.runs.run_screen import RunScreen
from kimera_tui.ui.text import content
from kimera_tui.ui.widgets.lines import LineView
from kimera_tui.ui.widgets.unmarked import PlainInput
from kimera_tui.ui.windows.confirm import Confirm
from kimera_tui.ui.windows.confirm_palette import resuming

TYPING_DELAY = 0.15
"""Seconds without a key before the search starts."""
REST = 0.05
"""Seconds that the cursor rests on a run before it is read."""
HINT = "words  -not  (a or b)  state:failed  exc:text  task:x  friend:x  since:2h  run:id  @filter"
ONLY_BAD = "failed only  ! shows all"


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
        """Set while the list shows the results of the latest search."""
        self._only_bad = False
        self._mentioned = ""
        """The run that was last mentioned as hidden by the search."""
        self._problem = ""
        """The problem of the search or the journal."""
        self._unread = ""
        """Why the run under the cursor could not be read."""

    def compose_list(self) -> ComposeResult:
        """A search line over the list."""
        with Vertical(id="runs"):
            yield PlainInput(placeholder=HINT, id="history-search", compact=True)
            yield HistoryTable(self.kimera.state.selection, id="history-table")

    @property
    def shown_run(self) -> RunState | None:
        """The run under the cursor, if it has been read already."""
        run = self._run
        return run if run is not None and run.run_id == self.table.selected_id else None

    async def selected_run(self) -> RunState | None:
        """The run under the cursor; reads it now if necessary."""
        await self._is_found.wait()
        if self.shown_run is None:
            await self._show_selected()
        return self.shown_run

    @property
    def line(self) -> str:
        """The search: what was typed, combined with whether only failed runs are shown.

        Raises:
            UsageError: what was typed is no valid search.
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
        """Search after ``delay`` seconds, unless there is another search by then."""
        self._is_found.clear()
        self._find(delay)

    @work(exclusive=True, group="history-find")
    async def _find(self, delay: float) -> None:
        await asyncio.sleep(delay)
        try:
            rows = await self.kimera.services.runs(self.line)
        except KimeraError as error:
            self._problem = str(error)
        else:
            self._problem = self.kimera.services.journal_problem
            self.table.show_rows(rows, self.kimera.services.clock.now())
            self._read_selected()
            self._mention_hidden()
        self._note()
        self._is_found.set()

    def _mention_hidden(self) -> None:
        """Say, once for each run, that the search hides the run selected in Live."""
        run_id = self.kimera.state.selection.run_id
        if run_id in ("", self.table.selected_id, self._mentioned):
            return
        self._mentioned = run_id
        if self.search.value or self._only_bad:
            self.kimera.flash("The search hides the run you selected in Live.")

    def _note(self) -> None:
        """Show problems at the list, and whether it is filtered."""
        problem = self._problem or self._unread
        below = [problem, ONLY_BAD if self._only_bad else ""]
        self.table.border_subtitle = _joined(below) or None
        # A short screen has no room for a border below.
        above = [
            "failed only" if self._only_bad else "",
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
                events = await self.kimera.services.events_of(run_id)
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
        """Show only failed runs, or all again."""
        self._only_bad = not self._only_bad
        self._search()

    @act(group="history-filters")
    async def action_filters(self) -> None:
        """Search with a saved filter."""
        name = await self.kimera.ask(FilterPicker(self.kimera.services))
        if name is not None:
            self.search.value = written(Term("saved", name))
            self.table.focus()

    @act(group="history-filters")
    async def action_save_filter(self) -> None:
        """Save the search under a name."""
        services = self.kimera.services
        line = self.line
        if parse(line) == EVERYTHING:
            self.kimera.complain("There is no search to save: type one first (/).")
            return
        before = {saved.name: saved.line for saved in await services.filters()}
        name = await self.kimera.ask(ask_name(line))
        if name is None:
            return
        await services.save_filter(name, line)
        instead = f" in place of {before[name]}" if name in before else ""
        self.kimera.flash(f"Saved: @{name}{instead}")

    @act()
    async def action_mark(self) -> None:
        """Mark the run under the cursor, or remove its mark."""
        await self._is_found.wait()
        self.table.toggle_mark()

    @act(group="history-compare")
    async def action_compare(self) -> None:
        """Compare the run with the marked one; without a mark, a replay with its original."""
        await self._is_found.wait()
        row = self.table.selected
        if row is None:
            return
        run = await read_run(self.kimera, row.run_id)
        other_id = self.table.marked or (run.parent if run is not None else "")
        if other_id in ("", row.run_id):
            self.kimera.flash("Mark another run with m first.")
            return
        other = await read_run(self.kimera, other_id)
        if run is None or other is None:
            gone = row.run_id if run is None else other_id
            self.kimera.complain(f"Run {gone[:8]} is no longer in the journal.")
            return
        self.app.push_screen(CompareRuns(await asyncio.to_thread(compare, other, run)))

    @act()
    async def action_resume(self, ask: bool = False) -> None:
        """Resume an interrupted run; asks again for the secrets that it was given."""
        run = await self.selected_run()
        if run is None or run.ended is not None:
            self.kimera.flash("Select a run that has not ended.")
            return
        document, given = document_of_run(run), Given()
        if document is not None and asked_secrets(document):
            form = run_form(secrets_only(document), {}, "Resume", "Resume")
            if (answer := await self.kimera.ask(form)) is None:
                return
            given = answer
        if ask and not await self.kimera.ask(Confirm(resuming(run))):
            return
        self.kimera.acts.resume(run.run_id, given)

    @act()
    async def action_export(self) -> None:
        """Write the run with all its events to a file, as JSON."""
        await self._is_found.wait()
        if (row := self.table.selected) is not None:
            path = await self.kimera.services.export(row.run_id)
            self.kimera.flash(f"Written to {path}")


def _folded(events: Sequence[object], run_id: str) -> tuple[RunState | None, list[EventLine]]:
    """A run folded from its events, and the events in words."""
    book, lines = RunBook(), []
    for event in events:
        book.apply(event)
        if (line := event_line(event, book)) is not None:
            lines.append(line)
    return book.runs.get(run_id), lines


def _joined(notes: Sequence[str]) -> Content:
    return content("  ·  ".join(filter(None, notes)))
