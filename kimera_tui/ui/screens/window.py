"""Windows over a mode, each of which closes once, however often it is told to."""

from __future__ import annotations

from typing import Any, TypeVar

from textual.await_complete import AwaitComplete
from textual.command import CommandPalette
from textual.screen import ModalScreen

T = TypeVar("T")


class Window(ModalScreen[T]):
    """A modal screen; a second key or click on its way out doesn't close what lies below."""

    def takes_unseen(self, key: str) -> bool:
        """Whether a key may do something here that was typed before the window was there.

        Args:
            key: Its name; empty for a text that was pasted.
        """
        return True

    def dismiss(self, result: Any = None) -> AwaitComplete:
        """Close with a result, unless it is closed already."""
        if not self.is_active:
            return AwaitComplete()
        # The panes go before the window does, and what it still does would look for them.
        self.workers.cancel_node(self)
        return super().dismiss(result)


class QuestionWindow(Window[T]):
    """A window that has to be read before it is answered or filled in."""

    def takes_unseen(self, key: str) -> bool:
        """Only what leaves everything as it is."""
        return key == "escape"


class Palette(CommandPalette):
    """The command palette, with the same care."""

    def dismiss(self, result: Any = None) -> AwaitComplete:
        """Close with a result, unless it is closed already."""
        return super().dismiss(result) if self.is_active else AwaitComplete()
