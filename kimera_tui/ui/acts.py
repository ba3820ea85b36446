"""What operators do to runs and tasks: confirmed where needed, and answered with a receipt."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from textual.screen import Screen
from textual.worker import Worker

from kimera_tui.config.trust import Access
from kimera_tui.documents.calls import Workflow, friends_of
from kimera_tui.documents.document import Document
from kimera_tui.execution.detach.handover import CannotDetach
from kimera_tui.execution.preflight import tasks_of
from kimera_tui.execution.replay.plan import ReplayRequest
from kimera_tui.execution.replay.uncertain_steps import StepsInDoubt
from kimera_tui.execution.run_inputs import RunInputs
from kimera_tui.runs.index import RunState
from kimera_tui.runs.status import Status
from kimera_tui.runs.step import StepState
from kimera_tui.safetext import safe
from kimera_tui.ui.compose.files import WorkflowFiles
from kimera_tui.ui.kimera import Kimera
from kimera_tui.ui.runs.detach_windows import DetachBlockers
from kimera_tui.ui.windows.confirm import Confirm, Question

_SHOWN = 12
"""Accesses that one question lists."""


class Acts:
    """Acts of the operator of a console. Errors that an operator can cause are raised.

    Args:
        kimera: The console.
        files: Keeps what is composed.
    """

    def __init__(self, kimera: Kimera, files: WorkflowFiles) -> None:
        self._kimera = kimera
        self._services = kimera.services
        self._files = files
        self._starting: Worker[Any] | None = None
        """Waits for the start of the run that was asked for last."""

    # Starting

    def launch(self, workflow: Workflow, question: Question | None = None) -> None:
        """Start a run of calls and watch it in Live.

        Args:
            workflow: The calls.
            question: What to ask first.
        """
        self._kimera.start(self._launch(workflow, question), "send")

    async def _launch(self, workflow: Workflow, question: Question | None) -> None:
        if question is not None and not await self._kimera.ask(Confirm(question)):
            return
        if await self._may_send(workflow.name, friends_of(workflow.root)):
            self._start(partial(self._services.runs.start, workflow))

    def launch_document(self, document: Document, run_inputs: RunInputs, file: Path | None) -> None:
        """Start a run of a document and watch it in Live."""
        self._start(partial(self._services.workflows.run, document, run_inputs, file))

    async def detach_document(
        self, document: Document, run_inputs: RunInputs, file: Path | None
    ) -> None:
        """Detach a run of a document and watch it in Live."""
        if await self._may_send(document.name, {friend for friend, _ in tasks_of(document)}):
            self._start(partial(self._services.workflows.detach, document, run_inputs, file))

    async def may_read(self, document: Document, file: Path | None) -> bool:
        """Whether a document may read what it refers to; asks unless that is allowed already."""
        wanted = await self._services.workflows.wants(document, file)
        if not wanted:
            return True
        where = str(file or f"The workflow `{document.name}`")
        if not await self._kimera.ask(Confirm(_trusting(where, wanted))):
            return False
        await self._services.workflows.allow(document, file)
        return True

    async def ask_to_trust_friends(self) -> None:
        """Ask whether friends.yaml may read what it refers to, unless that is allowed already."""
        wanted = self._services.permissions.friends_want()
        if not wanted:
            return
        file = str(self._services.friends_file)
        if await self._kimera.ask(Confirm(_trusting(file, wanted))):
            self._services.permissions.allow_friends()
        else:
            self._kimera.flash(f"Not allowed. To allow it later: kimera-tui trust {file}")

    async def replay(self, run_id: str, request: ReplayRequest) -> None:
        """Replay a past run and watch it in Live."""
        if await self._may_replay(run_id, request):
            self._start(partial(self._replayed, run_id, request))

    async def _replayed(self, run_id: str, request: ReplayRequest) -> str:
        """Start a replay; steps that may then run twice are asked about."""
        try:
            return await self._services.runs.replay(run_id, request)
        except StepsInDoubt as error:
            text = "\n\n".join(each.sentence for each in error.doubts)
            question = Question(title="Steps that may run twice", text=text, act="Send again")
            if not await self._kimera.ask(Confirm(question)):
                raise
            again = request.again | {each.name for each in error.doubts}
            return await self._services.runs.replay(run_id, replace(request, again=again))

    def resume(self, run_id: str, run_inputs: RunInputs) -> None:
        """Resume an interrupted run and watch it in Live."""

        async def resumed() -> str:
            await self._services.runs.resume(run_id, run_inputs)
            return run_id

        self._start(resumed)

    async def compose_run(self, run_id: str) -> None:
        """Open the document of a run in the composer, and go there."""
        document = await self._services.runs.document_of(run_id)
        await self._kimera.switch_mode("compose")
        if await self._files.may_discard():
            self._kimera.state.composer.open(document)

    def _start(self, start: Callable[[], Awaitable[str]]) -> None:
        """Start a run beside the screen, unless the previous one is still starting."""
        if self._starting is not None and not self._starting.is_finished:
            self._kimera.complain("Not sent: the previous run is still starting.")
            return
        self.mention_wait()
        watch = self._watch(start, self._kimera.screen_stack[0])
        self._starting = self._kimera.start(watch, "launch")

    def mention_wait(self) -> None:
        """Say that the broker is still starting, if it is."""
        broker = self._kimera.state.vitals.broker
        if broker is None or broker.phase == "starting":
            self._kimera.flash("Waiting for the broker.")

    async def _watch(self, start: Callable[[], Awaitable[str]], asked_on: Screen[Any]) -> None:
        """Wait for the start of a run, and show it if the operator is still waiting for it."""
        self._kimera.state.wanted_run = await start()
        if self._kimera.screen is asked_on:
            await self._kimera.switch_mode("live")
        else:
            self._kimera.flash("Run started. Press 3 to watch it.")

    async def _may_replay(self, run_id: str, request: ReplayRequest) -> bool:
        if not any(friend.danger for friend in self._services.friends.values()):
            return True
        planned = await self._services.runs.replay_plan(run_id, request)
        return await self._may_send(planned.name, planned.friends)

    async def _may_send(self, name: str, to: Collection[str]) -> bool:
        """Ask first if a friend is marked as dangerous."""
        friends = self._services.friends
        risky = [each for each in sorted(to) if each in friends and friends[each].danger]
        if not risky or self._services.guard.read_only:
            return True
        question = Question(
            title="Send to a dangerous friend",
            text=f"{name}\n\nMarked as dangerous: {', '.join(risky)}",
            act="Send",
        )
        return await self._kimera.ask(Confirm(question)) != ""

    # Ending

    def before_leaving(self) -> Question | None:
        """What to ask before the console is left; None where nothing is in flight or unsaved."""
        lines = list(self._what_leaving_means())
        if not lines:
            return None
        return Question(
            title="Leave Kimera",
            text="\n\n".join(lines),
            act="Leave",
            choices=("Save and leave", "Leave") if self._kimera.state.composer.unsaved else (),
        )

    async def leave(self, answer: str | None) -> None:
        """Leave the console, if the answer to that question is yes."""
        if answer == "Save and leave":
            self._kimera.start(self._save_and_leave(), "quit")
        elif answer:
            self._kimera.exit()

    async def _save_and_leave(self) -> None:
        await self._kimera.switch_mode("compose")
        if await self._files.save():
            self._kimera.exit()

    def _what_leaving_means(self) -> Iterator[str]:
        composer, in_flight = self._kimera.state.composer, self._kimera.state.in_flight
        if composer.unsaved:
            yield f"The workflow `{composer.document.name}` has unsaved edits."
        if in_flight and self._services.connection.embedded:
            yield f"{in_flight} in flight. The embedded broker and workers stop with the console."
        elif in_flight:
            yield f"{in_flight} in flight. The next console will watch them again."

    async def cancel(self, run: RunState) -> None:
        """Cancel a run; offers to repeat what no worker acknowledged."""
        cancelled = await self._services.runs.cancel(run.run_id)
        self._kimera.flash(cancelled.summary)
        if cancelled.unacknowledged:
            await self._insist(run.name, cancelled.unacknowledged)

    async def stop(self, step: StepState, *, terminate: bool, signal: str) -> None:
        """Revoke a task, and say what that brought; its end is shown when it ends."""
        stopped = await self._services.runs.stop(step.task_id, terminate=terminate, signal=signal)
        if stopped.taken_out:
            self._kimera.flash(f"Taken out of queue {safe(stopped.queue)}: it will never run.")
        elif workers := ", ".join(stopped.workers):
            self._kimera.flash(f"Acknowledged by {safe(workers)}. Watching until it is gone.")
        else:
            await self._insist(step.name, [(step.friend, step.task_id)])

    async def _insist(self, name: str, unheard: Sequence[tuple[str, str]]) -> None:
        """Offer to revoke again and again what no worker acknowledged."""
        count = len(unheard)
        question = Question(
            title="No worker acknowledged the revoke",
            text=f"{name}\n\n{count} task{'s' if count != 1 else ''} revoked, but no worker that"
            " may have them answered. A worker that starts later does not know of it and runs what"
            " is queued."
            "\n\nRepeat the revoke for 10 minutes, also for workers that start meanwhile?",
            act="Keep asking",
        )
        if await self._kimera.ask(Confirm(question)):
            self._kimera.start(self._keep_revoking(unheard), "insist")

    async def _keep_revoking(self, unheard: Sequence[tuple[str, str]]) -> None:
        self._kimera.flash("Repeating the revoke until a worker acknowledges it.")
        outcome = await self._services.runs.keep_revoking(unheard)
        self._kimera.flash(f"Revoked again: {outcome}", 10)

    # Handing over

    async def detach_rest(self, run: RunState) -> None:
        """Detach the rest of a run; lists what prevents it."""
        waiting = {s.friend for s in run.steps.values() if s.status is Status.WAITING}
        if not await self._may_send(run.name, waiting):
            return
        self._kimera.flash("Waiting for the tasks in flight before detaching the rest.")
        try:
            await self._services.runs.detach_rest(run.run_id)
        except CannotDetach as error:
            await self._kimera.ask(
                DetachBlockers(error.blockers, "The run continues in this console.")
            )
        else:
            self._kimera.flash("Detached: the workers have the rest, this console only watches.")


def _trusting(file: str, wanted: Sequence[Access]) -> Question:
    """What to ask before a file that was merely found may read something."""
    shown = [access.sentence for access in wanted[:_SHOWN]]
    if len(wanted) > _SHOWN:
        shown.append(f"And {len(wanted) - _SHOWN} more.")
    text = "\n\n".join([file, "\n".join(shown), "Allow this file to do that from now on?"])
    return Question(title="Trust this file?", text=text, act="Allow")
