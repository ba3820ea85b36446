"""The console: modes, themes, keys, and the pump that feeds the state."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, ClassVar, TypeVar

from rich.console import RenderableType
from rich.text import Text
from textual import events
from textual.app import App, ScreenStackError
from textual.binding import BindingType
from textual.css.query import NoMatches
from textual.dom import DOMNode
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.screen import ModalScreen, Screen
from textual.widget import MountError
from textual.widgets import Input
from textual.worker import Worker

from kimera_tui.console.console import Console
from kimera_tui.errors import KimeraError
from kimera_tui.ui.actions import bindings
from kimera_tui.ui.acts import Acts
from kimera_tui.ui.cluster.screen import ClusterScreen
from kimera_tui.ui.compose.editor import Editor
from kimera_tui.ui.compose.files import WorkflowFiles
from kimera_tui.ui.compose.screen import ComposeScreen
from kimera_tui.ui.crash import report_crash
from kimera_tui.ui.driver import ConsoleDriver
from kimera_tui.ui.friends.screen import FriendsScreen
from kimera_tui.ui.mode_screen import ModeScreen
from kimera_tui.ui.palette import ActionCommands
from kimera_tui.ui.pump import Pump
from kimera_tui.ui.runs.history import HistoryScreen
from kimera_tui.ui.runs.live import LiveScreen
from kimera_tui.ui.state import ConsoleState
from kimera_tui.ui.text import safe
from kimera_tui.ui.theme import DARK, LIGHT
from kimera_tui.ui.typed_ahead import TypedAhead
from kimera_tui.ui.windows.confirm import Confirm
from kimera_tui.ui.windows.modals import Help
from kimera_tui.ui.windows.window import Palette, Window

T = TypeVar("T")
_NO_PANE = (NoMatches, MountError, ScreenStackError)
"""What Textual raises for panes that are not there."""


class KimeraApp(App[int]):
    """The console.

    Args:
        services: The parts behind the screen.
        leaving: Called with the exit code as soon as the console starts to exit.
    """

    TITLE = "Kimera"
    CSS_PATH = "kimera.tcss"
    MODES: ClassVar[dict[str, type[Screen[Any]]]] = {  # type: ignore[assignment]
        mode.SCOPE: mode
        for mode in (FriendsScreen, ComposeScreen, LiveScreen, HistoryScreen, ClusterScreen)
    }
    DEFAULT_MODE = "friends"
    BINDINGS: ClassVar[list[BindingType]] = bindings("app")
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - Textual declares it as an instance's
        (0, "-narrow"),
        (100, "-normal"),
        (160, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012
    COMMANDS: ClassVar[set[Any]] = {ActionCommands}

    def __init__(
        self, services: Console, leaving: Callable[[int], None] = lambda code: None
    ) -> None:
        super().__init__()
        self.services = services
        self._leaving = leaving
        self.state = ConsoleState(services)
        self.files = WorkflowFiles(self, self.state.composer, services, Editor(self))
        self.acts = Acts(self, self.files)
        self.typed_ahead = TypedAhead(self, super().on_event, self.flash)
        self._pump = Pump(services.bus, self._take_in, self._show_news)
        self._is_closing = False

    def on_mount(self) -> None:
        """Paint first; broker, workers and libraries start afterwards."""
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = DARK.name
        changed = self.typed_ahead.screen_changed
        self.screen_change_signal.subscribe(self, changed, immediate=True)
        self.run_worker(self._pump.run(), group="pump", exclusive=True)
        self.call_after_refresh(self._start_services)
        self.set_interval(1.0, self.tick)

    def _start_services(self) -> None:
        self.run_worker(self._bring_up(), group="services")
        self.run_worker(self._show_friends_notice(), group="friends-notice")

    async def _show_friends_notice(self) -> None:
        if notice := await asyncio.to_thread(self.services.friends_notice):
            self.notify("\n".join(notice), severity="warning", timeout=30)

    async def _bring_up(self) -> None:
        asking = self.start(self.acts.ask_to_trust_friends(), "trust")
        await self.services.start()
        if problem := self.services.journal.problem or self.services.journal.notice:
            self.complain(problem)
        await asking.wait()  # interrupted runs may need what it asks about
        with contextlib.suppress(KimeraError):  # status line and events say so
            recovery = await self.services.runs.recover()
            needs = [text for run in recovery.adopted for text in run.needs]
            needs += [f"{run_id[:8]}: {why}" for run_id, why in recovery.left]
            if recovery.sentence:
                severity = "warning" if needs else "information"
                self.notify("\n".join([recovery.sentence, *needs]), severity=severity, timeout=15)

    def get_driver_class(self) -> type[Driver]:
        """Textual's driver, which here survives the loss of its terminal."""
        found = super().get_driver_class()
        return ConsoleDriver if found is LinuxDriver else found

    def exit(
        self,
        result: int | None = None,
        return_code: int = 0,
        message: RenderableType | None = None,
    ) -> None:
        """Leave without asking."""
        self._leaving(return_code)
        super().exit(result, return_code, message)

    def mend_terminal(self) -> None:
        """Restore the terminal when the console exits abruptly."""
        if isinstance(self._driver, ConsoleDriver):
            self._driver.restore()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave digits to the focused field, and to windows over a mode."""
        if action == "switch_mode":
            return isinstance(self.screen, ModeScreen) and not isinstance(self.focused, Input)
        return True

    async def on_event(self, event: events.Event) -> None:
        """Take keys in their order, and everything else at once."""
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            await self.typed_ahead.take(event)
        else:
            await super().on_event(event)

    async def run_action(
        self,
        action: Any,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Do an action, unless a window is open or about to open."""
        if self.typed_ahead.passes_by(default_namespace):
            return True
        done = await self.reporting(super().run_action(action, default_namespace, namespaces))
        # Workers open windows at the next turn of the loop, which comes before the next key.
        await asyncio.sleep(0)
        return done is not False

    async def _close_all(self) -> None:
        # Workers draw in the widgets that close now. Textual 8.2.8 cancels them first, but only
        # if the app's own loop closes it.
        self._is_closing = True
        self.workers.cancel_all()
        await super()._close_all()

    def _handle_exception(self, error: Exception) -> None:
        # A late message may be about a pane that is gone, or that never comes.
        leaving = self._exit or self._is_closing
        if not (leaving and isinstance(error, _NO_PANE)):
            super()._handle_exception(error)

    async def on_unmount(self) -> None:
        """Let the services go."""
        await self.services.close()

    def flush(self) -> None:
        """Take in the events that wait on the bus."""
        self._pump.flush()

    # News

    def _take_in(self, events: list[Any]) -> None:
        for started in self.state.take_in(events):
            self.run_worker(self.state.learn_usual(started), group="usual", exit_on_error=False)

    def _show_news(self, dropped: int) -> None:
        """Have the current mode draw what was taken in."""
        self.state.count(dropped)
        if isinstance(self.screen, ModeScreen) and self.screen.is_drawable:
            self.screen.news()

    def tick(self) -> None:
        """Draw ages and elapsed times, also when nothing happens."""
        for below in self.screen_stack[:1]:  # on exit there is none
            if isinstance(below, ModeScreen) and below.is_drawable:
                below.news()

    # What modes need

    async def ask(self, window: Screen[T]) -> T:
        """Open a window from a worker, and wait for its result."""
        result: T = await self.push_screen_wait(window)
        return result

    async def reporting(self, work: Awaitable[T]) -> T | None:
        """Await work and return its result; show a KimeraError on screen and return None."""
        try:
            return await work
        except KimeraError as error:
            self.complain(str(error))
            return None

    def start(self, work: Coroutine[Any, Any, Any], group: str) -> Worker[Any]:
        """Start background work; errors are shown on screen."""
        return self.run_worker(self.reporting(work), group=group)

    def flash(self, text: str, seconds: float = 3) -> None:
        """Say a routine thing."""
        self.notify(text, timeout=seconds)

    def complain(self, text: str) -> None:
        """Say what went wrong."""
        self.notify(text, severity="error", timeout=8)

    def notify(self, message: str, **kwargs: Any) -> None:
        """Show a toast; its text is made safe and never read as markup."""
        kwargs["markup"] = False
        super().notify(safe(message, 600, lines=True), **kwargs)

    def _fatal_error(self) -> None:
        # Textual would print a traceback with the values of all variables, also of secrets.
        sentence = report_crash(self._exception or RuntimeError("unknown"))
        self._exit_renderables.append(Text(sentence))
        self._leaving(1)
        self._close_messages_no_wait()

    async def action_quit(self) -> None:
        """Leave; asks first if tasks are in flight or edits unsaved."""
        if isinstance(self.screen, Confirm):
            return
        question = self.acts.before_leaving()
        if question is None:
            self.exit()
        else:
            # Without a worker: keys typed ahead are for the question, not for the mode below.
            self.push_screen(Confirm(question), self.acts.leave)

    def action_help_quit(self) -> None:
        """Say which key quits: ctrl+c does not."""
        keys = [key for key, active in self.active_bindings.items() if active.binding.id == "quit"]
        self.flash(f"{' or '.join(keys)} quits the console.")

    def action_command_palette(self) -> None:
        """Show every action by its name."""
        if not isinstance(self.screen, ModalScreen):
            self.push_screen(Palette(id="--command-palette"))

    def action_help(self) -> None:
        """Show all keys, those of the screen first."""
        if isinstance(self.screen, ModeScreen):
            self.push_screen(Help(self.screen.SCOPES))
        elif isinstance(self.screen, Window) and not isinstance(self.screen, Help):
            self.push_screen(Help((self.screen.SCOPE, "window")))
