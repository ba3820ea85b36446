"""Shutdown of the program: no signal kills it, nothing hangs, and all output is written.

Imports little, since it is imported before anything else.
"""

from __future__ import annotations

import _thread
import contextlib
import errno
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
"""Exit codes by signal, as in shells."""
FAILED = 1
LONGEST = 30.0
"""Seconds that cleaning up may take; then the program exits anyway."""
FINISH_SECONDS = 1.0
"""Time limit for a file that is being written when the program exits at once."""
JOIN_SECONDS = 0.25
"""Time limit for calls that are running on our threads."""
_NO_READER = (errno.EPIPE, errno.EIO)
_OUTPUT = (*_NO_READER, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EBADF)


class WayOut:
    """How this process exits; one for each process.

    While there is nothing to clean up, a signal exits at once. Later it asks the running command to
    stop; ctrl+c after that exits at once.
    """

    def __init__(self) -> None:
        self.signalled = 0
        """Exit code of the first signal, or 0."""
        self._heeds = False
        self._code = FAILED
        self._stop: Callable[[], None] | None = None
        self._ending = False
        self._late = False
        self._mend: Callable[[], None] = lambda: None

    def heed_signals(self) -> None:
        """Handle the signals, except those that the parent process has ignored."""
        self._heeds = True
        for number in CODES:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._signalled)

    @contextlib.contextmanager
    def asked_to_stop(
        self, stop: Callable[[], None], mend: Callable[[], None] = lambda: None
    ) -> Iterator[None]:
        """Call a function at the first signal.

        Args:
            stop: Makes the command clean up and end; called between any two instructions.
            mend: Restores the terminal if the program exits without cleaning up.
        """
        self._stop, self._mend = stop, mend
        try:
            yield
        finally:
            self._stop, self._mend = None, lambda: None

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Raise KeyboardInterrupt at a signal: a prompt would keep waiting otherwise."""
        numbers = CODES if self._heeds else (signal.SIGINT,)
        old_handlers = {
            number: signal.signal(number, self._raise)
            for number in numbers
            if signal.getsignal(number) is not signal.SIG_IGN
        }
        try:
            yield
        finally:
            for number, handler in old_handlers.items():
                signal.signal(number, handler)

    def begin(self, code: int) -> None:
        """Note the exit code of the ending program, and make sure that it does end."""
        self._code, self._ending = code, True
        if self._heeds and not self._late:
            self._late = True
            # Not the threading module: its lock may be held where the signal arrived.
            with contextlib.suppress(RuntimeError):
                _thread.start_new_thread(self._end_late, ())

    def end_now(self, words: str = "") -> NoReturn:
        """Exit without cleaning up; a file that is being written is finished first.

        Args:
            words: Printed to the terminal if possible.
        """
        with contextlib.suppress(RuntimeError):
            _thread.start_new_thread(self._end_whatever_blocks, ())
        if (files := sys.modules.get("kimera_tui.files")) is not None:
            files.finish_writing(FINISH_SECONDS)
        self._mend()
        _say(words)
        os._exit(self._code)

    def leave(self, code: int) -> NoReturn:
        """Exit at once: threads that are busy in C code would break while Python shuts down."""
        self.begin(code)
        if (threads := sys.modules.get("kimera_tui.process.loop.call_thread")) is not None:
            threads.end_all(JOIN_SECONDS)
        if (logging := sys.modules.get("logging")) is not None:
            logging.shutdown()
        if not _flushed():
            self._code = self._code or FAILED
        self.end_now()

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        self.signalled = self.signalled or CODES[signal.Signals(number)]
        if self._ending and number == signal.SIGINT:  # the user is tired of waiting
            self.end_now()
        if self._ending:  # closing a terminal sends several
            return
        self.begin(self.signalled)
        if self._stop is None:
            self.end_now("kimera-tui: interrupted.\n")
        self._stop()

    def _raise(self, number: int, _frame: FrameType | None) -> NoReturn:
        self.signalled = CODES[signal.Signals(number)]
        self.begin(self.signalled)
        raise KeyboardInterrupt

    def _end_late(self) -> None:
        time.sleep(LONGEST)
        self.end_now(f"kimera-tui: not everything was cleaned up within {LONGEST:g} s.\n")

    def _end_whatever_blocks(self) -> None:
        time.sleep(FINISH_SECONDS + 1)
        os._exit(self._code)


way_out = WayOut()
"""The one of this process."""


def end_as_program(work: Callable[[], int]) -> NoReturn:
    """Run the program and exit with the code that it returns."""
    try:
        code = work()
    except SystemExit as ended:
        code = _code_of(ended)
    except OSError as error:
        code = FAILED
        if error.errno in _OUTPUT:
            _say_unwritten(error)
        else:
            sys.excepthook(*sys.exc_info())
    except BaseException:  # noqa: BLE001 - a bug, printed as Python prints it
        code = FAILED
        sys.excepthook(*sys.exc_info())
    way_out.leave(code)


def _code_of(ended: SystemExit) -> int:
    if ended.code is None or isinstance(ended.code, int):
        return ended.code or 0
    _say(f"{ended.code}\n")
    return FAILED


def _flushed() -> bool:
    """Whether all output could be written."""
    written = True
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError as error:
            _say_unwritten(error)
            written = False
        except ValueError:  # it is closed
            written = False
    return written


def _say_unwritten(error: OSError) -> None:
    if error.errno not in _NO_READER:
        _say(f"kimera-tui: the output cannot be written ({error.strerror}).\n")


def _say(words: str) -> None:
    """Write to the descriptor: a signal may have interrupted a write to the stream."""
    with contextlib.suppress(OSError):
        os.write(2, words.encode())
