"""Runs of documents: those that the console walks, and those that the workers go on with alone."""

from __future__ import annotations

from collections.abc import Sequence

from kimera_tui.console.sending_parts import SendingParts
from kimera_tui.documents.document import Document
from kimera_tui.errors import UsageError
from kimera_tui.execution.detach.blockers import Stop
from kimera_tui.execution.preflight import tasks_of
from kimera_tui.execution.run_inputs import Given


class DetachParts(SendingParts):
    """Starts runs of documents, and hands them over."""

    embedded: bool

    async def run_document(self, document: Document, given: Given) -> str:
        """Start a run of a document as soon as the broker is up; returns its id.

        Raises:
            UsageError: that may not be sent here, or an input is wrong.
            KimeraError: broker or result backend can't be used; nothing was sent.
        """
        self._guard.may_send(friend for friend, _ in tasks_of(document))
        return (await self.ready_runner()).run(document, given)

    async def stops(self, document: Document) -> Sequence[Stop]:
        """What keeps a run of a document from being handed to the workers.

        Raises:
            UsageError: there are no workers that outlive the console.
            KimeraError: broker or result backend can't be used.
        """
        self.need_lasting_workers()
        return await (await self.ready_runner()).stops(document)

    async def detach_document(self, document: Document, given: Given) -> str:
        """Start a run that the workers go on with alone; returns its id once they have it.

        Raises:
            CannotDetach: the workers can't do all that it says; nothing was sent.
            UsageError: that may not be sent here, or an input is wrong; nothing was sent.
            KimeraError: broker, result backend or journal can't be used.
        """
        self.need_lasting_workers()
        self._guard.may_send(friend for friend, _ in tasks_of(document))
        return await (await self.ready_runner()).detach(document, given)

    async def detach_rest(self, run_id: str) -> None:
        """Hand what has not been sent of a run to the workers, once what is in flight has ended.

        Raises:
            CannotDetach: the workers can't do all that it says; it goes on as it did.
            UsageError: it isn't going on here, or nothing is left.
            KimeraError: broker, result backend or journal can't be used.
        """
        self.need_lasting_workers()
        await self.may_go_on(run_id)
        await (await self.ready_runner()).detach_rest(run_id)

    def need_lasting_workers(self) -> None:
        """Raise UsageError where the workers end with the console."""
        if self.embedded:
            raise UsageError(
                "The workers of the private broker end with Kimera: nothing can be handed to them."
                " BROKER_URL names a broker of yours."
            )
