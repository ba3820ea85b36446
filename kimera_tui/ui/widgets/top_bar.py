"""The bar of modes at the top: which there are, which one this is; clickable."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.events import Click

from kimera_tui.ui.widgets.plain import PlainLabel

MODES = (("1", "friends", "Friends"), ("2", "compose", "Compose"), ("3", "live", "Live"),
         ("4", "history", "History"), ("5", "cluster", "Cluster"))  # fmt: skip


class ModeTab(PlainLabel):
    """One mode's name."""

    def __init__(self, key: str, mode: str, title: str, current: bool) -> None:
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
        for key, mode, title in MODES:
            yield ModeTab(key, mode, title, mode == self._current)
