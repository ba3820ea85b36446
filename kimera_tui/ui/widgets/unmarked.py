"""Textual's widgets with markup off: screens use no others for text."""

from __future__ import annotations

from typing import Any, ClassVar

from rich.text import Text
from textual.binding import BindingType
from textual.widgets import Button, Input, Label, OptionList, Static, Tree
from textual.widgets.option_list import Option

from kimera_tui.safetext import safe_in_place
from kimera_tui.ui.actions import bindings
from kimera_tui.ui.text import content, label


class PlainStatic(Static):
    """A Static whose text is always shown as it is, made safe."""

    def __init__(self, text: object = "", **kwargs: Any) -> None:
        super().__init__(content(text, lines=True), markup=False, **kwargs)

    def say(self, text: object) -> None:
        """Show another text."""
        self.update(content(text, lines=True))


class PlainLabel(Label):
    """A Label whose text is always shown as it is, made safe."""

    def __init__(self, text: object = "", **kwargs: Any) -> None:
        super().__init__(content(text), markup=False, **kwargs)

    def say(self, text: object) -> None:
        """Show another text."""
        self.update(content(text))


class PlainButton(Button):
    """A Button with a plain label."""

    def __init__(self, text: str, **kwargs: Any) -> None:
        super().__init__(content(text), **kwargs)


class PlainInput(Input):
    """An Input that shows unsafe characters of its value as pictures; the value stays as it is."""

    @property
    def _value(self) -> Text:
        if self.password:
            return super()._value
        return Text(safe_in_place(self.value), no_wrap=True, overflow="ignore", end="")


class PlainOptions(OptionList):
    """A list of plain texts to choose from."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(markup=False, **kwargs)

    def offer(self, choices: list[tuple[str, str]]) -> None:
        """Show other choices, as pairs of text and id."""
        self.clear_options()
        self.add_options([Option(content(text), id=key) for text, key in choices])


class PlainTree(Tree[Any]):
    """A Tree whose labels are plain; a str would be read as markup."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("tree")

    def process_label(self, label_text: str | Text) -> Text:
        """Make a label safe, whatever it was given as."""
        return label(label_text) if isinstance(label_text, str) else label_text
