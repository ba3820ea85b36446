"""A window of input fields that builds one value and shows each error below its field."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from pydantic import ValidationError
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Button, Input

from kimera_tui.documents.schema_errors import sentence_of_field
from kimera_tui.errors import UsageError
from kimera_tui.ui.actions import bindings
from kimera_tui.ui.text import content
from kimera_tui.ui.widgets.field import Field
from kimera_tui.ui.widgets.unmarked import PlainButton, PlainStatic
from kimera_tui.ui.windows.window import QuestionWindow

T = TypeVar("T")
Section = tuple[str, Mapping[str, Field]]
"""A title (may be empty) and its fields by name."""


class FormWindow(QuestionWindow[T | None]):
    """Asks for values and returns the result of ``build``.

    Args:
        title: The window's title.
        sections: The fields.
        build: Builds the result from the values by field name. If it raises UsageError or
            ValidationError, the window stays open and shows the error below the field it names.
        act: Label of the submit button.
        intro: A short text above the fields.
        focus: Name of the field to focus; empty focuses the first.
    """

    SCOPE: ClassVar[str] = "form"
    BINDINGS: ClassVar[list[BindingType]] = bindings("form")

    def __init__(
        self,
        title: str,
        sections: Sequence[Section],
        build: Callable[[dict[str, Any]], T],
        *,
        act: str = "Take",
        intro: str = "",
        focus: str = "",
    ) -> None:
        super().__init__()
        self.heading = title
        self._sections = sections
        self._build = build
        self._act = act
        self._intro = intro
        self._first = focus
        self.fields = {name: field for _, fields in sections for name, field in fields.items()}

    @property
    def typed(self) -> Mapping[str, str]:
        """The text of each field, by name."""
        return {name: field.input.value for name, field in self.fields.items()}

    def type_again(self, typed: Mapping[str, str]) -> None:
        """Fill the fields with the texts typed into an identical window."""
        for name, text in typed.items():
            self.fields[name].input.value = text

    def compose(self) -> ComposeResult:
        """The sections with their fields, then two buttons."""
        with Vertical(classes="window form"):
            with VerticalScroll(can_focus=False):
                if self._intro:
                    yield PlainStatic(self._intro, classes="form-doc")
                for title, fields in self._sections:
                    if title:
                        yield PlainStatic(title, classes="form-title")
                    yield from fields.values()
            with Vertical(classes="form-foot"):
                yield PlainStatic(classes="form-problem")
                with Horizontal(classes="buttons"):
                    yield PlainButton(
                        f"{self._act}  ctrl+r", id="take", variant="primary", compact=True
                    )
                    yield PlainButton("Cancel  esc", id="cancel", compact=True)

    def on_mount(self) -> None:
        """Focus the first field."""
        self.query_one(".window").border_title = content(self.heading)
        field = self.fields.get(self._first) or next(iter(self.fields.values()), None)
        if field is not None:
            field.input.focus()
        else:
            self.query_one("#take").focus()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        for field in self.fields.values():
            if field.input is event.input:
                field.touched = field.touched or field.input.has_focus or bool(event.value)
        self._read(every=False)

    @on(Input.Submitted)
    @on(Button.Pressed, "#take")
    def action_take(self) -> None:
        """Return the result if every field is valid."""
        values, invalid = self._read(every=True)
        if invalid is None:
            try:
                result = self._build(values)
            except UsageError as error:
                self._say_at(str(error).partition(":")[0], str(error))
            except ValidationError as error:
                self._say_invalid(error)
            else:
                self.dismiss(result)
            return
        invalid.input.focus()
        invalid.scroll_visible(animate=False)

    @on(Button.Pressed, "#cancel")
    def action_close(self) -> None:
        """Close without a result."""
        self.dismiss(None)

    def _read(self, *, every: bool) -> tuple[dict[str, Any], Field | None]:
        """All valid values, and the first invalid field."""
        values: dict[str, Any] = {}
        invalid = None
        for name, field in self.fields.items():
            try:
                values[name] = field.value()
                field.complain("")
            except UsageError as error:
                field.complain(str(error) if every or field.touched else "")
                invalid = invalid or field
        self._say("")
        return values, invalid

    def _say(self, text: str) -> None:
        problem = self.query_one(".form-problem", PlainStatic)
        problem.say(text)
        problem.display = bool(text)

    def _say_invalid(self, error: ValidationError) -> None:
        name, sentence = sentence_of_field(error)
        self._say_at(name, f"{name}: {sentence}" if name else sentence)

    def _say_at(self, name: str, sentence: str) -> None:
        """Show an error below the field it names, or at the bottom of the form."""
        if (field := self.fields.get(name)) is None:
            self._say(sentence)
            return
        field.complain(sentence)
        field.input.focus()
        field.scroll_visible(animate=False)
