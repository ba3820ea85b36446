"""What all modes share: the bar of modes, status, the line of keys, and news from the pump."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual import events, getters
from textual.app import ComposeResult
from textual.containers import Container
from textual.screen import Screen

from kimera_tui.ui.widgets.key_line import KeyLine
from kimera_tui.ui.widgets.status_line import StatusLine
from kimera_tui.ui.widgets.top_bar import TopBar

if TYPE_CHECKING:
    from kimera_tui.ui.app import KimeraApp


class ModeScreen(Screen[None]):
    """One mode. Subclasses compose their content and draw themselves from the app's book."""

    SCOPE: ClassVar[str] = ""
    """Name of the mode."""
    SCOPES: ClassVar[tuple[str, ...]] = ()
    """Scopes of the actions that can be done here, besides those that can be done everywhere."""

    status = getters.query_one(StatusLine)

    @property
    def kimera(self) -> KimeraApp:
        """The app, as what it is."""
        return cast("KimeraApp", self.app)

    @property
    def is_drawable(self) -> bool:
        """Whether its panes are there: on the way out they go before the screen does."""
        return self.is_mounted and bool(self.query(StatusLine))

    def _forward_event(self, event: events.Event) -> None:
        # Textual 8.2.8 asks for the parent of what was pressed, which a part of a form that is
        # just being replaced has lost.
        if isinstance(event, events.MouseDown):
            pressed, _ = self.get_widget_and_offset_at(event.x, event.y)
            if pressed is not None and pressed.parent is None and pressed is not self:
                return
        super()._forward_event(event)

    def compose(self) -> ComposeResult:
        """Bar, content, status, keys."""
        yield TopBar(self.SCOPE)
        with Container(id="content"):
            yield from self.compose_content()
        yield StatusLine()
        yield KeyLine()

    def compose_content(self) -> ComposeResult:
        """What the mode shows."""
        raise NotImplementedError

    def on_mount(self) -> None:
        """Draw what is known already."""
        self.draw()

    def on_screen_resume(self) -> None:
        """Draw what happened while another mode was on."""
        if self.is_drawable:
            self.draw()

    def draw(self) -> None:
        """Draw everything anew from the app's book."""
        self.draw_status()

    def draw_status(self) -> None:
        """Draw the status line."""
        self.status.show(self.kimera.vitals, self.kimera.services.clock.now())

    def news(self) -> None:
        """Draw what the app has taken in while this mode is on."""
        self.draw_status()
