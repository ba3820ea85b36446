"""The files of the composer: save, save as, open, reload, and the operator's own editor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from textual import work

from kimera_tui.documents import header_edits
from kimera_tui.documents.store import ChangedOnDisk, Stored
from kimera_tui.errors import KimeraError, UsageError
from kimera_tui.ui.compose.base import ComposeBase
from kimera_tui.ui.compose.composition import UNNAMED, Composition, nothing, opened, reread
from kimera_tui.ui.compose.forms import FormWindow
from kimera_tui.ui.compose.windows import Reader, diff_lines
from kimera_tui.ui.compose.workflow_picker import WorkflowPicker
from kimera_tui.ui.editor import edit_file, editor_command
from kimera_tui.ui.runs.replay_flow import replay_past
from kimera_tui.ui.widgets.field import Field
from kimera_tui.ui.windows.confirm import Confirm, Question
from kimera_tui.ui.windows.confirm_palette import overwriting

LOOK_EVERY = 2.0
"""Seconds between two looks at the file while the composer is shown."""


class ComposeFiles(ComposeBase):
    """Reads and writes the document."""

    def __init__(self) -> None:
        super().__init__()
        self._told_of: Stored | None = None
        self._told = ""

    def on_mount(self) -> None:
        """Look at the file now and then."""
        super().on_mount()
        self.set_interval(LOOK_EVERY, self._look)

    # Saving

    @work(exclusive=True, group="compose-save")
    async def action_save(self, ask: bool = False) -> None:
        """Save; a document without a name is given one first."""
        if not ask or await self._may_overwrite():
            await self.save()

    async def _may_overwrite(self) -> bool:
        """Ask before the file is written over, if there is one."""
        if (stored := self.composition.stored) is None:
            return True
        question = overwriting(self.document, stored.path)
        return await self.app.push_screen_wait(Confirm(question)) != ""

    async def save(self) -> bool:
        """Save where it belongs; returns whether nothing that is composed would be lost now."""
        stored = self.composition.stored
        if stored is None:
            return await self.save_as()
        return await self._write(stored.path, stored)

    @work(exclusive=True, group="compose-save")
    async def action_save_as(self, ask: bool = False) -> None:
        """Save under another name."""
        await self.save_as(ask=ask)

    async def save_as(self, *, ask: bool = False) -> bool:
        """Ask for a name, and save in the file that belongs to it.

        Args:
            ask: Whether to ask before the file that is open is written over.
        """
        workflows, name = self.kimera.services.workflows, self.document.name
        shown = "" if name == UNNAMED else name

        def build(values: dict[str, Any]) -> tuple[str, Path]:
            return values["name"], workflows.file_for(values["name"])

        form: FormWindow[tuple[str, Path]] = FormWindow(
            "Save as",
            [("", {"name": Field("name", _name, shown, "like nightly orders")})],
            build,
            act="Save",
            intro="One file, named after it, in the folder of workflows.",
        )
        answer = await self.app.push_screen_wait(form)
        if answer is None:
            return False
        name, path = answer
        stored = self.composition.stored
        same = stored is not None and stored.path == path
        if ask and same and not await self._may_overwrite():
            return False
        if name != self.document.name:
            header = self.document.model_copy(update={"name": name})
            self.change(header_edits.with_header(self.document, header), self.here)
        return await self._write(path, stored if same else None)

    async def _write(self, path: Path, stored: Stored | None) -> bool:
        made = self.composition
        try:
            written = await self.kimera.services.workflows.save(made.document, path, stored)
        except ChangedOnDisk as conflict:
            if self._is_still(made):
                return await self._settle(path, conflict)
            self.kimera.complain(str(conflict))
            return False
        except KimeraError as error:
            self.kimera.complain(str(error))
            return False
        # Another document may be composed by now, which is nothing of this file's.
        if self._is_still(made):
            self.put(Composition(self.composition.history, made.document, written))
        self.kimera.flash(f"Saved: {path}")
        return not self.composition.unsaved

    def _is_still(self, made: Composition) -> bool:
        """Whether what is composed is the same as before, but for edits."""
        now = self.composition
        return now.stored is made.stored and now.kept is made.kept

    async def _settle(self, path: Path, conflict: ChangedOnDisk) -> bool:
        """Somebody else wrote the file: show the difference, and ask whose counts."""
        window = Reader(
            "The file changed on disk",
            f"{path}\nSomebody else wrote it since it was read here. - is theirs, + is yours.",
            diff_lines(conflict.diff),
            [("O", "overwrite with yours"), ("r", "take theirs")],
            wraps=False,
        )
        answer = await self.app.push_screen_wait(window)
        if answer == "r":
            await self._take_theirs(path)
            return False
        if answer != "O":
            return False
        # Only over what was shown: what came since then is shown first.
        return await self._write(path, Stored(path, self.document, conflict.theirs))

    # Opening

    @work(exclusive=True, group="compose-open")
    async def action_open(self) -> None:
        """Pick a saved workflow to be opened, run, replayed, or edited elsewhere."""
        picked = await self.app.push_screen_wait(WorkflowPicker(self.kimera.services.workflows))
        if picked is None:
            return
        saved, wanted = picked
        if wanted == "replay":
            await replay_past(self.kimera, saved.last_run)
            return
        command = self._editor() if wanted == "edit" else []
        if (wanted == "edit" and not command) or not await self.may_let_go():
            return
        if command and not await self._edit(command, saved.path):
            return
        if await self.read(saved.path) and wanted == "run":
            await self.run_action("run")

    async def read(self, path: Path) -> bool:
        """Open a file in place of what is composed; False when it can't be read."""
        try:
            stored = await self.kimera.services.workflows.open(path)
        except KimeraError as error:
            self.kimera.complain(str(error))
            return False
        self.put(opened(stored.document, stored))
        self._learn_last_run()
        self.steps.focus()
        return True

    @work(exclusive=True, group="compose-open")
    async def action_new(self) -> None:
        """Begin an empty document."""
        if await self.may_let_go():
            self.put(nothing())

    async def may_let_go(self) -> bool:
        """Ask where edits would be lost: save them, drop them, or stay."""
        made = self.composition
        if not made.unsaved:
            return True
        question = Question(
            title="Edits are not saved",
            text=f"{made.document.name}\n\nIts edits since it was saved last would be lost.",
            act="Drop them",
            choices=("Save first", "Drop them"),
        )
        answer = await self.app.push_screen_wait(Confirm(question))
        if answer == "Save first":
            return await self.save()
        return answer == "Drop them"

    # Other hands on the file

    def _look(self) -> None:
        if self.is_active and self.composition.stored is not None:
            self._take_changes()

    @work(exclusive=True, group="compose-look")
    async def _take_changes(self) -> None:
        """Take a changed file in, or say that it changed where there are edits to lose."""
        stored = self.composition.stored
        if stored is None or not await self.kimera.services.workflows.changed(stored):
            return
        if self.composition.stored is not stored:
            return
        if self.composition.unsaved:
            self._tell_once(stored, "The file changed on disk. Saving will show the difference.")
            return
        try:
            theirs = await self.kimera.services.workflows.open(stored.path)
        except KimeraError as error:
            self._tell_once(stored, str(error))
            return
        if not self.is_active:  # a window has opened meanwhile, which is about what is shown
            return
        self.put(reread(self.composition, theirs))
        self.kimera.flash("Read again: the file changed on disk. u takes that back.")

    def _tell_once(self, stored: Stored, text: str) -> None:
        """Say something of a changed file, not at every look at it."""
        if self._told_of is not stored or self._told != text:
            self._told_of, self._told = stored, text
            self.kimera.complain(text)

    async def _take_theirs(self, path: Path) -> bool:
        """Take in what somebody else wrote; an edit that can be undone."""
        try:
            stored = await self.kimera.services.workflows.open(path)
        except KimeraError as error:
            self.kimera.complain(str(error))
            return False
        self.put(reread(self.composition, stored))
        return True

    @work(exclusive=True, group="compose-open")
    async def action_editor(self, ask: bool = False) -> None:
        """Save, open the file in the operator's editor, and read it again."""
        if not (command := self._editor()):
            return
        if ask and self.composition.unsaved and not await self._may_overwrite():
            return
        if (self.composition.unsaved or self.composition.stored is None) and not await self.save():
            return
        stored = self.composition.stored
        if stored is None or not await self._edit(command, stored.path):
            return
        if await self.kimera.services.workflows.changed(stored):
            await self._take_theirs(stored.path)

    def _editor(self) -> list[str]:
        """The operator's editor; empty, with a word about it, where none is known."""
        try:
            return editor_command()
        except UsageError as error:
            self.kimera.complain(str(error))
            return []

    async def _edit(self, command: list[str], path: Path) -> bool:
        """Edit a file in the operator's editor, or say why that can't be."""
        try:
            await edit_file(self.app, command, path)
        except UsageError as error:
            self.kimera.complain(str(error))
            return False
        return True


def _name(text: str) -> str:
    if not text.strip():
        raise UsageError("name: give it one.")
    if len(text.strip()) > 200:
        raise UsageError("name: at most 200 characters.")
    return text.strip()
