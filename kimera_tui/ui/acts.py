"""What operators do to runs and tasks: asked for where need be, and told with a receipt."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from textual.screen import Screen
from textual.worker import Worker

from kimera_tui.config.trust import Access
from kimera_tui.documents.calls import Workflow, friends_of
from kimera_tui.documents.document import Document
from kimera_tui.errors import KimeraError
from kimera_tui.execution.detach.handover import CannotDetach
from kimera_tui.execution.preflight import tasks_of
from kimera_tui.execution.replay import Wish
from kimera_tui.execution.run_inputs import Given
from kimera_tui.execution.runner import Decision
from kimera_tui.execution.uncertain_steps import StepsInDoubt
from kimera_tui.runs.index import RunState
from kimera_tui.runs.state import StepState
from kimera_tui.runs.status import Status
from kimera_tui.ui.compose.composition import opened
from kimera_tui.ui.runs.detach_windows import Stops
from kimera_tui.ui.windows.confirm import Confirm, Question

if TYPE_CHECKING:
    from kimera_tui.ui.app import KimeraApp
    from kimera_tui.ui.compose.screen import ComposeScreen

_SHOWN = 12
"""Requests that one question lists."""


class Acts:
    """Acts of the operator of a console.

    Args:
        app: The console, which has the services and shows what became of them.
    """

    def __init__(self, app: KimeraApp) -> None:
        self._app = app
        self._services = app.services
        self._starting: Worker[None] | None = None
        """Waits for the run that was started last to begin."""

    # Starting

    def launch(self, workflow: Workflow, question: Question | None = None) -> None:
        """Start a run of calls and watch it in Live.

        Args:
            workflow: The calls.
            question: What is asked before.
        """
        self._app.run_worker(self._launch(workflow, question), group="send")

    async def _launch(self, workflow: Workflow, question: Question | None) -> None:
        if question is not None and not await self._app.push_screen_wait(Confirm(question)):
            return
        if await self._may_send(workflow.name, friends_of(workflow.root)):
            self._start(partial(self._services.runs.start, workflow))

    async def launch_document(self, document: Document, given: Given, file: Path | None) -> None:
        """Start a run of a document and watch it in Live."""
        self._start(partial(self._services.workflows.run, document, given, file))

    async def detach_document(self, document: Document, given: Given, file: Path | None) -> None:
        """Hand a run of a document to the workers, and watch it in Live."""
        if await self._may_send(document.name, {friend for friend, _ in tasks_of(document)}):
            self._start(partial(self._services.workflows.detach, document, given, file))

    async def may_read(self, document: Document, file: Path | None) -> bool:
        """Whether a document may read what it asks for; asks where nobody has allowed it yet."""
        try:
            wanted = await self._services.workflows.wants(document, file)
            if not wanted:
                return True
            where = str(file or f"The workflow `{document.name}`")
            if not await self._app.push_screen_wait(Confirm(_trusting(where, wanted))):
                return False
            await self._services.workflows.allow(document, file)
        except KimeraError as error:
            self._app.complain(str(error))
            return False
        return True

    async def ask_to_trust_friends(self) -> None:
        """Ask whether friends.yaml may read what it asks for, where nobody has allowed it yet."""
        try:
            wanted = self._services.permissions.friends_want()
            if not wanted:
                return
            file = str(self._services.friends_file)
            if await self._app.push_screen_wait(Confirm(_trusting(file, wanted))):
                self._services.permissions.allow_friends()
            else:
                self._app.flash(f"Not allowed. kimera-tui trust {file} allows it later.")
        except KimeraError as error:
            self._app.complain(str(error))

    async def replay(self, run_id: str, wish: Wish) -> None:
        """Run a past run again, and watch it in Live."""
        if await self._may_replay(run_id, wish):
            self._start(partial(self._replayed, run_id, wish))

    async def _replayed(self, run_id: str, wish: Wish) -> str:
        """Start a replay, after a question about steps that may run twice."""
        try:
            return await self._services.runs.replay(run_id, wish)
        except StepsInDoubt as error:
            text = "\n\n".join(each.sentence for each in error.doubts)
            question = Question(title="Steps that may run twice", text=text, act="Send again")
            if not await self._app.push_screen_wait(Confirm(question)):
                raise
            again = wish.again | {each.name for each in error.doubts}
            return await self._services.runs.replay(run_id, replace(wish, again=again))

    async def resume(self, run_id: str, given: Given) -> None:
        """Go on with a run that its console left, and watch it in Live."""

        async def resumed() -> str:
            await self._services.runs.resume(run_id, given)
            return run_id

        self._start(resumed)

    async def compose_run(self, run_id: str) -> None:
        """Put the document that a run began with into the composer, and go there."""
        try:
            document = await self._services.runs.document_of(run_id)
        except KimeraError as error:
            self._app.complain(str(error))
            return
        composer = await self._composer()
        if await composer.may_let_go():
            composer.put(opened(document))

    async def _composer(self) -> ComposeScreen:
        await self._app.switch_mode("compose")
        return cast("ComposeScreen", self._app.screen)

    def _start(self, start: Callable[[], Awaitable[str]]) -> None:
        """Start a run beside the screen, unless another one has yet to begin."""
        if self._starting is not None and not self._starting.is_finished:
            self._app.complain("Nothing was sent: the run before has not begun yet.")
            return
        self.tell_wait()
        watch = self._watch(start, self._app.screen_stack[0])
        self._starting = self._app.run_worker(watch, group="launch")

    def tell_wait(self) -> None:
        """Say that the broker is waited for, if it is."""
        broker = self._app.vitals.broker
        if broker is None or broker.phase == "starting":
            self._app.flash("Waiting for the broker.")

    async def _watch(self, start: Callable[[], Awaitable[str]], asked_on: Screen[Any]) -> None:
        """Wait until a run has begun, and show it to who waits for it too."""
        try:
            self._app.wanted_run = await start()
        except KimeraError as error:
            self._app.complain(str(error))
            return
        if self._app.screen is asked_on:
            await self._app.switch_mode("live")
        else:
            self._app.flash("The run has begun: 3 shows it.")

    async def _may_replay(self, run_id: str, wish: Wish) -> bool:
        if not any(friend.danger for friend in self._services.friends.values()):
            return True
        try:
            planned = await self._services.runs.replay_plan(run_id, wish)
        except KimeraError as error:
            self._app.complain(str(error))
            return False
        return await self._may_send(planned.name, planned.friends)

    async def _may_send(self, name: str, to: Collection[str]) -> bool:
        """Ask first where a friend is marked as dangerous."""
        friends = self._services.friends
        risky = [each for each in sorted(to) if each in friends and friends[each].danger]
        if not risky or self._services.guard.read_only:
            return True
        question = Question(
            title="Send to a dangerous friend",
            text=f"{name}\n\nMarked as dangerous: {', '.join(risky)}",
            act="Send",
        )
        return await self._app.push_screen_wait(Confirm(question)) != ""

    # Ending

    def leave(self, in_flight: int) -> None:
        """Leave the console; with so many tasks in flight, or edits to lose, after asking."""
        unsaved = self._app.composition.unsaved
        if not in_flight and not unsaved:
            self._app.exit()
            return
        question = Question(
            title="Leave Kimera",
            text="\n\n".join(self._what_leaving_means(in_flight)),
            act="Leave",
            choices=("Save and leave", "Leave") if unsaved else (),
        )
        # Without a worker in between: keys typed ahead are for the question, not the mode below.
        self._app.push_screen(Confirm(question), self._leave)

    async def _leave(self, answer: str | None) -> None:
        if answer == "Save and leave":
            self._app.run_worker(self._save_and_leave(), group="quit")
        elif answer:
            self._app.exit()

    async def _save_and_leave(self) -> None:
        if await (await self._composer()).save():
            self._app.exit()

    def _what_leaving_means(self, in_flight: int) -> Iterator[str]:
        if self._app.composition.unsaved:
            name = self._app.composition.document.name
            yield f"The workflow `{name}` has edits that are not saved."
        if in_flight and self._services.connection.embedded:
            yield f"{in_flight} in flight. The embedded broker and workers end with the console."
        elif in_flight:
            yield f"{in_flight} in flight. They are watched again when the console is opened next."

    async def cancel(self, run: RunState) -> None:
        """Cancel a run and say who acknowledged; what no worker heard can be asked again."""
        try:
            cancelled = await self._services.runs.cancel(run.run_id)
        except KimeraError as error:
            self._app.complain(str(error))
            return
        self._app.flash(cancelled.summary)
        if cancelled.unacknowledged:
            await self._insist(run.name, cancelled.unacknowledged)

    async def revoke(self, step: StepState, *, terminate: bool, signal: str) -> None:
        """Revoke a task and say who acknowledged; that it is gone is told when it is."""
        try:
            receipts = await self._services.runs.revoke(
                step.task_id, terminate=terminate, signal=signal
            )
        except KimeraError as error:
            self._app.complain(str(error))
            return
        workers = [receipt.worker for receipt in receipts if receipt.ok]
        if workers:
            self._app.flash(f"Acknowledged by {', '.join(workers)}. Watching until it is gone.")
        else:
            await self._insist(step.name, [(step.friend, step.task_id)])

    async def _insist(self, name: str, unheard: Sequence[tuple[str, str]]) -> None:
        """Offer to revoke again and again what no worker has heard of."""
        count = len(unheard)
        question = Question(
            title="No worker heard it",
            text=f"{name}\n\n{count} task{'s' if count != 1 else ''} revoked, and no worker"
            " answered: one that starts later will not know of it, and runs what is queued."
            "\n\nAsk again for 10 minutes, workers that start meanwhile too?",
            act="Keep asking",
        )
        if await self._app.push_screen_wait(Confirm(question)):
            self._app.run_worker(self._keep_revoking(unheard), group="insist")

    async def _keep_revoking(self, unheard: Sequence[tuple[str, str]]) -> None:
        self._app.flash("Asking again until a worker has heard it.")
        try:
            said = await self._services.runs.keep_revoking(unheard)
        except KimeraError as error:
            self._app.complain(str(error))
            return
        self._app.notify(f"Revoked again: {said}", timeout=10)

    # Handing over

    async def detach_rest(self, run: RunState) -> None:
        """Hand the rest of a run to the workers; what keeps it from that is listed."""
        waiting = {s.friend for s in run.steps.values() if s.status is Status.WAITING}
        if not await self._may_send(run.name, waiting):
            return
        self._app.flash("Waiting for what is in flight, to hand the rest over.")
        try:
            await self._services.runs.detach_rest(run.run_id)
        except CannotDetach as error:
            await self._app.push_screen_wait(Stops(error.stops, "It goes on here as it did."))
        except KimeraError as error:
            self._app.complain(str(error))
        else:
            self._app.flash("The workers have the rest; it is only watched here.")

    # Deciding

    async def decide(self, run_id: str, path: str, what: Decision, result: Any = None) -> None:
        """Say what became of an uncertain step."""
        try:
            await self._services.runs.decide(run_id, path, what, result)
        except KimeraError as error:
            self._app.complain(str(error))


def _trusting(file: str, wanted: Sequence[Access]) -> Question:
    """What is asked before a file that was merely found may read something."""
    shown = [access.sentence for access in wanted[:_SHOWN]]
    if len(wanted) > _SHOWN:
        shown.append(f"And {len(wanted) - _SHOWN} more.")
    text = "\n\n".join([file, "\n".join(shown), "Allow this file to do that from now on?"])
    return Question(title="Trust this file?", text=text, act="Allow")
