"""The console: modes, themes, and the state that every mode is drawn from."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

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

from kimera_tui.cluster.events import BrokerChanged, ClusterSeen
from kimera_tui.console.console import Console
from kimera_tui.errors import KimeraError
from kimera_tui.process.events import ConnectionBack, ConnectionLost
from kimera_tui.runs.events import RunEnded, RunStarted
from kimera_tui.runs.index import RunBook
from kimera_tui.ui.actions import bindings
from kimera_tui.ui.acts import Acts
from kimera_tui.ui.cluster.screen import ClusterScreen
from kimera_tui.ui.compose.composition import Composition, nothing
from kimera_tui.ui.compose.screen import ComposeScreen
from kimera_tui.ui.crash import report_crash
from kimera_tui.ui.driver import ConsoleDriver
from kimera_tui.ui.friends.screen import FriendsScreen
from kimera_tui.ui.mode_screen import ModeScreen
from kimera_tui.ui.palette import ActionCommands
from kimera_tui.ui.pump import Pump
from kimera_tui.ui.runs.event_lines import event_line
from kimera_tui.ui.runs.event_pane import RING, EventLine
from kimera_tui.ui.runs.history import HistoryScreen
from kimera_tui.ui.runs.live import LiveScreen
from kimera_tui.ui.selection import LookedAt
from kimera_tui.ui.text import safe
from kimera_tui.ui.theme import DARK, LIGHT
from kimera_tui.ui.typed_ahead import TypedAhead
from kimera_tui.ui.widgets.status_line import Vitals
from kimera_tui.ui.windows.confirm import Confirm
from kimera_tui.ui.windows.modals import Help
from kimera_tui.ui.windows.window import Palette

_OF_NO_PANE = (NoMatches, MountError, ScreenStackError)
"""What Textual raises where panes are asked for that are not there."""


class KimeraApp(App[int]):
    """The console on the services that it is given.

    Args:
        services: What stands behind the screen.
        leaving: Called with the exit code as soon as the console is to end.
    """

    TITLE = "Kimera"
    CSS_PATH = "kimera.tcss"
    MODES: ClassVar[dict[str, type[Screen[Any]]]] = {  # type: ignore[assignment]
        "friends": FriendsScreen,
        "compose": ComposeScreen,
        "live": LiveScreen,
        "history": HistoryScreen,
        "cluster": ClusterScreen,
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
        self.book = RunBook()
        self.vitals = Vitals(read_only=services.guard.read_only)
        self.composition: Composition = nothing()
        self.ended_runs: Counter[str] = Counter()
        """How many runs of each name ended while this console was open."""
        self._pump = Pump(services.bus, self.take_in, self.show_news)
        self._backlog: deque[EventLine] = deque(maxlen=RING)
        self.wanted_run: str | None = None
        """The run that Live is to show next."""
        self.looked_at = LookedAt()
        self.acts = Acts(self)
        self._panes_go = False
        self.typed_ahead = TypedAhead(self, super().on_event)
        self.usual: dict[str, tuple[float, float]] = {}
        """Median and 95th percentile of running times, in seconds, by friend.task."""
        self.usual_runs: dict[str, tuple[float, float]] = {}
        """The same of whole runs, by name."""

    def on_mount(self) -> None:
        """Paint first; broker, workers and libraries come up beside the painted screen."""
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
        asking = self.run_worker(self.acts.ask_to_trust_friends(), group="trust")
        await self.services.start()
        if problem := self.services.journal.problem or self.services.journal.notice:
            self.complain(problem)
        await asking.wait()  # runs that were left may need what is asked about
        with contextlib.suppress(KimeraError):  # told by the status line and the events
            recovery = await self.services.runs.recover()
            needs = [text for run in recovery.adopted for text in run.needs]
            needs += [f"{run_id[:8]}: {why}" for run_id, why in recovery.left]
            if recovery.sentence:
                severity = "warning" if needs else "information"
                self.notify("\n".join([recovery.sentence, *needs]), severity=severity, timeout=15)

    def get_driver_class(self) -> type[Driver]:
        """Textual's driver, made to last when its terminal doesn't."""
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
        """Put the terminal right where the console ends without further ado."""
        if isinstance(self._driver, ConsoleDriver):
            self._driver.restore()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Digits belong to the field that is being typed in, and to windows over a mode."""
        if action == "switch_mode":
            return isinstance(self.screen, ModeScreen) and not isinstance(self.focused, Input)
        return True

    async def on_event(self, event: events.Event) -> None:
        """Take what is typed in its order; all else at once."""
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
        """Do what was asked for, unless a window is open or about to be."""
        if self.typed_ahead.passes_by(default_namespace):
            return True
        done = await super().run_action(action, default_namespace, namespaces)
        # Windows are opened by workers, which begin at the loop's next turn: before the next key.
        await asyncio.sleep(0)
        return done

    async def _close_all(self) -> None:
        # Workers draw in the widgets that go now. Textual 8.2.8 ends them before, but not where
        # the app goes in another way than by its own loop.
        self._panes_go = True
        self.workers.cancel_all()
        await super()._close_all()

    def _handle_exception(self, error: Exception) -> None:
        # A message that was on its way may be about a pane that is gone, or that never comes.
        leaving = self._exit or self._panes_go
        if not (leaving and isinstance(error, _OF_NO_PANE)):
            super()._handle_exception(error)

    async def on_unmount(self) -> None:
        """Let the services go."""
        await self.services.close()

    def flush(self) -> None:
        """Take in what waits on the bus now."""
        self._pump.flush()

    # News

    def take_in(self, events: list[Any]) -> None:
        """Fold events into the state."""
        events = self._fold(events)
        lines = [line for event in events if (line := event_line(event, self.book)) is not None]
        self._backlog.extend(lines)
        vitals = self.vitals
        for event in events:
            if isinstance(event, BrokerChanged):
                vitals = vitals.with_broker(event)
            elif isinstance(event, ClusterSeen):
                vitals = vitals.with_view(event.view)
            elif isinstance(event, ConnectionLost | ConnectionBack):
                vitals = vitals.with_connection(event)
            elif isinstance(event, RunEnded) and event.run_id in self.book.runs:
                self.ended_runs[self.book.runs[event.run_id].name] += 1
            elif isinstance(event, RunStarted):
                self.run_worker(self._learn_usual(event), group="usual", exit_on_error=False)
        self.vitals = vitals.counted(vitals.in_flight, len(lines), vitals.dropped)

    def _fold(self, events: list[Any]) -> list[Any]:
        """Take events into the book; returns them as they may be shown, but for their results."""
        return [self.book.take(event, results=False) for event in events]

    def show_news(self, dropped: int) -> None:
        """Have the mode that is on draw what was taken in."""
        self.vitals = self.vitals.counted(self._in_flight(), 0, dropped)
        if isinstance(self.screen, ModeScreen) and self.screen.is_drawable:
            self.screen.news()

    async def _learn_usual(self, started: RunStarted) -> None:
        """How long the tasks of a run usually take; a journal that can't be read tells nothing."""
        with contextlib.suppress(KimeraError):
            if (usual := await self.services.journal.usual_of_run(started.name)) is not None:
                self.usual_runs[started.name] = usual
        for friend, task_name in {
            (task.friend, task.task_name) for _, task in started.plan.leaves()
        }:
            with contextlib.suppress(KimeraError):
                if (usual := await self.services.journal.usual(friend, task_name)) is not None:
                    self.usual[f"{friend}.{task_name}"] = usual

    def _in_flight(self) -> int:
        return sum(run.in_flight for run in self.book.runs.values() if run.ended is None)

    def take_backlog(self) -> list[EventLine]:
        """Events that the event pane hasn't been given yet."""
        lines = list(self._backlog)
        self._backlog.clear()
        return lines

    def take_wanted_run(self) -> str | None:
        """The run to put the cursor on, once."""
        if self.wanted_run not in self.book.runs:
            return None
        wanted, self.wanted_run = self.wanted_run, None
        return wanted

    def tick(self) -> None:
        """Ages and elapsed times go on when nothing happens."""
        for below in self.screen_stack[:1]:  # on the way out there is none
            if isinstance(below, ModeScreen) and below.is_drawable:
                below.news()

    # What modes ask for

    def flash(self, text: str) -> None:
        """Say a routine thing."""
        self.notify(text, timeout=3)

    def complain(self, text: str) -> None:
        """Say what went wrong."""
        self.notify(text, severity="error", timeout=8)

    def notify(self, message: str, **kwargs: Any) -> None:
        """Show a toast; its text is made safe and never read as markup."""
        kwargs["markup"] = False
        super().notify(safe(message, 600, lines=True), **kwargs)

    def _fatal_error(self) -> None:
        # Textual would print a traceback with the values of all variables, secrets included.
        sentence = report_crash(self._exception or RuntimeError("unknown"))
        self._exit_renderables.append(Text(sentence))
        self._leaving(1)
        self._close_messages_no_wait()

    async def action_quit(self) -> None:
        """Leave; with tasks in flight or edits to lose only after asking."""
        if not isinstance(self.screen, Confirm):
            self.acts.leave(self._in_flight())

    def action_help_quit(self) -> None:
        """Say which key leaves: ctrl+c, which is pressed for it, does not."""
        keys = [key for key, active in self.active_bindings.items() if active.binding.id == "quit"]
        self.flash(f"{' or '.join(keys)} quits the console.")

    def action_command_palette(self) -> None:
        """Show everything that can be done, by its name."""
        if not isinstance(self.screen, ModalScreen):
            self.push_screen(Palette(id="--command-palette"))

    def action_help(self) -> None:
        """Show all keys."""
        if not isinstance(self.screen, ModalScreen):
            self.push_screen(Help())
