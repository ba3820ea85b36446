"""The question before an act that cannot be undone; the focus is on No."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Button

from kimera_tui.ui.actions import bindings
from kimera_tui.ui.widgets.unmarked import PlainButton, PlainStatic
from kimera_tui.ui.windows.window import QuestionWindow


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked."""

    title: str
    text: str
    """Names the object and the count."""
    act: str
    """The word on the button that does it."""
    choices: tuple[str, ...] = ()
    """Ways to do it, a button each; the first one is the gentlest."""


class Confirm(QuestionWindow[str]):
    """Asks; returns the choice, the word of the act, or an empty string for no."""

    SCOPE: ClassVar[str] = "confirm"
    BINDINGS: ClassVar[list[BindingType]] = bindings("confirm")

    def __init__(self, question: Question) -> None:
        super().__init__()
        self._question = question
        self.heading = question.title

    def compose(self) -> ComposeResult:
        """The text and the buttons."""
        question = self._question
        with Vertical(classes="window confirm"):
            with VerticalScroll(classes="question", can_focus=False):
                yield PlainStatic(question.text)
            with Horizontal(classes="buttons"):
                yield PlainButton("No  esc", id="no", compact=True)
                for number, words in enumerate(question.choices or (question.act,)):
                    yield PlainButton(words, id=f"choice-{number}", variant="error", compact=True)

    def on_mount(self) -> None:
        """Focus No."""
        self.query_one("#no").focus()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        name = event.button.id or "no"
        choices = self._question.choices or (self._question.act,)
        self.dismiss("" if name == "no" else choices[int(name.removeprefix("choice-"))])

    def action_read(self, by: int) -> None:
        """Scroll a question that does not fit on the screen."""
        self.query_one(".question").scroll_relative(y=by, animate=False)

    def action_close(self) -> None:
        """Change nothing."""
        self.dismiss("")
