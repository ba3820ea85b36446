"""Windows that offer a list: answers to pick one of, or a pane with keys for what is in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import OptionList

from kimera_tui.ui.widgets.lines import LineView
from kimera_tui.ui.widgets.panes import ListPane
from kimera_tui.ui.widgets.unmarked import PlainOptions, PlainStatic
from kimera_tui.ui.windows.window import QuestionWindow, Window

T = TypeVar("T")
R = TypeVar("R")


class ChoiceWindow(QuestionWindow[T | None], Generic[T]):
    """Offers answers; returns the one that is picked, or None.

    Args:
        heading: Title of the window.
        choices: Each answer, with its words; the first one is highlighted.
        intro: Text above them.
    """

    LOOK: ClassVar[str] = "pick"
    """CSS class of the window."""

    def __init__(self, heading: str, choices: Sequence[tuple[str, T]], intro: str = "") -> None:
        super().__init__()
        self.heading = heading
        self.choices = choices
        self._intro = intro

    def compose(self) -> ComposeResult:
        """The text and the answers."""
        with Vertical(classes=f"window {self.LOOK}"):
            if self._intro:
                yield PlainStatic(self._intro)
            yield PlainOptions()
            yield from self.compose_below()

    def compose_below(self) -> ComposeResult:
        """What stands below the answers."""
        yield from ()

    def on_mount(self) -> None:
        """Offer the answers."""
        options = self.query_one(PlainOptions)
        options.offer([(words, str(n)) for n, (words, _) in enumerate(self.choices)])
        options.highlighted = 0
        options.focus()

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self.choices[int(event.option.id or 0)][1])


class ListWindow(Window[R], Generic[R, T]):
    """Shows a list pane, with a message and the window's keys below it.

    Args:
        heading: Title of the window.
        pane: The list.
    """

    AUTO_FOCUS: ClassVar[str | None] = "LineView"

    def __init__(self, heading: str, pane: ListPane[T]) -> None:
        super().__init__()
        self.heading = heading
        self.pane = pane

    def compose(self) -> ComposeResult:
        """The list, the message, the keys."""
        with Vertical(classes="window reader"):
            yield from self.compose_above()
            yield self.pane
            with Vertical(classes="reader-keys"):
                yield PlainStatic(classes="message")
                yield PlainStatic(self.hint)

    def compose_above(self) -> ComposeResult:
        """What stands above the list."""
        yield from ()

    def on_mount(self) -> None:
        """Say nothing yet."""
        self.say("")

    def say(self, text: str) -> None:
        """Show a message below the list."""
        message = self.query_one(".message", PlainStatic)
        message.say(text)
        message.display = bool(text)

    @on(LineView.Opened)
    def _opened(self) -> None:
        self.open_selected()

    def open_selected(self) -> None:
        """What enter or a double click does."""
