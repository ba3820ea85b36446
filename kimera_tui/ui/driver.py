"""The terminal as Textual drives it, and what to do when it is gone."""

from __future__ import annotations

import contextlib
import os
import select
import termios
import threading
from collections.abc import Callable
from functools import partial
from typing import IO, Any, cast

from textual.drivers.linux_driver import LinuxDriver

HUNG_UP = 129
"""Exit code of a console whose terminal is gone, as after SIGHUP."""
_RESTORED = (
    b"\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1016l\x1b[?2004l\x1b[?2048l\x1b[?1004l"
    b"\x1b[?7h\x1b[<u\x1b[?1049l\x1b[?25h"
)
"""No mouse, no paste marks, no focus reports; the screen and the cursor from before."""


class ConsoleDriver(LinuxDriver):
    """Textual's driver for a terminal that may be closed.

    Textual's output thread ends at the first failed write, and the loop then waits for it for ever;
    its input thread reads the end of the input over and over.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._gone = threading.Event()
        self._watcher: threading.Thread | None = None
        # Whatever stderr is, Textual only ever writes to it and asks for its number.
        self._file = cast("Any", _Output(cast("Any", self._file), self._terminal_gone))

    def start_application_mode(self) -> None:
        """Start, and watch for the terminal's end."""
        super().start_application_mode()  # type: ignore[no-untyped-call]
        if self._watcher is None:  # it is called again after each pause for an editor
            self._watcher = threading.Thread(
                target=self._watch, name="kimera-terminal", daemon=True
            )
            self._watcher.start()

    def restore(self) -> None:
        """Restore the terminal for an abrupt exit; never waits for it."""
        if self._writer_thread is None:
            return
        with contextlib.suppress(OSError, termios.error):
            if self.attrs_before is not None:
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
            if select.select((), (2,), (), 0)[1]:
                os.write(2, _RESTORED)

    def _watch(self) -> None:
        """Wait until the terminal hangs up: without a signal nothing else says so."""
        poll = select.poll()
        poll.register(self.fileno, 0)
        with contextlib.suppress(OSError):
            for _, what in poll.poll():
                if what & select.POLLHUP:
                    self._terminal_gone()

    def _terminal_gone(self) -> None:
        if self._gone.is_set():
            return
        self._gone.set()
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(partial(self._app.exit, return_code=HUNG_UP))


class _Output:
    """A file that accepts everything, even when nobody reads it any more."""

    def __init__(self, file: IO[str], gone: Callable[[], None]) -> None:
        self._file = file
        self._gone = gone

    def write(self, text: str) -> None:
        self._try(lambda: self._file.write(text))

    def flush(self) -> None:
        self._try(self._file.flush)

    def fileno(self) -> int:
        return self._file.fileno()

    def isatty(self) -> bool:
        return True

    def _try(self, output: Callable[[], object]) -> None:
        try:
            output()
        except (OSError, ValueError):
            self._gone()
