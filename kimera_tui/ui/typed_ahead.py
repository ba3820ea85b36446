"""Keys typed faster than the screen can follow: each waits until what it is for is there."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from textual.dom import DOMNode
from textual.events import Key, Paste
from textual.screen import Screen
from textual.timer import Timer
from textual.worker import Worker

from kimera_tui.ui.windows.window import Window

if TYPE_CHECKING:
    from kimera_tui.ui.app import KimeraApp

LOOK_EVERY = 0.01
"""Seconds between two looks at whether the next key can be taken."""
PATIENCE = 200
"""Looks after which keys that wait are refused: about two seconds, more on a busy machine."""
NEVER_REFUSED = ("ctrl+q", "ctrl+c")
"""Keys that are done after the wait, whatever is under way."""
UNSEEN = "Not done: you typed that before the window was there."
BUSY = "Not done: what you asked for before is still under way."


class _Typed(NamedTuple):
    event: Key | Paste
    on: Screen[Any]
    """What was on the screen when it was typed."""


class TypedAhead:
    """Hands keys on in their order, each once the one before it has been dealt with.

    An action that asks something is a worker of its screen, and has a name like its method's: keys
    wait until its window is there.

    Args:
        app: The console.
        hand_on: Does what a key is for.
    """

    def __init__(self, app: KimeraApp, hand_on: Callable[[Key | Paste], Awaitable[None]]) -> None:
        self._app = app
        self._hand_on = hand_on
        self._waiting: deque[_Typed] = deque()
        self._looks = 0
        """How often it was too early for the first of them."""
        self._timer: Timer | None = None
        self._followed = 0
        """Number of the key that is being dealt with; 0 for none."""
        self._number = 0
        self._known: Screen[Any] | None = None
        """The screen that was on top when all was settled last."""
        self._have_asked: Sequence[Worker[Any]] = ()
        self._given_up: Sequence[Worker[Any]] = ()
        """Actions whose window was waited for too long."""

    @property
    def is_busy(self) -> bool:
        """Whether a key is being dealt with, or waits."""
        return bool(self._waiting or self._followed)

    def screen_changed(self, _: Screen[Any]) -> None:
        """Another screen is on top: the workers of that moment hold up no key any more."""
        self._have_asked = tuple(self._app.workers)

    async def take(self, event: Key | Paste) -> None:
        """Take what was typed as it comes from the terminal."""
        if not self._app.screen_stack:  # on the way out
            await self._hand_on(event)
            return
        self._waiting.append(_Typed(event, self._app.screen))
        await self._go_on()

    def passes_by(self, namespace: DOMNode | None) -> bool:
        """Whether an action has no place here, because a window is open or about to be."""
        if not isinstance(namespace, Screen):
            return False
        if namespace.is_active and any(self._asking(namespace)):
            self._app.flash(BUSY)
            return True
        return not namespace.is_active

    async def _go_on(self) -> None:
        """Hand on what waits, as far as its time has come; for the rest look again in a moment."""
        while self._waiting and self._app.screen_stack:
            if not self._is_settled():
                self._look_again()
                return
            self._looks = 0
            typed = self._waiting.popleft()
            if self._is_unseen(typed):
                self._app.flash(UNSEEN)
                continue
            target = self._app.focused or self._app.screen
            await self._hand_on(typed.event)
            self._follow_through(target)

    def _follow_through(self, node: DOMNode) -> None:
        """Let nothing more be taken until a node has done what it has to do now."""
        self._number += 1
        self._followed = self._number
        # Twice: a key may climb to the app before what it is for begins at the bottom.
        self._follow(self._number, iter(node.ancestors_with_self * 2))

    def _follow(self, number: int, nodes: Iterator[DOMNode]) -> Awaitable[None] | None:
        # What a node has to do stands in its queue, and is told to the node above it, up to the
        # app: all of it is done when each of them in turn has come to this.
        for node in nodes:
            if node.call_later(self._follow, number, nodes):
                return None
        if self._followed == number:
            self._followed = 0
        return self._go_on()

    def _is_settled(self) -> bool:
        """Whether the screen on top is there, and nothing is about to open over it."""
        screen = self._app.screen
        asking = (worker for worker in self._asking(screen) if worker not in self._given_up)
        if self._followed or not screen.is_mounted or any(asking):
            return False
        if screen is not self._known:
            self._known = screen
            self._follow_through(screen)
        return not self._followed

    def _asking(self, screen: Screen[Any]) -> Iterator[Worker[Any]]:
        """The actions of a screen that may open a window over it."""
        return (
            worker
            for worker in self._app.workers
            if worker.node is screen
            and worker.name.startswith("action_")
            and not worker.is_finished
            and worker not in self._have_asked
        )

    def _is_unseen(self, typed: _Typed) -> bool:
        """Whether a key would answer a window that was not there when it was typed."""
        screen = self._app.screen
        if screen is typed.on or not isinstance(screen, Window):
            return False
        return not screen.takes_unseen(_name(typed.event))

    def _look_again(self) -> None:
        if self._timer is None:
            self._timer = self._app.set_timer(LOOK_EVERY, self._look)

    async def _look(self) -> None:
        self._timer = None
        self._looks += 1
        if self._looks > PATIENCE and self._followed:  # what it followed is gone, or hangs
            self._looks = self._followed = 0
        elif self._looks > PATIENCE:
            self._give_up()
        await self._go_on()

    def _give_up(self) -> None:
        """Refuse the keys that wait; those that come after them wait no longer for the same."""
        self._looks = 0
        self._given_up = tuple(self._asking(self._app.screen))
        kept = [typed for typed in self._waiting if _name(typed.event) in NEVER_REFUSED]
        if len(kept) < len(self._waiting):
            self._app.flash(BUSY)
        self._waiting = deque(kept)


def _name(event: Key | Paste) -> str:
    """The key's name; empty for a text that was pasted."""
    return event.key if isinstance(event, Key) else ""
