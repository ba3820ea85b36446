"""What the keys do to the document that is composed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from textual import on, work

from kimera_tui.config.friends import TaskInfo
from kimera_tui.documents import edits, header_edits
from kimera_tui.documents.addresses import GROUPS, Address, kind_of, step_at
from kimera_tui.documents.document import Document, Step, TaskStep, called
from kimera_tui.documents.renaming import free_id
from kimera_tui.errors import UsageError
from kimera_tui.ui.compose.base import ComposeBase
from kimera_tui.ui.compose.forms import FormWindow
from kimera_tui.ui.compose.header_form import header_from, header_sections
from kimera_tui.ui.compose.inputs_editor import InputsEditor
from kimera_tui.ui.compose.secrets import asked_words, without_secrets
from kimera_tui.ui.compose.step_form import (
    call_fields,
    group_fields,
    group_step,
    new_call,
    option_fields,
    task_step,
)
from kimera_tui.ui.compose.windows import PickKind
from kimera_tui.ui.widgets.lines import LineView
from kimera_tui.ui.windows.confirm import Confirm
from kimera_tui.ui.windows.confirm_palette import removing
from kimera_tui.ui.windows.modals import PickTask


class ComposeEdits(ComposeBase):
    """Edits the document by keys."""

    def __init__(self) -> None:
        super().__init__()
        self._clipboard: Step | None = None

    def try_edit(self, edit: Callable[..., edits.Edit], *args: Any) -> bool:
        """Do an edit, or say why it can't be done."""
        try:
            document, cursor = edit(self.document, *args)
        except UsageError as error:
            self.kimera.complain(str(error))
            return False
        self.change(document, cursor)
        return True

    # Adding

    @work
    async def action_add(self) -> None:
        """Add a task behind the step under the cursor."""
        row = self.row
        step = await self._new_step("Add a task")
        if step is None:
            return
        if row.kind == "heading":
            owner, name = row.address[:-1], str(row.address[-1])
            self.try_edit(edits.add_into, owner, step, name)
        elif row.kind == "step":
            self.try_edit(edits.add_after, row.address, step)
        else:
            self.try_edit(edits.add_into, (), step, "steps")

    @work
    async def action_add_inside(self) -> None:
        """Add a task within a chain or para; a task becomes one with it first."""
        if self.row.kind != "step":
            self.action_add()
            return
        address = self.here
        kind = None
        if kind_of(step_at(self.document, address)) not in GROUPS:
            kind = await self.app.push_screen_wait(PickKind("Make it a"))
            if kind is None:
                return
        step = await self._new_step("Add a task inside")
        if step is None:
            return
        if kind is None:
            self.try_edit(edits.add_into, address, step)
        else:
            self.try_edit(_beside, address, kind, step)

    @work
    async def action_add_handler(self) -> None:
        """Add a task that runs when the step under the cursor ended badly."""
        if (address := self.step_here()) is None:
            return
        step = await self._new_step("Add what runs on an error")
        if step is not None:
            self.try_edit(edits.add_into, address, step, "on_error")

    @work
    async def action_add_finally(self) -> None:
        """Add a task that runs at the end, however it came."""
        step = await self._new_step("Add what runs at the end")
        if step is not None:
            self.try_edit(edits.add_into, (), step, "finally")

    async def _new_step(self, title: str) -> TaskStep | None:
        """A picked task; its form is filled where it must have what has no default."""
        friends = self.kimera.services.friends
        picked = await self.app.push_screen_wait(PickTask(friends, title))
        if picked is None:
            return None
        friend, task = picked
        config = friends.get(friend)
        info = config.tasks.get(task, TaskInfo()) if config is not None else TaskInfo()
        step = new_call(f"{friend}.{task}", free_id(task, ()), info)
        if "." in friend:
            step = step.model_copy(update={"friend": friend, "task": task})
        missing = [
            name for name, each in info.params.items() if each.required and each.default is None
        ]
        if not missing:
            return step
        return await self._ask_call(step, info, f"param {missing[0]}")

    # Editing

    @on(LineView.Opened, "#compose-tree")
    async def _opened(self) -> None:
        await self.run_action("edit")

    @work
    async def action_edit(self) -> None:
        """Edit what the cursor is on: a step, the inputs, or the header."""
        row = self.row
        if row.kind == "inputs":
            await self._edit_inputs()
        elif row.kind == "header":
            await self.edit_header()
        elif row.step is None:
            self.kimera.flash("Nothing to edit here: a adds a step below it.")
        elif (edited := await self._ask_step(row.step)) is not None:
            self.try_edit(edits.replace, row.address, edited)

    async def _ask_step(self, step: Step) -> Step | None:
        if isinstance(step, TaskStep):
            friend, task = called(step, self.document)
            config = self.kimera.services.friends.get(friend)
            info = config.tasks.get(task, TaskInfo()) if config is not None else TaskInfo()
            return await self._ask_call(step, info)
        return await self.app.push_screen_wait(
            FormWindow(
                f"Edit the {kind_of(step)}",
                [("", group_fields(step))],
                lambda values: group_step(step, values),
            )
        )

    async def _ask_call(self, step: TaskStep, info: TaskInfo, focus: str = "") -> TaskStep | None:
        secret = [name for name, param in info.params.items() if param.secret]
        form: FormWindow[tuple[Document, TaskStep]] = FormWindow(
            step.task,
            [("", call_fields(step, info)), ("Options", option_fields(step))],
            lambda values: without_secrets(self.document, task_step(step, values), secret, step),
            intro=info.doc,
            focus=focus,
        )
        answer = await self.app.push_screen_wait(form)
        if answer is None:
            return None
        document, made = answer
        if asked := asked_words(self.document, document):
            self.change(document, self.here)
            self.kimera.flash(asked)
        return made

    async def edit_header(self, focus: str = "") -> bool:
        """Ask for the document's name and what else stands over its steps."""
        header = await self.app.push_screen_wait(
            FormWindow(
                "Workflow",
                header_sections(self.document),
                lambda values: header_from(self.document, values),
                focus=focus,
            )
        )
        if header is None:
            return False
        self.change(header_edits.with_header(self.document, header), self.here)
        return True

    @work
    async def action_inputs(self) -> None:
        """Edit what a run asks for."""
        await self._edit_inputs()

    async def _edit_inputs(self) -> None:
        document = await self.app.push_screen_wait(InputsEditor(self.document))
        if document is not self.document:
            self.change(document, self.here)

    # Shaping

    async def action_remove(self, ask: bool = False) -> None:
        """Remove the step under the cursor."""
        if (address := self.step_here()) is None:
            return
        if ask:
            self._ask_and_remove(address)
        else:
            self.try_edit(edits.delete, address)

    @work
    async def _ask_and_remove(self, address: Address) -> None:
        question = removing(step_at(self.document, address))
        if await self.app.push_screen_wait(Confirm(question)):
            self.try_edit(edits.delete, address)

    def action_cut(self) -> None:
        """Remove the step under the cursor, and keep it to be pasted."""
        if (address := self.step_here()) is not None:
            self._clipboard = step_at(self.document, address)
            self.try_edit(edits.delete, address)

    def action_paste(self) -> None:
        """Put what was cut behind the step under the cursor."""
        if self._clipboard is None:
            self.kimera.flash("Nothing was cut yet: x cuts a step.")
        elif self.row.kind == "heading":
            owner, name = self.row.address[:-1], str(self.row.address[-1])
            self.try_edit(edits.add_into, owner, self._clipboard, name)
        else:
            self.try_edit(edits.add_after, self.here, self._clipboard)

    def action_duplicate(self) -> None:
        """Add the step under the cursor once more."""
        if (address := self.step_here()) is not None:
            self.try_edit(edits.duplicate, address)

    def action_move(self, by: int) -> None:
        """Move the step under the cursor."""
        if (address := self.step_here()) is not None:
            before = self.document
            if self.try_edit(edits.move, address, by) and self.document is before:
                self.kimera.flash(f"It is the {'first' if by < 0 else 'last'} step already.")

    def action_indent(self) -> None:
        """Move the step under the cursor into the chain or para before it."""
        if (address := self.step_here()) is not None:
            self.try_edit(edits.indent, address)

    def action_outdent(self) -> None:
        """Move the step under the cursor out of its chain or para."""
        if (address := self.step_here()) is not None:
            self.try_edit(edits.outdent, address)

    @work
    async def action_wrap(self) -> None:
        """Put a chain or para around the step under the cursor."""
        if (address := self.step_here()) is not None:
            kind = await self.app.push_screen_wait(PickKind("Wrap in a"))
            if kind is not None:
                self.try_edit(edits.wrap, address, kind)

    def action_unwrap(self) -> None:
        """Put the steps of a chain or para in its place."""
        if (address := self.step_here()) is not None:
            self.try_edit(edits.unwrap, address)

    def action_turn(self) -> None:
        """Turn a chain into a para, or back."""
        if (address := self.step_here()) is not None:
            self.try_edit(edits.turn, address)

    def action_undo(self) -> None:
        """Take the last edit back."""
        history = self.composition.history
        if not history.past:
            self.kimera.flash("Nothing to undo.")
            return
        self.put(replace(self.composition, history=history.undo()))

    def action_redo(self) -> None:
        """Do again what was undone."""
        history = self.composition.history
        if not history.future:
            self.kimera.flash("Nothing to redo.")
            return
        self.put(replace(self.composition, history=history.redo()))

    def action_parent(self) -> None:
        """Put the cursor on the chain or para around it."""
        up = 1 if self.row.kind == "heading" else 2
        if len(self.row.address) > 2:
            self.steps.move_cursor(self.steps.place_of(self.row.address[:-up]))
        else:
            self.kimera.flash("It stands at the top: no chain or para is around it.")


def _beside(document: Document, address: Address, kind: edits.Kind, step: Step) -> edits.Edit:
    """With a chain or para around a step, and another step behind it in there."""
    wrapped, inside = edits.wrap(document, address, kind)
    return edits.add_after(wrapped, inside, step)
