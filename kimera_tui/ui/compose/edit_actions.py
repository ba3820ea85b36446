"""What the composer's keys do to the document."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from kimera_tui.config.friends import TaskInfo
from kimera_tui.documents import edits
from kimera_tui.documents.addresses import GROUPS, Address, kind_of, step_at
from kimera_tui.documents.document import Document, Step, TaskStep, called
from kimera_tui.documents.renaming import free_id
from kimera_tui.errors import UsageError
from kimera_tui.ui.compose.forms import FormWindow
from kimera_tui.ui.compose.header_form import header_from, header_sections
from kimera_tui.ui.compose.inputs_editor import InputsEditor
from kimera_tui.ui.compose.rows import Row
from kimera_tui.ui.compose.secrets import prompts_added, without_secrets
from kimera_tui.ui.compose.step_form import (
    call_fields,
    group_fields,
    group_step,
    new_call,
    option_fields,
    task_step,
)
from kimera_tui.ui.compose.tree import ComposeTree
from kimera_tui.ui.compose.windows import PickKind
from kimera_tui.ui.kimera import Command, Kimera
from kimera_tui.ui.windows.confirm import Confirm
from kimera_tui.ui.windows.confirm_palette import removing
from kimera_tui.ui.windows.modals import PickTask


class EditActions:
    """Edits the document at the cursor. Impossible edits raise UsageError.

    Args:
        kimera: The console, which has the document.
        tree: The tree with the cursor.
    """

    def __init__(self, kimera: Kimera, tree: ComposeTree) -> None:
        self._kimera = kimera
        self._composer = kimera.state.composer
        self._tree = tree

    @property
    def commands(self) -> Mapping[str, Command]:
        """The edits by the names of their actions."""
        return {
            "add": lambda _: self._add(),
            "add-inside": lambda _: self._add_inside(),
            "handler": lambda _: self._add_handler(),
            "finally": lambda _: self._add_finally(),
            "edit": lambda _: self._edit(),
            "inputs": lambda _: self._edit_inputs(),
            "remove": self._remove,
            "cut": lambda _: self._composer.cut(self._step_here()),
            "paste": lambda _: self._paste(),
            "duplicate": lambda _: self._edit_here(edits.duplicate),
            "step-up": lambda _: self._move(-1),
            "step-down": lambda _: self._move(1),
            "indent": lambda _: self._edit_here(edits.indent),
            "outdent": lambda _: self._edit_here(edits.outdent),
            "wrap": lambda _: self._wrap(),
            "unwrap": lambda _: self._edit_here(edits.unwrap),
            "turn": lambda _: self._edit_here(edits.turn),
            "undo": lambda _: self._undo(),
            "redo": lambda _: self._redo(),
            "parent": lambda _: self._to_parent(),
        }

    def _step_here(self) -> Address:
        """The step under the cursor; UsageError where there is none."""
        if self._tree.row.step is None:
            raise UsageError("Put the cursor on a step.")
        return self._tree.row.address

    def _edit_here(self, edit: Callable[..., edits.Edit], *args: Any) -> None:
        self._composer.edit(edit, self._step_here(), *args)

    # Adding

    async def _add(self) -> None:
        row = self._tree.row
        if (step := await self._new_step("Add a task")) is not None:
            self._put(step, row)

    def _put(self, step: Step, row: Row) -> None:
        """Add a step after that of a line, or to the list under a heading."""
        if row.kind == "heading":
            self._composer.edit(edits.add_into, row.address[:-1], step, str(row.address[-1]))
        elif row.kind == "step":
            self._composer.edit(edits.add_after, row.address, step)
        else:
            self._composer.edit(edits.add_into, (), step, "steps")

    async def _add_inside(self) -> None:
        """Add a task to a group; a task becomes a group with it first."""
        if self._tree.row.step is None:
            await self._add()
            return
        address = self._step_here()
        kind = None
        if kind_of(step_at(self._composer.document, address)) not in GROUPS:
            kind = await self._kimera.ask(PickKind("Make it a"))
            if kind is None:
                return
        step = await self._new_step("Add a task inside")
        if step is None:
            return
        if kind is None:
            self._composer.edit(edits.add_into, address, step)
        else:
            self._composer.edit(_wrapped_with, address, kind, step)

    async def _add_handler(self) -> None:
        address = self._step_here()
        if (step := await self._new_step("Add an error handler")) is not None:
            self._composer.edit(edits.add_into, address, step, "on_error")

    async def _add_finally(self) -> None:
        if (step := await self._new_step("Add a finally step")) is not None:
            self._composer.edit(edits.add_into, (), step, "finally")

    async def _new_step(self, title: str) -> TaskStep | None:
        """Ask for a task; its form opens too if a parameter needs a value."""
        friends = self._kimera.services.friends
        picked = await self._kimera.ask(PickTask(friends, title))
        if picked is None:
            return None
        friend, task = picked
        info = self._info(friend, task)
        step = new_call(f"{friend}.{task}", free_id(task, ()), info)
        if "." in friend:
            step = step.model_copy(update={"friend": friend, "task": task})
        missing = [
            name for name, each in info.params.items() if each.required and each.default is None
        ]
        if not missing:
            return step
        return await self._ask_call(step, info, f"param {missing[0]}")

    def _info(self, friend: str, task: str) -> TaskInfo:
        """What the friend declares about a task."""
        config = self._kimera.services.friends.get(friend)
        return config.tasks.get(task, TaskInfo()) if config is not None else TaskInfo()

    # Editing

    async def _edit(self) -> None:
        """Edit what is under the cursor: a step, the inputs, or the header."""
        row = self._tree.row
        if row.kind == "inputs":
            await self._edit_inputs()
        elif row.kind == "header":
            await self._edit_header()
        elif row.step is None:
            self._kimera.flash("Nothing to edit here. Press a to add a step.")
        elif (edited := await self._ask_step(row.step)) is not None:
            self._composer.edit(edits.replace, row.address, edited)

    async def _ask_step(self, step: Step) -> Step | None:
        if isinstance(step, TaskStep):
            return await self._ask_call(step, self._info(*called(step, self._composer.document)))
        return await self._kimera.ask(
            FormWindow(
                f"Edit the {kind_of(step)}",
                [("", group_fields(step))],
                lambda values: group_step(step, values),
            )
        )

    async def _ask_call(self, step: TaskStep, info: TaskInfo, focus: str = "") -> TaskStep | None:
        original = self._composer.document
        secret = [name for name, param in info.params.items() if param.secret]
        form: FormWindow[tuple[Document, TaskStep]] = FormWindow(
            step.task,
            [("", call_fields(step, info)), ("Options", option_fields(step))],
            lambda values: without_secrets(original, task_step(step, values), secret, step),
            intro=info.doc,
            focus=focus,
        )
        answer = await self._kimera.ask(form)
        if answer is None:
            return None
        document, edited = answer
        if added := prompts_added(original, document):
            self._composer.replace(document)
            self._kimera.flash(added)
        return edited

    async def _edit_header(self) -> None:
        document = self._composer.document
        header = await self._kimera.ask(
            FormWindow(
                "Workflow",
                header_sections(document),
                lambda values: header_from(document, values),
            )
        )
        if header is not None:
            self._composer.replace(edits.with_header(document, header))

    async def _edit_inputs(self) -> None:
        self._composer.replace(await self._kimera.ask(InputsEditor(self._composer.document)))

    # Shaping

    def _remove(self, ask: bool) -> Coroutine[Any, Any, None] | None:
        address = self._step_here()
        if ask:
            return self._ask_and_remove(address)
        self._composer.edit(edits.delete, address)
        return None

    async def _ask_and_remove(self, address: Address) -> None:
        question = removing(step_at(self._composer.document, address))
        if await self._kimera.ask(Confirm(question)):
            self._composer.edit(edits.delete, address)

    def _paste(self) -> None:
        if (step := self._composer.clipboard) is None:
            self._kimera.flash("Nothing to paste: x cuts a step.")
        else:
            self._put(step, self._tree.row)

    def _move(self, by: int) -> None:
        original = self._composer.document
        self._edit_here(edits.move, by)
        if self._composer.document is original:
            self._kimera.flash(f"Already the {'first' if by < 0 else 'last'} step.")

    async def _wrap(self) -> None:
        address = self._step_here()
        if (kind := await self._kimera.ask(PickKind("Wrap in a"))) is not None:
            self._composer.edit(edits.wrap, address, kind)

    def _undo(self) -> None:
        if not self._composer.undo():
            self._kimera.flash("Nothing to undo.")

    def _redo(self) -> None:
        if not self._composer.redo():
            self._kimera.flash("Nothing to redo.")

    def _to_parent(self) -> None:
        """Put the cursor on the group around it."""
        row = self._tree.row
        up = 1 if row.kind == "heading" else 2
        if len(row.address) > 2:
            self._tree.move_cursor(self._tree.place_in(row.address[:-up]))
        else:
            self._kimera.flash("Already at the top level.")


def _wrapped_with(document: Document, address: Address, kind: edits.Kind, step: Step) -> edits.Edit:
    """The edit that puts a group around a step, with another step after it inside."""
    wrapped, inside = edits.wrap(document, address, kind)
    return edits.add_after(wrapped, inside, step)
