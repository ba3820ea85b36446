"""The bar at the top: the modes, with the current one marked; clickable."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.events import Click

from kimera_tui.ui.actions import MODES
from kimera_tui.ui.widgets.unmarked import PlainLabel


class ModeTab(PlainLabel):
    """One mode's name."""

    def __init__(self, key: int, mode: str, title: str, current: bool) -> None:
        super().__init__(f" {key} {title} ", classes="-current" if current else "")
        self._mode = mode

    async def on_click(self, event: Click) -> None:
        """Switch to the mode."""
        event.stop()
        await self.app.switch_mode(self._mode)


class TopBar(Horizontal):
    """Name and modes."""

    def __init__(self, current: str) -> None:
        super().__init__()
        self._current = current

    def compose(self) -> ComposeResult:
        """The name, then the modes."""
        yield PlainLabel(" Kimera ", id="brand")
        for key, (mode, (title, _)) in enumerate(MODES.items(), 1):
            yield ModeTab(key, mode, title, mode == self._current)
