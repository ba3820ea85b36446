"""What all windows over a mode share: title, keys, hint, and closing once."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, TypeVar

from textual import on
from textual.await_complete import AwaitComplete
from textual.binding import BindingType
from textual.command import CommandPalette
from textual.screen import ModalScreen
from textual.widgets import Input

from kimera_tui.ui.actions import bindings, hint
from kimera_tui.ui.text import content

T = TypeVar("T")


class Window(ModalScreen[T]):
    """A modal screen; a second key or click while it closes does not close what lies below."""

    SCOPE: ClassVar[str] = "window"
    """Scope of its own keys."""
    BINDINGS: ClassVar[list[BindingType]] = bindings("window")
    heading: str = ""
    """The title on its border; outside text is made safe."""

    @property
    def hint(self) -> str:
        """Its keys on one line."""
        return hint(self.SCOPE, "window")

    def on_mount(self) -> None:
        """Name the window."""
        self.query_one(".window").border_title = content(self.heading)

    def takes_unseen(self, key: str) -> bool:
        """Whether a key typed before the window was there may do something here.

        Args:
            key: Its name; empty for pasted text.
        """
        return True

    def dismiss(self, result: Any = None) -> AwaitComplete:
        """Close with a result, unless it is closed already."""
        if not self.is_active:
            return AwaitComplete()
        # Its panes go before the window does, and its workers would look for them.
        self.workers.cancel_node(self)
        return super().dismiss(result)

    def action_close(self) -> None:
        """Close without an answer."""
        self.dismiss(None)


class QuestionWindow(Window[T]):
    """A window that has to be read before it is answered or filled in."""

    def takes_unseen(self, key: str) -> bool:
        """Only what changes nothing."""
        return key == "escape"


class Palette(CommandPalette):
    """The command palette, with the same care."""

    @on(Input.Submitted)
    async def _found_first(self, event: Input.Submitted) -> None:
        """Take what matches all that was typed, not a part of it."""
        event.stop()
        event.prevent_default()
        while any(  # noqa: ASYNC110 - the search does not announce its end
            worker.group == self._GATHER_COMMANDS_GROUP and not worker.is_finished
            for worker in self.workers
        ):
            await asyncio.sleep(0.005)
        self._select_or_command(event)

    def dismiss(self, result: Any = None) -> AwaitComplete:
        """Close with a result, unless it is closed already."""
        return super().dismiss(result) if self.is_active else AwaitComplete()
