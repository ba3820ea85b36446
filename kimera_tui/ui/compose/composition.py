"""What is composed: the document with its history, and the file that it belongs to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from kimera_tui.config.friends import Friend
from kimera_tui.documents.addresses import Address, step_at, walk
from kimera_tui.documents.document import Document, TaskStep
from kimera_tui.documents.edit_history import History
from kimera_tui.documents.edits import add_into
from kimera_tui.documents.renaming import free_id
from kimera_tui.documents.store import Stored
from kimera_tui.errors import UsageError
from kimera_tui.process.task_params import TaskParams
from kimera_tui.ui.compose.rows import declared_secrets
from kimera_tui.ui.compose.secrets import without_secrets

UNNAMED = "workflow"
"""The name of a document that nobody has named yet."""


@dataclass(frozen=True, slots=True)
class Composition:
    """A document in the making."""

    history: History
    kept: Document
    """What is safe: what the file holds, or the empty document of the beginning."""
    stored: Stored | None = None
    """The file, as it was read or written last; None for what was never saved."""

    @property
    def document(self) -> Document:
        """The document as it stands."""
        return self.history.document

    @property
    def unsaved(self) -> bool:
        """Whether something would be lost without saving."""
        return self.document is not self.kept

    def edited(self, document: Document, cursor: Address) -> Composition:
        """After an edit."""
        return replace(self, history=self.history.done(document, cursor))


def nothing() -> Composition:
    """An empty document."""
    empty = Document(name=UNNAMED)
    return Composition(History(empty), empty)


def opened(document: Document, stored: Stored | None = None) -> Composition:
    """A document as it was read; one without a file is unsaved from the beginning."""
    cursor: Address = ("steps", 0) if document.steps else ()
    kept = document if stored is not None else Document(name=UNNAMED)
    return Composition(History(document, cursor), kept, stored)


def reread(made: Composition, stored: Stored) -> Composition:
    """After somebody else wrote the file: an edit like others, with the cursor on the same step."""
    document = stored.document
    if document == made.document:
        return replace(made, kept=made.document, stored=stored)
    history = made.history.done(document, _same_place(made.history, document))
    return Composition(history, document, stored)


def _same_place(history: History, document: Document) -> Address:
    """Where the step under the cursor is in another document; its first step where it is gone."""
    try:
        step_id = step_at(history.document, history.cursor).id
    except LookupError:
        return ()
    places = (address for address, step in walk(document) if step.id == step_id)
    return next(places, ("steps", 0) if document.steps else ())


def with_call(made: Composition, params: TaskParams, friend: Friend) -> Composition:
    """With a call from a form as the last step; what is secret of it becomes an input.

    Args:
        made: What is composed.
        params: The call, with its values as they are.
        friend: Whose task it is.

    Raises:
        UsageError: a document can't hold the call.
    """
    data: dict[str, Any] = {"task": f"{params.friend}.{params.task_name}"}
    if "." in params.friend:
        data = {"friend": params.friend, "task": params.task_name}
    if params.args:
        data["args"] = list(params.args)
    if params.kwargs:
        data["kwargs"] = dict(params.kwargs)
    if params.timeout is not None and params.timeout != friend.timeout:
        data["timeout"] = params.timeout
    try:
        step = TaskStep.model_validate({"id": free_id(params.task_name, ()), **data})
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise UsageError(f"A workflow can't hold this call: its {where}.") from None
    secret = declared_secrets({params.friend: friend}, made.document, step)
    document, step = without_secrets(made.document, step, secret)
    return made.edited(*add_into(document, (), step, "steps"))
