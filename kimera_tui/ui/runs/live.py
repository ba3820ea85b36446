"""Mode 3: the runs of this console, and the events of the engine as they happen."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType

from kimera_tui.runs.status import Status
from kimera_tui.ui.actions import bindings
from kimera_tui.ui.compose.forms import FormWindow
from kimera_tui.ui.friends.task_form import Field
from kimera_tui.ui.mode_screen import act
from kimera_tui.ui.runs.decide import AskDecision, result_form
from kimera_tui.ui.runs.detach_windows import detaching_rest
from kimera_tui.ui.runs.run_screen import RunScreen
from kimera_tui.ui.windows.confirm import Confirm, Question


class LiveScreen(RunScreen):
    """Watches the runs of this console."""

    SCOPE: ClassVar[str] = "live"
    SCOPES: ClassVar[tuple[str, ...]] = ("live", "runs")
    BINDINGS: ClassVar[list[BindingType]] = bindings("live")

    def on_mount(self) -> None:
        """Show what happened before this mode was opened for the first time."""
        self.events.add(self.kimera.state.take_backlog())

    def draw(self) -> None:
        """Draw everything from the book."""
        super().draw()
        self.events.add(self.kimera.state.take_backlog())
        self._draw_runs()

    def news(self) -> None:
        """Draw what changed."""
        super().news()
        self.events.add(self.kimera.state.take_backlog())
        self._draw_runs()

    def _draw_runs(self) -> None:
        now = self.kimera.services.clock.now()
        state = self.kimera.state
        self.runs.show_book(state.book, now, state.usual_runs, state.take_wanted_run())
        self.draw_steps()

    def draw_steps(self) -> None:
        """Draw the selected run; only its events, if the pane shows those of one run."""
        super().draw_steps()
        if (run := self.shown_run) is not None:
            self.kimera.state.selection.run_id = run.run_id
        wanted = run.run_id if run is not None and self.events.only_run is not None else None
        if wanted != self.events.only_run:
            self.events.show_run(wanted)

    def action_toggle_only_run(self) -> None:
        """Show the events of the selected run only, or of all."""
        run = self.shown_run
        only = self.events.only_run is None and run is not None
        self.events.show_run(run.run_id if only and run is not None else None)

    def action_faults(self) -> None:
        """Show only runs and events with faults, or all again."""
        self.runs.faults_only = not self.runs.faults_only
        self.events.show_only(faults=self.runs.faults_only)
        self._draw_runs()

    def action_follow(self) -> None:
        """Go to the newest run, and follow its events."""
        self.runs.action_top()
        self.events.action_bottom()
        self.runs.focus()

    @act()
    async def action_filter(self) -> None:
        """Ask for words, and show only the events that have them all."""
        field = Field("words", str.strip, self.events.words, "empty shows all")
        form: FormWindow[str] = FormWindow(
            "Filter events", [("", {"words": field})], lambda values: values["words"], act="Filter"
        )
        words = await self.kimera.ask(form)
        if words is not None:
            self.events.show_only(words=words)

    @act()
    async def action_decide(self) -> None:
        """Decide what became of the selected step."""
        run, step = self.shown_run, self.shown_step
        if run is None or step is None or step.status is not Status.UNCERTAIN:
            self.kimera.flash("Select a step that is uncertain.")
            return
        what = await self.kimera.ask(AskDecision(step))
        if what is None:
            return
        result = None
        if what == "done":
            answer = await self.kimera.ask(result_form(step))
            if answer is None:
                return
            result = answer.result
        await self.kimera.services.decide(run.run_id, step.path, what, result)

    @act()
    async def action_detach_rest(self) -> None:
        """Detach the rest of the selected run: the workers finish it without this console."""
        run = self.shown_run
        if run is None or run.ended is not None or run.detached:
            self.kimera.flash("Select a run that is active in this console.")
        elif await self.kimera.ask(Confirm(detaching_rest(run))):
            await self.kimera.acts.detach_rest(run)

    @act()
    async def action_cancel_run(self) -> None:
        """Cancel the selected run: revoke what is in flight, send nothing more."""
        run = self.shown_run
        if run is None or run.ended is not None:
            self.kimera.flash("This run has ended, so there is nothing to cancel.")
            return
        waiting = sum(step.status is Status.WAITING for step in run.steps.values())
        question = Question(
            title="Cancel the run",
            text=f"{run.name}\n\nIn flight, will be revoked: {run.in_flight}\n"
            f"Not sent yet, never will be: {waiting}\n\nTasks that are running already continue.",
            act="Cancel the run",
        )
        if await self.kimera.ask(Confirm(question)):
            await self.kimera.acts.cancel(run)

    def action_revoke(self) -> None:
        """Revoke the selected step: workers that have not started it will skip it."""
        self._revoke(terminate=False)

    def action_terminate(self) -> None:
        """Terminate the selected step while it runs."""
        self._revoke(terminate=True)

    @act()
    async def _revoke(self, *, terminate: bool) -> None:
        step = self.shown_step
        if step is None or step.sent_at is None or step.status.ended:
            self.kimera.flash("Select a step that is in flight.")
            return
        act = "Terminate" if terminate else "Revoke"
        text = f"{step.name}\n{step.task_id}\n\n"
        if terminate:
            text += "The worker process that runs it is killed; what it did so far stays done."
        else:
            text += "A worker that has not started it will skip it; one that runs it continues."
        question = Question(
            title=f"{act} the task",
            text=text,
            act=act,
            choices=("SIGTERM", "SIGKILL", "SIGINT") if terminate else (),
        )
        answer = await self.kimera.ask(Confirm(question))
        if answer:
            await self.kimera.acts.revoke(step, terminate=terminate, signal=answer)
