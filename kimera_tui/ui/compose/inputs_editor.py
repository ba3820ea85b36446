"""The window that lists, adds, changes and deletes a document's inputs."""

from __future__ import annotations

from typing import ClassVar

from textual import getters, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from kimera_tui.documents import header_edits
from kimera_tui.documents.document import Document
from kimera_tui.documents.document import Input as InputSpec
from kimera_tui.documents.inputs import choices_text, input_from
from kimera_tui.safetext import safe
from kimera_tui.ui.compose.detail import spec_words
from kimera_tui.ui.compose.forms import FormWindow
from kimera_tui.ui.compose.step_form import choice_field, name_field, yes_field
from kimera_tui.ui.widgets.field import Field
from kimera_tui.ui.widgets.lines import Line, LineView
from kimera_tui.ui.widgets.plain import PlainStatic
from kimera_tui.ui.windows.window import Window
from kimera_tui.values.spec import TYPES

KEYS = "a add   e edit   d delete   J K move down, up   esc done"


class InputList(LineView):
    """The inputs, one a line."""

    empty_text = "This workflow has no inputs yet.\nPress a to add one, such as the day to process."

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._inputs: list[tuple[str, InputSpec]] = []

    def show_inputs(self, document: Document) -> None:
        """Show a document's inputs."""
        self._inputs = list(document.inputs.items())
        self.lines_changed()

    @property
    def selected(self) -> str | None:
        """Name of the input under the cursor; None where there is none."""
        return self._inputs[self.cursor][0] if self._inputs else None

    def line_count(self) -> int:
        """How many inputs there are."""
        return len(self._inputs)

    def line_at(self, index: int) -> Line:
        """An input: its name, type and limits."""
        name, spec = self._inputs[index]
        return (
            (f" {name:<20} ", "strong"),
            (spec_words(spec), ""),
            (f"  {safe(spec.description, 200)}" if spec.description else "", "dim"),
        )


class InputsEditor(Window[Document]):
    """Edits the inputs of a document and returns the edited document."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,ctrl+r,ctrl+s", "close", "Done", priority=True),
        Binding("a", "add", "Add"),
        Binding("e", "edit", "Edit"),
        Binding("d,delete", "delete", "Delete"),
        Binding("K,shift+up", "move(-1)", "Move up"),
        Binding("J,shift+down", "move(1)", "Move down"),
    ]

    inputs = getters.query_one(InputList)

    def __init__(self, document: Document) -> None:
        super().__init__()
        self._document = document

    def takes_unseen(self, key: str) -> bool:
        """Whether a key acts before the window is on the screen: all but those that delete."""
        return key not in ("d", "delete")

    def compose(self) -> ComposeResult:
        """The list, and its keys."""
        with Vertical(classes="window reader"):
            yield InputList()
            yield PlainStatic(KEYS, classes="reader-keys")

    def on_mount(self) -> None:
        """Show the inputs."""
        self.query_one(".window").border_title = "Inputs"
        self.inputs.show_inputs(self._document)
        self.inputs.focus()

    def _take(self, document: Document) -> None:
        self._document = document
        self.inputs.show_inputs(document)

    @on(LineView.Opened, "InputList")
    async def _opened(self) -> None:
        await self.run_action("edit")

    @work
    async def action_add(self) -> None:
        """Add an input."""
        document = await self.app.push_screen_wait(input_form(self._document, ""))
        if document is not None:
            self._take(document)
            self.inputs.move_cursor(len(document.inputs) - 1)

    @work
    async def action_edit(self) -> None:
        """Edit the input under the cursor."""
        if (name := self.inputs.selected) is not None:
            document = await self.app.push_screen_wait(input_form(self._document, name))
            if document is not None:
                self._take(document)

    def action_move(self, by: int) -> None:
        """Move the input under the cursor: a run asks for inputs in this order."""
        if (name := self.inputs.selected) is not None:
            self._take(header_edits.move_input(self._document, name, by))
            self.inputs.move_cursor(list(self._document.inputs).index(name))

    def action_delete(self) -> None:
        """Delete the input under the cursor; the composer's undo brings it back."""
        if (name := self.inputs.selected) is not None:
            self._take(header_edits.delete_input(self._document, name))

    def action_close(self) -> None:
        """Return the edited document."""
        self.dismiss(self._document)


def input_form(document: Document, name: str) -> FormWindow[Document]:
    """The form of one input, which returns the document with it; an empty name adds one."""
    spec = document.inputs[name] if name else InputSpec()

    length = "" if spec.max_length is None else str(spec.max_length)
    fields = {
        "name": name_field("name", name),
        "type": choice_field("type", TYPES, spec.type, shown=False),
        "required": yes_field("required", spec.required),
        "default": Field("default", str, spec.text(spec.default), "none"),
        "description": Field("description", str, spec.description, "none"),
        "values": Field("values  of an enum", str, choices_text(spec.values), "such as eu, us"),
        "min": Field("min", str, spec.text(spec.min), "none"),
        "max": Field("max", str, spec.text(spec.max), "none"),
        "pattern": Field("pattern  of a string", str, spec.pattern or "", "such as [A-Z]{3}"),
        "max_length": Field("max length", str, length, "none"),
        "from": Field("from  of a secret", str, spec.from_ or "", "env:NAME, file:PATH or prompt"),
    }

    def build(values: dict[str, object]) -> Document:
        return header_edits.set_input(document, str(values["name"]), input_from(values), name)

    title = "Edit the input" if name else "Add an input"
    return FormWindow(title, [("", fields)], build, intro=f"type: {', '.join(TYPES)}.")
