"""What modes and their windows need of the app, so that none of them knows the app itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeVar

from textual.screen import Screen
from textual.worker import Worker

from kimera_tui.console.console import Console
from kimera_tui.ui.state import ConsoleState

T = TypeVar("T")
Command = Callable[[bool], Coroutine[Any, Any, None] | None]
"""An action, told whether to ask first; a coroutine if it opens windows or waits."""


class Shell(Protocol):
    """Asks and tells the operator, and runs what was asked for."""

    async def ask(self, window: Screen[T]) -> T:
        """Open a window over everything else, and return what it closes with.

        Only a worker may ask: the message loop goes on meanwhile.
        """

    @property
    def screen(self) -> Screen[Any]:
        """What is on top: a mode, or a window over it."""

    @property
    def screen_stack(self) -> Sequence[Screen[Any]]:
        """The mode, then the windows over it."""

    def flash(self, text: str, seconds: float = 3) -> None:
        """Say a routine thing for some seconds."""

    def complain(self, text: str) -> None:
        """Say what went wrong."""

    async def reporting(self, work: Awaitable[T]) -> T | None:
        """Await work and return its result; show a KimeraError on screen and return None."""

    def start(self, work: Coroutine[Any, Any, Any], group: str) -> Worker[Any]:
        """Start background work; errors are shown the same way."""

    def switch_mode(self, mode: str) -> Awaitable[None]:
        """Go to a mode."""

    def copy_to_clipboard(self, text: str) -> None:
        """Copy a text."""

    def exit(self) -> None:
        """Leave the console without asking."""


class Kimera(Shell, Protocol):
    """The console as its modes see it."""

    @property
    def services(self) -> Console:
        """The parts behind the screen."""

    @property
    def state(self) -> ConsoleState:
        """What the modes draw."""
