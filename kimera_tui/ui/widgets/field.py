"""A labelled form input with room for an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.app import ComposeResult
from textual.containers import Vertical

from kimera_tui.errors import UsageError
from kimera_tui.ui.text import safe
from kimera_tui.ui.widgets.unmarked import PlainInput, PlainLabel
from kimera_tui.values.spec import Spec

MOST_CHOICES = 12
"""Enum choices listed in a title."""


class Field(Vertical):
    """An input with its title above and its error below.

    Args:
        title: Label above the input.
        read: Parses the text; raises UsageError if it is invalid.
        value: The initial text.
        hint: Placeholder shown while the input is empty.
        secret: Whether to hide the text.
    """

    def __init__(
        self, title: str, read: Callable[[str], Any], value: str, hint: str, *, secret: bool = False
    ) -> None:
        super().__init__(classes="field")
        self._head = title
        self._read = read
        # Made now, so that it can be read before it is on the screen.
        self.input = PlainInput(value, placeholder=safe(hint, 200), password=secret, compact=True)
        """The text input."""
        self._error = PlainLabel(classes="field-error")
        self.touched = False
        """Whether the user has typed into it."""

    def compose(self) -> ComposeResult:
        """Title, input, error."""
        yield PlainLabel(self._head, classes="field-title")
        yield self.input
        yield self._error

    def value(self) -> Any:
        """The parsed value; raises UsageError if the text is invalid."""
        return self._read(self.input.value)

    def complain(self, problem: str) -> None:
        """Show an error; an empty text clears it."""
        self._error.say(problem)
        self._error.display = bool(problem)
        self.set_class(bool(problem), "-wrong")


def spec_title(name: str, spec: Spec) -> str:
    """A field title: name, type, choices, limits, and whether it is required."""
    choices = "|".join(safe(text, 40) for text, _ in spec.choices()[:MOST_CHOICES])
    words = [f"{spec.type} {choices}".rstrip()]
    if spec.min is not None and spec.max is not None:
        words.append(f"{spec.min} to {spec.max}")
    elif spec.min is not None:
        words.append(f"at least {spec.min}")
    elif spec.max is not None:
        words.append(f"at most {spec.max}")
    if spec.required:
        words.append("required")
    return f"{name}  {', '.join(words)}"


def optional(name: str, spec: Spec, *, required: bool = False) -> Callable[[str], Any]:
    """A parser for a spec; empty text is None, or an error if the value is required."""

    def read(text: str) -> Any:
        if text if spec.type == "secret" else text.strip():
            return spec.read(name, text)
        if required:
            raise UsageError(f"{name} is required.")
        return None

    return read
