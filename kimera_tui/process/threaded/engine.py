"""Assembles the threaded engine: public Celery calls only, none of them on the event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kimera_tui.errors import BrokerUnavailable
from kimera_tui.process.celery_app import is_plain_celery
from kimera_tui.process.engine import Engine
from kimera_tui.process.loop.bus import Emitter
from kimera_tui.process.loop.call_thread import CallThread
from kimera_tui.process.outages import Outages
from kimera_tui.process.outcome import IsOver, Outcome, always_over
from kimera_tui.process.threaded.publisher import ThreadPublisher
from kimera_tui.process.threaded.pushes import Pushed, Pushes, only_pushes
from kimera_tui.process.threaded.releaser import ThreadReleaser
from kimera_tui.process.threaded.result_reader import read, read_meta_of
from kimera_tui.process.threaded.sender import Sender
from kimera_tui.process.threaded.watcher import ThreadWatcher

MAX_ABANDONED = 1000
"""Result objects of stand-ins kept for a late revoke after the wait has ended."""


def thread_engine(app: Any, emitter: Emitter, is_over: IsOver = always_over) -> Engine:
    """Build an engine for any Celery app, or a stand-in with a ``send_task``."""
    return _Parts(app, emitter, is_over).engine


class _Parts:
    """The parts of one engine: one thread sends and reads results, another revokes."""

    def __init__(self, app: Any, emitter: Emitter, is_over: IsOver) -> None:
        self._handles: dict[str, Any] = {}
        self._pushes = Pushes(self._pushed, self._reachable)
        self._abandoned: dict[str, Any] = {}
        self._plain, self._celery = is_plain_celery(app), _is_celery(app)
        self._sender = Sender(app, self._plain, self._handles, self._pushes)
        self._thread = CallThread("kimera-celery", self._pushes.between, self._end)
        self._control = CallThread("kimera-control", at_end=lambda: self._releaser.disconnect())
        self._publisher = ThreadPublisher(self._thread, self._sender, self._handles, emitter)
        outages = Outages()
        self._watcher = ThreadWatcher(
            self._thread,
            self._handles,
            self._read_result,
            self._sender.adopt,
            self._dispose,
            emitter,
            outages,
            is_over,
        )
        self._releaser = ThreadReleaser(
            app,
            self._celery,
            (self._thread, self._control),
            self._find,
            self._dispose,
            emitter,
        )
        self.engine = Engine(
            self._publisher, self._watcher, self._releaser, self._close, outages=outages
        )

    def _close(self) -> None:
        """Close from the engine's own loop, from another loop, or after its loop has ended."""
        if not self._on_loop(self._stop):
            self._end_threads()

    def _stop(self) -> None:
        self._publisher.close()
        self._watcher.close()
        self._end_threads()

    def _end_threads(self) -> None:
        self._thread.close()
        self._control.close()

    # On the thread

    def _read_result(self, handle: Any) -> Outcome | None:
        if not self._plain:
            return read(handle)
        return None if only_pushes(handle) else read_meta_of(handle)

    def _dispose(self, task_id: str) -> None:
        self._pushes.drop(task_id)
        handle = self._handles.get(task_id)
        if handle is not None and not self._celery:  # Celery revokes by id, a stand-in cannot
            self._abandoned[task_id] = handle
            if len(self._abandoned) > MAX_ABANDONED:
                del self._abandoned[next(iter(self._abandoned))]
        self._handles.pop(task_id, None)

    def _find(self, task_id: str) -> Any:
        return self._handles.get(task_id) or self._abandoned.get(task_id)

    def _end(self) -> None:
        self._pushes.end()
        self._sender.close()

    def _pushed(self, arrived: Pushed) -> None:
        self._on_loop(self._watcher.pushed, arrived)

    def _reachable(self, error: BrokerUnavailable | None) -> None:
        self._on_loop(self._watcher.reachable, error)

    def _on_loop(self, function: Callable[..., None], *args: Any) -> bool:
        loop = self._watcher.loop
        if loop is None:
            return False
        try:
            loop.call_soon_threadsafe(function, *args)
        except RuntimeError:  # the loop is closed
            return False
        return True


def _is_celery(app: Any) -> bool:
    own = any(base.__module__.startswith("celery.") for base in type(app).__mro__)
    return own and getattr(app, "control", None) is not None
