"""The last line: the keys that do something here, all clickable."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from textual.binding import ActiveBinding
from textual.content import Content
from textual.events import MouseDown, MouseMove
from textual.geometry import Size
from textual.screen import Screen
from textual.widget import Widget


class Key(NamedTuple):
    """A key on the line, with the column it begins in and the one behind it."""

    active: ActiveBinding
    start: int
    end: int


class KeyLine(Widget):
    """Painted as one line: with a widget for each key, every change of focus styles them all."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    KeyLine {
        dock: bottom;
        height: 1;
        background: $background;
        color: $footer-description-foreground;
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._keys: list[Key] = []

    def on_mount(self) -> None:
        """Follow the keys of the screen."""
        self.screen.bindings_updated_signal.subscribe(self, self._changed)

    def _changed(self, screen: Screen[object]) -> None:
        if self.is_attached and screen is self.screen and self.app.app_focus:
            self.refresh()

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """As wide as there is room."""
        return container.width

    def render(self) -> Content:
        """The keys from left to right, and the palette at the right edge."""
        bindings = self.screen.active_bindings
        self._keys = []
        palette = bindings.get(self.app.COMMAND_PALETTE_BINDING)
        last = Content("") if palette is None else self._words(palette, gap="")
        room = self.size.width - last.cell_length - 1
        parts: list[Content] = []
        start = 0
        for active in _one_an_action(bindings.values()):
            parts.append(self._words(active, gap=" "))
            end = start + parts[-1].cell_length
            self._keys.append(Key(active, start, min(end, room)))
            start = end
        line = Content("").join(parts).truncate(max(0, room), pad=True)
        if palette is None:
            return line
        self._keys.append(Key(palette, room, self.size.width))
        return line + Content.styled("▏", "$foreground 20%") + last

    def _words(self, active: ActiveBinding, gap: str) -> Content:
        key = self.app.get_key_display(active.binding)
        off = "" if active.enabled else "dim"
        return Content.assemble(
            (f"{gap}{key} ", f"bold {off} $footer-key-foreground"),
            (f"{active.binding.description} ", off),
        )

    def _under(self, x: int) -> ActiveBinding | None:
        return next((key.active for key in self._keys if key.start <= x < key.end), None)

    def on_mouse_move(self, event: MouseMove) -> None:
        """Explain the key under the pointer."""
        active = self._under(event.x)
        self.tooltip = active and (active.tooltip or active.binding.description)

    def on_mouse_down(self, event: MouseDown) -> None:
        """Do what the key does."""
        if (active := self._under(event.x)) is None:
            return
        if active.enabled:
            self.app.simulate_key(active.binding.key)
        else:
            self.app.bell()


def _one_an_action(bindings: Iterable[ActiveBinding]) -> list[ActiveBinding]:
    """The bindings to show; of several keys for one action, the first."""
    shown: dict[str, ActiveBinding] = {}
    for active in bindings:
        if active.binding.show:
            shown.setdefault(active.binding.action, active)
    return list(shown.values())
