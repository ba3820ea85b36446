"""The workflow being composed: its edits, its file, its problems and its last run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kimera_tui.config.friends import Friend
from kimera_tui.documents import edits
from kimera_tui.documents.addresses import Address, step_at, walk
from kimera_tui.documents.checks import Problem
from kimera_tui.documents.document import Document, Step, TaskStep
from kimera_tui.documents.renaming import free_id
from kimera_tui.documents.store import Stored
from kimera_tui.errors import UsageError
from kimera_tui.execution.replay.from_run import LastRun
from kimera_tui.process.task_params import TaskParams
from kimera_tui.ui.compose.secrets import declared_secrets, prompts_added, without_secrets

UNNAMED = "workflow"
"""The name of a document that nobody has named yet."""
UNDO_LIMIT = 500
"""Edits that can be undone."""
_Version = tuple[Document, Address]
"""A document with the place of the cursor in it."""


class Composer:
    """A document in the making. Screens watch it; it knows no screen."""

    def __init__(self) -> None:
        self.document = Document(name=UNNAMED)
        self.cursor: Address = ()
        """The step that the cursor is on; empty elsewhere."""
        self.stored: Stored | None = None
        """The file as it was last read or written; None before the first save."""
        self.edition = 0
        """Changes with every open, reload and save: within one edition there are only edits."""
        self.clipboard: Step | None = None
        self.problems: Sequence[Problem] = ()
        """Those of the document that was checked last."""
        self.last_run: LastRun | None = None
        self._safe = self.document
        """What the file holds, or the empty document of the beginning."""
        self._past: list[_Version] = []
        self._future: list[_Version] = []
        self._checked: Document | None = None
        self._last_run_of: str | None = None
        self._watchers: list[Callable[[], None]] = []

    def watch(self, changed: Callable[[], None]) -> None:
        """Have a function called whenever there is another document, or another file of it."""
        self._watchers.append(changed)

    def _changed(self) -> None:
        for changed in self._watchers:
            changed()

    @property
    def unsaved(self) -> bool:
        """Whether edits would be lost without saving."""
        return self.document is not self._safe

    @property
    def file(self) -> Path | None:
        """The document's file; None before the first save."""
        return None if self.stored is None else self.stored.path

    # Files

    def start_new(self) -> None:
        """Start an empty document."""
        self._open(Document(name=UNNAMED), (), None)
        self._safe = self.document
        self._changed()

    def open(self, document: Document, stored: Stored | None = None) -> None:
        """Open a document; without a file it is unsaved from the start."""
        self._open(document, ("steps", 0) if document.steps else (), stored)
        self._safe = document if stored is not None else Document(name=UNNAMED)
        self._changed()

    def _open(self, document: Document, cursor: Address, stored: Stored | None) -> None:
        self.document, self.cursor, self.stored = document, cursor, stored
        self._past.clear()
        self._future.clear()
        self.edition += 1

    def reload(self, stored: Stored) -> None:
        """Take in what somebody else wrote to the file: an edit that can be undone."""
        if stored.document != self.document:
            self._take(stored.document, _same_step(self.document, self.cursor, stored.document))
        self.mark_saved(self.document, stored)

    def mark_saved(self, document: Document, stored: Stored) -> None:
        """Note which document the file holds; edits made meanwhile stay unsaved."""
        self._safe, self.stored = document, stored
        self.edition += 1
        self._changed()

    # Edits

    def edit(self, edit: Callable[..., edits.Edit], *args: Any) -> None:
        """Apply an edit of ``documents.edits``.

        Raises:
            UsageError: the edit is impossible here.
        """
        self.replace(*edit(self.document, *args))

    def replace(self, document: Document, cursor: Address | None = None) -> None:
        """Put an edited document in place of this one.

        Args:
            document: The same object is no edit.
            cursor: Where the cursor goes; None leaves it.
        """
        self._take(document, self.cursor if cursor is None else cursor)
        self._changed()

    def _take(self, document: Document, cursor: Address) -> None:
        if document is not self.document:
            self._past.append((self.document, self.cursor))
            del self._past[:-UNDO_LIMIT]
            self._future.clear()
        self.document, self.cursor = document, cursor

    def undo(self) -> bool:
        """Undo the last edit; False where there is none."""
        return self._travel(self._past, self._future)

    def redo(self) -> bool:
        """Redo the edit that was undone last; False where there is none."""
        return self._travel(self._future, self._past)

    def _travel(self, origin: list[_Version], goal: list[_Version]) -> bool:
        if not origin:
            return False
        goal.append((self.document, self.cursor))
        self.document, self.cursor = origin.pop()
        self._changed()
        return True

    def cut(self, address: Address) -> None:
        """Delete a step and keep it for pasting; UsageError where it has to stay."""
        step = step_at(self.document, address)
        self.edit(edits.delete, address)
        self.clipboard = step

    def add_call(self, params: TaskParams, friend: Friend) -> str:
        """Append a call as the last step; its secrets become inputs.

        Args:
            params: The call, with its values as they are.
            friend: The service that the task belongs to.

        Returns:
            Which inputs were added, as a sentence, or an empty string.

        Raises:
            UsageError: a document cannot hold the call.
        """
        original, step = self.document, _step_of(params, friend)
        secret = declared_secrets({params.friend: friend}, original, step)
        document, step = without_secrets(original, step, secret)
        self.replace(*edits.add_into(document, (), step, "steps"))
        return prompts_added(original, document)

    # What is known about it

    @property
    def is_checked(self) -> bool:
        """Whether the problems are those of the document as it is now."""
        return self._checked is self.document

    def take_problems(self, document: Document, problems: Sequence[Problem]) -> bool:
        """Take the result of a check; False if the document has changed since."""
        if document is not self.document:
            return False
        self._checked, self.problems = document, problems
        return True

    def last_run_to_read(self) -> str | None:
        """The workflow whose last run is to be read now; None where it has been asked for."""
        if self._last_run_of == self.document.name:
            return None
        self._last_run_of = self.document.name
        return self._last_run_of

    def run_ended(self, name: str) -> None:
        """A run ended, and may be the last one of what is composed."""
        if name == self._last_run_of:
            self._last_run_of = None


def _same_step(old: Document, cursor: Address, new: Document) -> Address:
    """Where the step under the cursor is in another document; its first step if it is gone."""
    try:
        step_id = step_at(old, cursor).id
    except LookupError:
        return ()
    places = (address for address, step in walk(new) if step.id == step_id)
    return next(places, ("steps", 0) if new.steps else ())


def _step_of(params: TaskParams, friend: Friend) -> TaskStep:
    """A call as a step; UsageError for values that no document can hold."""
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
        return TaskStep.model_validate({"id": free_id(params.task_name, ()), **data})
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise UsageError(f"A workflow cannot hold this call: check its {where}.") from None
