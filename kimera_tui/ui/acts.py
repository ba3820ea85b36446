"""What operators do to runs and tasks: asked for where need be, and told with a receipt."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from kimera_tui.errors import KimeraError
from kimera_tui.runs.book import RunState
from kimera_tui.runs.state import StepState
from kimera_tui.ui.screens.compose_state import opened
from kimera_tui.ui.screens.confirm import Confirm, Question
from kimera_tui.ui.screens.stops import Stops
from kimera_tui.workflows.calls import Workflow, friends_of
from kimera_tui.workflows.document import Document
from kimera_tui.workflows.handover import CannotDetach
from kimera_tui.workflows.launch import Given
from kimera_tui.workflows.replay import Wish
from kimera_tui.workflows.runner import Decision

if TYPE_CHECKING:
    from kimera_tui.ui.app import KimeraApp
    from kimera_tui.ui.screens.compose import ComposeScreen


class Acts:
    """Acts of the operator of a console.

    Args:
        app: The console, which has the services and shows what became of them.
    """

    def __init__(self, app: KimeraApp) -> None:
        self._app = app
        self._services = app.services

    # Starting

    def launch(self, workflow: Workflow) -> None:
        """Start a run of calls and watch it in Live."""
        self._app.run_worker(self._launch(workflow), group="launch", exit_on_error=False)

    async def _launch(self, workflow: Workflow) -> None:
        if await self._may_send(workflow):
            await self._watch(self._services.launch(workflow))

    async def launch_document(self, document: Document, given: Given) -> None:
        """Start a run of a document and watch it in Live."""
        await self._watch(self._services.workflows.run(document, given))

    async def detach_document(self, document: Document, given: Given) -> None:
        """Hand a run of a document to the workers, and watch it in Live."""
        await self._watch(self._services.workflows.detach(document, given))

    async def replay(self, run_id: str, wish: Wish) -> None:
        """Run a past run again, and watch it in Live."""
        await self._watch(self._services.replay(run_id, wish))

    async def resume(self, run_id: str, given: Given) -> None:
        """Go on with a run that its console left, and watch it in Live."""

        async def resumed() -> str:
            await self._services.resume(run_id, given)
            return run_id

        await self._watch(resumed())

    async def compose_run(self, run_id: str) -> None:
        """Put the document that a run began with into the composer, and go there."""
        try:
            document = await self._services.workflows.document_of(run_id)
        except KimeraError as error:
            self._app.complain(str(error))
            return
        composer = await self._composer()
        if await composer.may_let_go():
            composer.put(opened(document))

    async def _composer(self) -> ComposeScreen:
        await self._app.switch_mode("compose")
        return cast("ComposeScreen", self._app.screen)

    async def _watch(self, starting: Awaitable[str]) -> None:
        try:
            self._app.wanted_run = await starting
        except KimeraError as error:
            self._app.complain(str(error))
            return
        await self._app.switch_mode("live")

    async def _may_send(self, workflow: Workflow) -> bool:
        """Ask first where a friend is marked as dangerous."""
        friends = self._services.friends
        risky = [n for n in sorted(friends_of(workflow.root)) if n in friends and friends[n].danger]
        if not risky or self._services.read_only:
            return True
        question = Question(
            title="Send to a dangerous friend",
            text=f"{workflow.name}\n\nMarked as dangerous: {', '.join(risky)}",
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
        if in_flight and self._services.embedded:
            yield f"{in_flight} in flight. The embedded broker and workers end with the console."
        elif in_flight:
            yield f"{in_flight} in flight. They are watched again when the console is opened next."

    async def cancel(self, run: RunState) -> None:
        """Cancel a run and say who acknowledged; what no worker heard can be asked again."""
        try:
            cancelled = await self._services.cancel(run.run_id)
        except KimeraError as error:
            self._app.complain(str(error))
            return
        self._app.flash(cancelled.said)
        if cancelled.unheard:
            await self._insist(run.name, cancelled.unheard)

    async def revoke(self, step: StepState, *, terminate: bool, signal: str) -> None:
        """Revoke a task and say who acknowledged; that it is gone is told when it is."""
        try:
            receipts = await self._services.revoke(step.task_id, terminate=terminate, signal=signal)
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
            said = await self._services.keep_revoking(unheard)
        except KimeraError as error:
            self._app.complain(str(error))
            return
        self._app.notify(f"Revoked again: {said}", timeout=10)

    # Handing over

    async def detach_rest(self, run: RunState) -> None:
        """Hand the rest of a run to the workers; what keeps it from that is listed."""
        self._app.flash("Waiting for what is in flight, to hand the rest over.")
        try:
            await self._services.detach_rest(run.run_id)
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
            await self._services.decide(run_id, path, what, result)
        except KimeraError as error:
            self._app.complain(str(error))
