"""Keys typed faster than the screen can follow: each waits until its target is there."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, NamedTuple

from textual.app import App
from textual.dom import DOMNode
from textual.events import Key, Paste
from textual.screen import Screen
from textual.timer import Timer
from textual.worker import Worker

from kimera_tui.ui.windows.window import Window

LOOK_EVERY = 0.01
"""Seconds between two looks at whether the next key can be taken."""
PATIENCE = 200
"""Looks after which waiting keys are dropped: about two seconds, more on a busy machine."""
NEVER_DROPPED = ("ctrl+q", "ctrl+c")
"""Keys that are handled after the wait, whatever is in progress."""
UNSEEN = "Ignored: you typed that before the window was there."
BUSY = "Ignored: the previous action is still in progress."


class _Typed(NamedTuple):
    event: Key | Paste
    on: Screen[Any]
    """What was on the screen when it was typed."""


class TypedAhead:
    """Passes keys on in their order, each one after the effects of the previous one.

    An action that opens a window is a worker of its screen, named like its method: keys wait until
    the window is there.

    Args:
        app: The console.
        hand_on: Handles a key.
        flash: Says that a key was dropped.
    """

    def __init__(
        self,
        app: App[Any],
        hand_on: Callable[[Key | Paste], Awaitable[None]],
        flash: Callable[[str], None],
    ) -> None:
        self._app = app
        self._hand_on = hand_on
        self._flash = flash
        self._waiting: deque[_Typed] = deque()
        self._looks = 0
        """How often it was too early for the first one."""
        self._timer: Timer | None = None
        self._followed = 0
        """Number of the key that is being handled; 0 for none."""
        self._number = 0
        self._known: Screen[Any] | None = None
        """The screen that was on top when everything was settled last."""
        self._have_asked: Sequence[Worker[Any]] = ()
        self._given_up: Sequence[Worker[Any]] = ()
        """Actions whose window took too long."""

    @property
    def is_busy(self) -> bool:
        """Whether a key is being handled, or waits."""
        return bool(self._waiting or self._followed)

    def screen_changed(self, _: Screen[Any]) -> None:
        """Another screen is on top: the workers of this moment no longer hold up keys."""
        self._have_asked = tuple(self._app.workers)

    async def take(self, event: Key | Paste) -> None:
        """Take a key or paste from the terminal."""
        if not self._app.screen_stack:  # on exit
            await self._hand_on(event)
            return
        self._waiting.append(_Typed(event, self._app.screen))
        await self._advance()

    def passes_by(self, namespace: DOMNode | None) -> bool:
        """Whether to drop an action, because a window is open or about to open."""
        if not isinstance(namespace, Screen):
            return False
        if namespace.is_active and any(self._asking(namespace)):
            self._flash(BUSY)
            return True
        return not namespace.is_active

    async def _advance(self) -> None:
        """Pass on what waits, as far as the screen is ready; for the rest look again soon."""
        while self._waiting and self._app.screen_stack:
            if not self._is_settled():
                self._look_again()
                return
            self._looks = 0
            typed = self._waiting.popleft()
            if self._is_unseen(typed):
                self._flash(UNSEEN)
                continue
            target = self._app.focused or self._app.screen
            await self._hand_on(typed.event)
            self._follow_through(target)

    def _follow_through(self, node: DOMNode) -> None:
        """Hold back further keys until a node has handled what it has now."""
        self._number += 1
        self._followed = self._number
        # Twice: a key may bubble up to the app before its effects start at the bottom.
        self._follow(self._number, iter(node.ancestors_with_self * 2))

    def _follow(self, number: int, nodes: Iterator[DOMNode]) -> Awaitable[None] | None:
        # Work waits in the queue of a node and bubbles up to the app: all of it is done when this
        # call has passed through each of their queues in turn.
        for node in nodes:
            if node.call_later(self._follow, number, nodes):
                return None
        if self._followed == number:
            self._followed = 0
        return self._advance()

    def _is_settled(self) -> bool:
        """Whether the top screen is there, and no window is about to open over it."""
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
        """Whether a key would go to a window that was not there when it was typed."""
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
        if self._looks > PATIENCE and self._followed:  # what it follows is gone, or hangs
            self._looks = self._followed = 0
        elif self._looks > PATIENCE:
            self._give_up()
        await self._advance()

    def _give_up(self) -> None:
        """Drop the waiting keys; later ones do not wait for the same actions again."""
        self._looks = 0
        self._given_up = tuple(self._asking(self._app.screen))
        kept = [typed for typed in self._waiting if _name(typed.event) in NEVER_DROPPED]
        if len(kept) < len(self._waiting):
            self._flash(BUSY)
        self._waiting = deque(kept)


def _name(event: Key | Paste) -> str:
    """The key's name; empty for pasted text."""
    return event.key if isinstance(event, Key) else ""
