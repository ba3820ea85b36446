"""The window that lists, adds, edits and deletes a document's inputs."""

from __future__ import annotations

from typing import ClassVar

from textual import work
from textual.binding import BindingType

from kimera_tui.documents import edits
from kimera_tui.documents.document import Document
from kimera_tui.documents.document import Input as InputSpec
from kimera_tui.documents.inputs import choices_text, input_from
from kimera_tui.safetext import safe
from kimera_tui.ui.actions import bindings
from kimera_tui.ui.compose.detail import spec_words
from kimera_tui.ui.compose.forms import FormWindow
from kimera_tui.ui.compose.step_form import choice_field, name_field, yes_field
from kimera_tui.ui.widgets.field import Field
from kimera_tui.ui.widgets.lines import Line
from kimera_tui.ui.widgets.panes import ListPane
from kimera_tui.ui.windows.lists import ListWindow
from kimera_tui.values.spec import TYPES


class InputList(ListPane[tuple[str, InputSpec]]):
    """The inputs, one per line."""

    empty_text = "This workflow has no inputs yet.\nPress a to add one, such as the day to process."

    def line_of(self, item: tuple[str, InputSpec]) -> Line:
        """An input: its name and its constraints."""
        name, spec = item
        return (
            (f" {name:<20} ", "strong"),
            (spec_words(spec), ""),
            (f"  {safe(spec.description, 200)}" if spec.description else "", "dim"),
        )


class InputsEditor(ListWindow[Document, tuple[str, InputSpec]]):
    """Edits the inputs of a document; returns the edited document."""

    SCOPE: ClassVar[str] = "inputs"
    BINDINGS: ClassVar[list[BindingType]] = bindings("inputs")

    def __init__(self, document: Document) -> None:
        super().__init__("Inputs", InputList())
        self._document = document

    def takes_unseen(self, key: str) -> bool:
        """Whether a key works before the window is visible: all except those that delete."""
        return key not in ("d", "delete")

    def on_mount(self) -> None:
        """Show the inputs."""
        self._take(self._document)

    def _take(self, document: Document, cursor: int | None = None) -> None:
        self._document = document
        self.pane.show(list(document.inputs.items()), cursor)

    def open_selected(self) -> None:
        """Edit the input."""
        self.action_edit()

    @work
    async def action_add(self) -> None:
        """Add an input."""
        document = await self.app.push_screen_wait(input_form(self._document, ""))
        if document is not None:
            self._take(document, len(document.inputs) - 1)

    @work
    async def action_edit(self) -> None:
        """Edit the input under the cursor."""
        if self.pane.selected is not None:
            form = input_form(self._document, self.pane.selected[0])
            if (document := await self.app.push_screen_wait(form)) is not None:
                self._take(document)

    def action_move(self, by: int) -> None:
        """Move the input under the cursor; a run asks for inputs in this order."""
        if self.pane.selected is not None:
            name = self.pane.selected[0]
            self._take(edits.move_input(self._document, name, by))
            self.pane.move_cursor(list(self._document.inputs).index(name))

    def action_delete(self) -> None:
        """Delete the input under the cursor; undo in the composer restores it."""
        if self.pane.selected is not None:
            self._take(edits.delete_input(self._document, self.pane.selected[0]))

    def action_close(self) -> None:
        """Close with the edited document."""
        self.dismiss(self._document)


def input_form(document: Document, name: str) -> FormWindow[Document]:
    """A form that edits one input and returns the new document; an empty name adds an input."""
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
        return edits.set_input(document, str(values["name"]), input_from(values), name)

    title = "Edit the input" if name else "Add an input"
    return FormWindow(title, [("", fields)], build, intro=f"type: {', '.join(TYPES)}.")
