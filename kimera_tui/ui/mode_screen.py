"""What all modes share: the bar of modes, the status line, the line of keys, and news."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Protocol, cast

from textual import events, getters
from textual.app import ComposeResult
from textual.containers import Container
from textual.screen import Screen

from kimera_tui.ui.acts import Acts
from kimera_tui.ui.compose.files import WorkflowFiles
from kimera_tui.ui.kimera import Command, Kimera
from kimera_tui.ui.widgets.key_line import KeyLine
from kimera_tui.ui.widgets.status_line import StatusLine
from kimera_tui.ui.widgets.top_bar import TopBar


class ModeHost(Kimera, Protocol):
    """The app as modes see it: with what the operator can do."""

    @property
    def acts(self) -> Acts:
        """Acts on runs and tasks."""

    @property
    def files(self) -> WorkflowFiles:
        """The files of the composer."""


class ModeScreen(Screen[None]):
    """One mode. Subclasses compose their content and draw themselves from the state."""

    SCOPE: ClassVar[str] = ""
    """Name of the mode."""
    SCOPES: ClassVar[tuple[str, ...]] = ()
    """Scopes of its actions, besides those that can be done everywhere."""

    status = getters.query_one(StatusLine)

    @property
    def kimera(self) -> ModeHost:
        """The app."""
        return cast("ModeHost", self.app)

    @property
    def commands(self) -> Mapping[str, Command]:
        """Its actions that are no methods of its own, by their names in the registry."""
        return {}

    async def action_do(self, name: str, ask: bool = False) -> None:
        """Do one of these actions; its errors become sentences on screen.

        Args:
            name: Its name.
            ask: Whether to ask before something is sent, overwritten or removed.
        """
        if (work := self.commands[name](ask)) is not None:
            reporting = self.kimera.reporting(work)
            self.run_worker(reporting, f"action_{name}", f"do-{name}", exclusive=True)

    @property
    def is_drawable(self) -> bool:
        """Whether its panes are there: on exit they go before the screen does."""
        return self.is_mounted and bool(self.query(StatusLine))

    def _forward_event(self, event: events.Event) -> None:
        # Textual 8.2.8 needs the parent of what was pressed; a form that is being replaced has
        # none.
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

    @abstractmethod
    def compose_content(self) -> ComposeResult:
        """What the mode shows."""

    def on_mount(self) -> None:
        """Draw what is known already."""
        self.draw()

    def on_screen_resume(self) -> None:
        """Draw what changed while another mode was on."""
        if self.is_drawable:
            self.draw()

    def draw(self) -> None:
        """Draw everything from the state."""
        self.draw_status()

    def draw_status(self) -> None:
        """Draw the status line."""
        self.status.show(self.kimera.state.vitals, self.kimera.services.clock.now())

    def news(self) -> None:
        """Draw what has changed while this mode is on."""
        self.draw_status()
