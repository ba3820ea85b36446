"""What the keys do to the selected run or step, in Live and in History."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

from kimera_tui.errors import UsageError
from kimera_tui.runs.index import RunState
from kimera_tui.runs.step import StepState
from kimera_tui.ui.acts import Acts
from kimera_tui.ui.kimera import Command, Kimera
from kimera_tui.ui.runs.payload_view import text_for_file, yankable
from kimera_tui.ui.runs.replay_flow import ask_replay


class RunView(Protocol):
    """Where a run and a step are selected."""

    @property
    def shown_run(self) -> RunState | None:
        """The run whose steps are shown."""

    @property
    def shown_step(self) -> StepState | None:
        """Its selected step."""

    async def selected_run(self) -> RunState | None:
        """The run under the cursor, once it is shown; None if there is none."""


class SelectionActions:
    """Copies, saves, composes and replays what is selected.

    Args:
        kimera: The console.
        acts: Start runs.
        view: Where the run is selected.
    """

    def __init__(self, kimera: Kimera, acts: Acts, view: RunView) -> None:
        self._kimera = kimera
        self._acts = acts
        self._view = view

    @property
    def commands(self) -> Mapping[str, Command]:
        """The actions by their names."""
        return {
            "to-workflow": lambda _: self._compose(),
            "yank": lambda _: self._yank(),
            "save-value": lambda _: self._save_value(),
            "replay": self._replay,
        }

    async def _compose(self) -> None:
        """Open the run in the composer, as a workflow."""
        if (run := await self._view.selected_run()) is None:
            self._kimera.flash("Select a run to open in the composer.")
        else:
            await self._acts.compose_run(run.run_id)

    async def _yank(self) -> None:
        """Copy the result or error of the step."""
        run, step = await self._view.selected_run(), self._view.shown_step
        if run is None or step is None:
            self._kimera.flash("Select a step to copy its result.")
            return
        self._kimera.copy_to_clipboard(await asyncio.to_thread(yankable, step, run))
        self._kimera.flash("Copied.")

    async def _save_value(self) -> None:
        """Write the result or error of the step to a file, without its secrets."""
        run, step = await self._view.selected_run(), self._view.shown_step
        if run is None or step is None or not step.status.ended:
            self._kimera.flash("Select a step that has ended.")
            return
        where = step.id or step.path.replace("/", "-") or "0"
        name = f"run-{run.run_id[:8]}-{where}.{'txt' if step.error_type else 'json'}"
        text = await asyncio.to_thread(text_for_file, step, run)
        path = await self._kimera.services.runs.save_value(name, text)
        self._kimera.flash(f"Written to {path}")

    async def _replay(self, ask: bool) -> None:
        """Replay the run: whole, from what failed, from the step, or only the step."""
        run = await self._view.selected_run()
        if run is None:
            self._kimera.flash("Select a run to replay.")
        elif run.ended is None:
            raise UsageError("This run has not ended yet: replay it when it has.")
        else:
            request = await ask_replay(self._kimera, run, self._view.shown_step, ask=ask)
            if request is not None:
                await self._acts.replay(run.run_id, request)
