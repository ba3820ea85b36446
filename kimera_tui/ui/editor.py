"""The operator's own editor, in the terminal that the console leaves to it meanwhile."""

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


def editor_command(environ: Mapping[str, str] = os.environ) -> list[str]:
    """The words of ``$VISUAL`` or ``$EDITOR``; UsageError where there are none."""
    told = environ.get("VISUAL") or environ.get("EDITOR") or ""
    try:
        words = shlex.split(told)
    except ValueError as error:
        raise UsageError(f"EDITOR={told}: {error}.") from None
    if not words:
        raise UsageError("No editor: set EDITOR, such as EDITOR=vim.")
    return words


async def edit_file(app: App[Any], command: list[str], path: Path) -> None:
    """Let the operator edit a file; what is in flight goes on beside it.

    Args:
        app: The console, which paints nothing until the editor ends.
        command: The editor's words.
        path: The file.

    Raises:
        UsageError: the editor can't be started, or says that it failed.
    """
    try:
        with app.batch_update(), app.suspend(), _interrupts_left_alone():
            # A relative name that begins with + or - would be an option to the editor.
            editor = await asyncio.create_subprocess_exec(*command, str(Path.cwd() / path))
            try:
                code = await editor.wait()
            except asyncio.CancelledError:  # the console ends
                with contextlib.suppress(ProcessLookupError):
                    editor.terminate()
                raise
    except SuspendNotSupported:
        raise UsageError("The console can't make room for an editor here.") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"EDITOR={shlex.join(command)}: {error}.") from None
    if code:
        raise UsageError(f"{command[0]} ended with {code}.")


@contextlib.contextmanager
def _interrupts_left_alone() -> Iterator[None]:
    """What the terminal sends for ctrl+c, to the editor and to its parent, does nothing here."""
    # A handler that does nothing, for SIG_IGN would be handed down to the editor.
    numbers = (signal.SIGINT, signal.SIGQUIT)
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
