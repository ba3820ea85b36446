"""What the keys do in History: saved filters, marks, comparison, resume, export."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from kimera_tui.errors import UsageError
from kimera_tui.execution.run_inputs import RunInputs
from kimera_tui.runs.compare.comparison import compare
from kimera_tui.runs.search.query import parse
from kimera_tui.runs.search.tree import EVERYTHING, Term, written
from kimera_tui.ui.acts import Acts
from kimera_tui.ui.kimera import Command, Kimera
from kimera_tui.ui.runs.compare_window import CompareRuns
from kimera_tui.ui.runs.filter_windows import FilterPicker, ask_name
from kimera_tui.ui.runs.history_list import HistoryList
from kimera_tui.ui.runs.inputs_form import asked_secrets, run_form
from kimera_tui.ui.runs.replay_flow import document_of_run, secrets_only
from kimera_tui.ui.runs.selection_actions import RunView
from kimera_tui.ui.windows.confirm import Confirm
from kimera_tui.ui.windows.confirm_palette import resuming


class HistoryActions:
    """Searches, compares and resumes past runs.

    Args:
        kimera: The console.
        acts: Resume runs.
        view: Where the run is selected.
        past: The list of past runs.
    """

    def __init__(self, kimera: Kimera, acts: Acts, view: RunView, past: HistoryList) -> None:
        self._kimera = kimera
        self._acts = acts
        self._view = view
        self._past = past

    @property
    def commands(self) -> Mapping[str, Command]:
        """The actions by their names."""
        return {
            "filters": lambda _: self._use_filter(),
            "save-filter": lambda _: self._save_filter(),
            "mark": lambda _: self._mark(),
            "compare": lambda _: self._compare(),
            "resume": self._resume,
            "export": lambda _: self._export(),
        }

    async def _use_filter(self) -> None:
        """Search with a saved filter."""
        name = await self._kimera.ask(FilterPicker(self._kimera.services.filters))
        if name is not None:
            self._past.search.value = written(Term("saved", name))
            self._past.table.focus()

    async def _save_filter(self) -> None:
        """Save the search under a name."""
        filters, line = self._kimera.services.filters, self._past.line
        if parse(line) == EVERYTHING:
            raise UsageError("There is no search to save: type one first (/).")
        existing = {saved.name: saved.line for saved in await filters.list()}
        name = await self._kimera.ask(ask_name(line))
        if name is None:
            return
        await filters.save(name, line)
        instead = f" in place of {existing[name]}" if name in existing else ""
        self._kimera.flash(f"Saved: @{name}{instead}")

    async def _mark(self) -> None:
        """Mark the run under the cursor, or remove its mark."""
        await self._past.is_found.wait()
        self._past.table.toggle_mark()

    async def _compare(self) -> None:
        """Compare the run with the marked one; without a mark, a replay with its original."""
        await self._past.is_found.wait()
        row = self._past.table.selected
        if row is None:
            return
        journal = self._kimera.services.journal
        run = await journal.run(row.run_id)
        other_id = self._past.table.marked or run.parent
        if other_id in ("", row.run_id):
            self._kimera.flash("Mark another run with m first.")
            return
        other = await journal.run(other_id)
        await self._kimera.ask(CompareRuns(await asyncio.to_thread(compare, other, run)))

    async def _resume(self, ask: bool) -> None:
        """Resume an interrupted run; asks again for the secrets that it was given."""
        run = await self._view.selected_run()
        if run is None or run.ended is not None:
            self._kimera.flash("Select a run that has not ended.")
            return
        document, run_inputs = document_of_run(run), RunInputs()
        if document is not None and asked_secrets(document):
            form = run_form(secrets_only(document), {}, "Resume", "Resume")
            if (answer := await self._kimera.ask(form)) is None:
                return
            run_inputs = answer
        if ask and not await self._kimera.ask(Confirm(resuming(run))):
            return
        self._acts.resume(run.run_id, run_inputs)

    async def _export(self) -> None:
        """Write the run with all its events to a file, as JSON."""
        await self._past.is_found.wait()
        if (row := self._past.table.selected) is not None:
            path = await self._kimera.services.runs.export(row.run_id)
            self._kimera.flash(f"Written to {path}")
