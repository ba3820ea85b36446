"""What the keys do to a run in flight: decide, detach, cancel, revoke, terminate."""

from __future__ import annotations

from collections.abc import Mapping

from kimera_tui.runs.status import Status
from kimera_tui.runs.step import StepState
from kimera_tui.ui.acts import Acts
from kimera_tui.ui.kimera import Command, Kimera
from kimera_tui.ui.runs.decide import AskDecision, result_form
from kimera_tui.ui.runs.detach_windows import detaching_rest
from kimera_tui.ui.runs.selection_actions import RunView
from kimera_tui.ui.text import safe
from kimera_tui.ui.windows.confirm import Confirm, Question


class LiveActions:
    """Acts on the selected run of Live, each after a question.

    Args:
        kimera: The console.
        acts: Do what is confirmed.
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
            "decide": lambda _: self._decide(),
            "detach-rest": lambda _: self._detach_rest(),
            "cancel-run": lambda _: self._cancel(),
            "revoke": lambda _: self._revoke(terminate=False),
            "terminate": lambda _: self._revoke(terminate=True),
        }

    async def _decide(self) -> None:
        """Decide what became of an uncertain step."""
        run, step = self._view.shown_run, self._view.shown_step
        if run is None or step is None or step.status is not Status.UNCERTAIN:
            self._kimera.flash("Select a step that is uncertain.")
            return
        decision = await self._kimera.ask(AskDecision(step))
        if decision is None:
            return
        result = None
        if decision == "done":
            answer = await self._kimera.ask(result_form(step))
            if answer is None:
                return
            result = answer.result
        await self._kimera.services.runs.decide(run.run_id, step.path, decision, result)

    async def _detach_rest(self) -> None:
        """Detach the rest: let the workers finish the run without this console."""
        run = self._view.shown_run
        if run is None or run.ended is not None or run.detached:
            self._kimera.flash("Select a run that is active in this console.")
        elif await self._kimera.ask(Confirm(detaching_rest(run))):
            await self._acts.detach_rest(run)

    async def _cancel(self) -> None:
        """Revoke what is in flight of the run, and send nothing more of it."""
        run = self._view.shown_run
        if run is None or run.ended is not None:
            self._kimera.flash("This run has ended, so there is nothing to cancel.")
            return
        waiting = sum(step.status is Status.WAITING for step in run.steps.values())
        question = Question(
            title="Cancel the run",
            text=f"{run.name}\n\nIn flight, will be revoked: {run.in_flight}\n"
            f"Not sent yet, never will be: {waiting}\n\nTasks that run already continue.",
            act="Cancel the run",
        )
        if await self._kimera.ask(Confirm(question)):
            await self._acts.cancel(run)

    async def _revoke(self, *, terminate: bool) -> None:
        step = self._view.shown_step
        if step is None or step.sent_at is None or step.status.ended:
            self._kimera.flash("Select a step that is in flight.")
            return
        if terminate and (why_not := self._cannot_terminate(step)):
            self._kimera.flash(why_not)
            return
        act = "Terminate" if terminate else "Revoke"
        question = Question(
            title=f"{act} the task",
            text=f"{step.name}\n{step.task_id}\n\n{_what_it_does(step, terminate=terminate)}",
            act=act,
            choices=("SIGTERM", "SIGKILL", "SIGINT") if terminate else (),
        )
        if not (answer := await self._kimera.ask(Confirm(question))):
            return
        place = self._kimera.state.run_index.place_of(step.task_id)
        if place is None or place[1].status.ended:
            self._kimera.flash("It has ended meanwhile, so nothing was sent.")
        else:
            await self._acts.stop(step, terminate=terminate, signal=answer)

    def _cannot_terminate(self, step: StepState) -> str:
        """Why the worker that has a task can't end it; empty if it can, or is not known."""
        view = self._kimera.state.vitals.view
        if view is None or not step.worker or view.can_terminate(step.worker) is not False:
            return ""
        worker, pool = safe(step.worker, 60), view.pools[step.worker]
        return f"{worker} has a {pool} pool, which can't end a task that runs. R revokes it."


def _what_it_does(step: StepState, *, terminate: bool) -> str:
    """What a revoke does to a task in its present state."""
    worker = safe(step.worker, 60) or "a worker"
    match step.status:
        case Status.RUNNING | Status.PROGRESS if terminate:
            return f"It runs on {worker}: its process is killed. What it did so far stays done."
        case Status.RUNNING | Status.PROGRESS:
            return f"It runs on {worker}, and a revoke does not stop it. T terminates it."
        case Status.RESERVED:
            return f"{worker} has received it, and will skip it."
        case Status.QUEUED:
            return (
                f"It waits in queue {safe(step.queue, 60)}. On Redis its message is taken out, so"
                " that it never runs; elsewhere the workers that are there now will skip it."
            )
    return "A worker that has not started it will skip it; one that runs it continues."
