"""The composer's files: save, save as, open, reload, and the operator's own editor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kimera_tui.console.console import Console
from kimera_tui.console.workflows import SavedWorkflow
from kimera_tui.documents import edits
from kimera_tui.documents.document import Document
from kimera_tui.documents.store import ChangedOnDisk, Stored
from kimera_tui.errors import KimeraError, UsageError
from kimera_tui.ui.compose.composer import UNNAMED, Composer
from kimera_tui.ui.compose.editor import Editor
from kimera_tui.ui.compose.forms import FormWindow
from kimera_tui.ui.compose.windows import Conflict
from kimera_tui.ui.compose.workflow_picker import Wanted, WorkflowPicker
from kimera_tui.ui.kimera import Command, Shell
from kimera_tui.ui.widgets.field import Field
from kimera_tui.ui.windows.confirm import Confirm, Question
from kimera_tui.ui.windows.confirm_palette import overwriting


class WorkflowFiles:
    """Reads and writes what is composed. Files that cannot be read or written raise KimeraError.

    Args:
        shell: Asks the operator.
        composer: Holds the document.
        services: Have the files.
        editor: The operator's own editor.
    """

    def __init__(self, shell: Shell, composer: Composer, services: Console, editor: Editor) -> None:
        self._shell = shell
        self._composer = composer
        self._services = services
        self._editor = editor
        self._complaint: tuple[Stored, str] | None = None
        """What was said last about a changed file."""

    @property
    def commands(self) -> Mapping[str, Command]:
        """The actions on files by their names; each is told whether to ask first."""
        return {
            "save": self._save_asking,
            "save-as": self._save_as_asking,
            "new": lambda _: self._new(),
            "editor": self.edit,
        }

    # Saving

    async def _save_asking(self, ask: bool) -> None:
        if not ask or await self._may_overwrite():
            await self.save()

    async def _save_as_asking(self, ask: bool) -> None:
        await self.save_as(ask=ask)

    async def _may_overwrite(self) -> bool:
        """Ask before the open file is overwritten, if there is one."""
        if (file := self._composer.file) is None:
            return True
        question = overwriting(self._composer.document, file)
        return await self._shell.ask(Confirm(question)) != ""

    async def save(self) -> bool:
        """Save to the open file, or ask for a name; returns whether everything is saved now."""
        stored = self._composer.stored
        if stored is None:
            return await self.save_as()
        return await self._write(stored.path, stored)

    async def save_as(self, *, ask: bool = False) -> bool:
        """Ask for a name and save to its file; returns whether everything is saved now.

        Args:
            ask: Whether to ask before the open file is overwritten.
        """
        composer, workflows = self._composer, self._services.workflows
        document = composer.document

        def build(values: dict[str, Any]) -> tuple[str, Path]:
            return values["name"], workflows.file_for(values["name"])

        shown = "" if document.name == UNNAMED else document.name
        form: FormWindow[tuple[str, Path]] = FormWindow(
            "Save as",
            [("", {"name": Field("name", _name, shown, "like nightly orders")})],
            build,
            act="Save",
            intro="The file gets this name, in the folder of workflows.",
        )
        answer = await self._shell.ask(form)
        if answer is None:
            return False
        name, path = answer
        stored = composer.stored if composer.file == path else None
        if ask and stored is not None and not await self._may_overwrite():
            return False
        if name != composer.document.name:
            header = composer.document.model_copy(update={"name": name})
            composer.replace(edits.with_header(composer.document, header))
        return await self._write(path, stored)

    async def _write(self, path: Path, stored: Stored | None) -> bool:
        composer = self._composer
        document, edition = composer.document, composer.edition
        try:
            written = await self._services.workflows.save(document, path, stored)
        except ChangedOnDisk as conflict:
            if composer.edition != edition:
                raise
            return await self._resolve(path, document, conflict)
        # Another document may be open by now, and this file is none of its business.
        if composer.edition == edition:
            composer.mark_saved(document, written)
        self._shell.flash(f"Saved: {path}")
        return not composer.unsaved

    async def _resolve(self, path: Path, document: Document, conflict: ChangedOnDisk) -> bool:
        """Show the difference to what somebody else wrote, and ask which version to keep."""
        answer = await self._shell.ask(Conflict(path, conflict.diff))
        if answer == "theirs":
            self._composer.reload(await self._services.workflows.open(path))
            return False
        if answer != "ours":
            return False
        # Overwrites only what was shown: a later change is shown first.
        return await self._write(path, Stored(path, document, conflict.theirs))

    # Opening

    async def pick(self) -> tuple[SavedWorkflow, Wanted] | None:
        """Ask for a saved workflow and what to do with it."""
        return await self._shell.ask(WorkflowPicker(self._services.workflows))

    async def open(self, path: Path, *, edit: bool = False) -> bool:
        """Open a file in place of what is composed; False if the operator wants to keep that.

        Args:
            path: The file.
            edit: Whether to open it in the operator's editor first.
        """
        if edit:
            self._editor.check()
        if not await self.may_discard():
            return False
        if edit:
            await self._editor.edit(path)
        stored = await self._services.workflows.open(path)
        self._composer.open(stored.document, stored)
        return True

    async def _new(self) -> None:
        if await self.may_discard():
            self._composer.start_new()

    async def may_discard(self) -> bool:
        """Whether what is composed may go; asks if there are unsaved edits."""
        composer = self._composer
        if not composer.unsaved:
            return True
        question = Question(
            title="Unsaved edits",
            text=f"{composer.document.name}\n\nIts edits since the last save would be lost.",
            act="Discard them",
            choices=("Save first", "Discard them"),
        )
        answer = await self._shell.ask(Confirm(question))
        if answer == "Save first":
            return await self.save()
        return answer == "Discard them"

    # Changes on disk

    async def changed_on_disk(self) -> Stored | None:
        """The file as somebody else wrote it; None if it did not change, or there are edits.

        Problems are told once, not at every look at the file.
        """
        composer, workflows = self._composer, self._services.workflows
        stored = composer.stored
        if stored is None or not await workflows.changed(stored) or composer.stored is not stored:
            return None
        if composer.unsaved:
            self._complain_once(
                stored, "The file changed on disk. Saving will show the difference."
            )
            return None
        try:
            return await workflows.open(stored.path)
        except KimeraError as error:
            self._complain_once(stored, str(error))
            return None

    def _complain_once(self, stored: Stored, text: str) -> None:
        if self._complaint != (stored, text):
            self._complaint = stored, text
            self._shell.complain(text)

    async def edit(self, ask: bool = False) -> None:
        """Save, open the file in the operator's editor, and reload it."""
        composer, workflows = self._composer, self._services.workflows
        self._editor.check()
        if ask and composer.unsaved and not await self._may_overwrite():
            return
        if (composer.unsaved or composer.stored is None) and not await self.save():
            return
        if (stored := composer.stored) is None:
            return
        await self._editor.edit(stored.path)
        if await workflows.changed(stored):
            composer.reload(await workflows.open(stored.path))


def _name(text: str) -> str:
    if not text.strip():
        raise UsageError("name: enter a name.")
    if len(text.strip()) > 200:
        raise UsageError("name: at most 200 characters.")
    return text.strip()
