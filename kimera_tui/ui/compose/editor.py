"""The operator's own editor, which gets the terminal while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from textual.app import App, SuspendNotSupported

from kimera_tui.errors import UsageError


class Editor:
    """Opens files in the editor that ``$VISUAL`` or ``$EDITOR`` names.

    Args:
        app: The console, which paints nothing until the editor ends.
        environ: The environment.
    """

    def __init__(self, app: App[Any], environ: Mapping[str, str] = os.environ) -> None:
        self._app = app
        self._environ = environ

    def check(self) -> list[str]:
        """The words of the editor's command line; UsageError where none is set."""
        text = self._environ.get("VISUAL") or self._environ.get("EDITOR") or ""
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise UsageError(f"EDITOR={text}: {error}.") from None
        if not words:
            raise UsageError("No editor: set EDITOR, such as EDITOR=vim.")
        return words

    async def edit(self, path: Path) -> None:
        """Let the operator edit a file; tasks in flight are watched meanwhile.

        Raises:
            UsageError: the editor cannot be started, or exits with an error.
        """
        command = self.check()
        try:
            with self._app.batch_update(), self._app.suspend(), _ignored_interrupts():
                # A relative name that begins with + or - would be an option to the editor.
                editor = await asyncio.create_subprocess_exec(*command, str(Path.cwd() / path))
                try:
                    code = await editor.wait()
                except asyncio.CancelledError:  # the console exits
                    with contextlib.suppress(ProcessLookupError):
                        editor.terminate()
                    raise
        except SuspendNotSupported:
            raise UsageError(
                "Cannot suspend the console to open an editor on this terminal."
            ) from None
        except (OSError, ValueError) as error:
            raise UsageError(f"EDITOR={shlex.join(command)}: {error}.") from None
        if code:
            raise UsageError(f"{command[0]} exited with {code}.")


@contextlib.contextmanager
def _ignored_interrupts() -> Iterator[None]:
    """Ignore ctrl+c, which the terminal sends to the editor and to its parent."""
    # A handler that does nothing: the editor would inherit SIG_IGN.
    numbers = (signal.SIGINT, signal.SIGQUIT)
    old_handlers = {number: signal.signal(number, lambda *_: None) for number in numbers}
    try:
        yield
    finally:
        for number, handler in old_handlers.items():
            signal.signal(number, handler or signal.SIG_DFL)
