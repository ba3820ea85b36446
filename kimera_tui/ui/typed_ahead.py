"""Keys that come before the window that an earlier key opens: they are for that window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual.app import App
from textual.dom import DOMNode
from textual.screen import Screen
from textual.worker import Worker


class TypedAhead:
    """Tells which screens are about to get a window over them.

    An action that asks something is a worker of its screen, and has a name like its method's.

    Args:
        app: The console.
    """

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._have_asked: Sequence[Worker[Any]] = ()

    def screen_changed(self, _: Screen[Any]) -> None:
        """Another screen is on top: the workers of that moment hold up no key any more."""
        self._have_asked = tuple(self._app.workers)

    def passes_by(self, namespace: DOMNode | None) -> bool:
        """Whether a key has nothing to do here, where it is bound."""
        if not isinstance(namespace, Screen):
            return False
        return not namespace.is_active or any(
            worker.node is namespace
            and worker.name.startswith("action_")
            and not worker.is_finished
            and worker not in self._have_asked
            for worker in self._app.workers
        )
