"""Windows over a mode, each of which closes once, however often it is told to."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

from textual import on
from textual.await_complete import AwaitComplete
from textual.command import CommandPalette
from textual.screen import ModalScreen
from textual.widgets import Input

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

    @on(Input.Submitted)
    async def _found_first(self, event: Input.Submitted) -> None:
        """Take what is found for all that was typed, not for a part of it."""
        event.stop()
        event.prevent_default()
        while any(  # noqa: ASYNC110 - the search says nowhere when it is through
            worker.group == self._GATHER_COMMANDS_GROUP and not worker.is_finished
            for worker in self.workers
        ):
            await asyncio.sleep(0.005)
        self._select_or_command(event)

    def dismiss(self, result: Any = None) -> AwaitComplete:
        """Close with a result, unless it is closed already."""
        return super().dismiss(result) if self.is_active else AwaitComplete()
