"""Output of the commands: data on stdout, messages on stderr, no control characters."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

import click

from kimera_tui.cli.json_output.objects import Printed
from kimera_tui.cli.program.shutdown import way_out
from kimera_tui.errors import KimeraError, TaskFailed
from kimera_tui.jsontext import to_json
from kimera_tui.safetext import safe

INTERRUPTED = 130
"""Exit code after ctrl+c."""


def narrate(text: str) -> None:
    """Print a message to the person at the terminal."""
    click.echo(safe(text, 4000), err=True)


def data(value: Any, *, as_json: bool) -> None:
    """Print a result as indented JSON, or an object of ``json_output`` as JSON on one line."""
    if as_json:
        click.echo(to_json(value, other=_members))
    elif isinstance(value, str):
        click.echo(safe(value, 1 << 30, lines=True))
    else:
        click.echo(safe(to_json(value, indent=2, ascii_only=False), 1 << 30, lines=True))


def _members(value: Any) -> Any:
    return value.members() if isinstance(value, Printed) else str(value)


def perform(work: Coroutine[Any, Any, int], *, sends: bool = False) -> NoReturn:
    """Run a command and exit with its code; an error is printed as one sentence.

    Args:
        work: Returns the exit code.
        sends: Whether it sends tasks, so that an interrupt says what becomes of them.
    """
    from kimera_tui.cli.program.event_loop import run

    try:
        code = run(work)
    except KimeraError as error:
        fail(error)
    except click.Abort:  # at a prompt, before anything is sent
        narrate("kimera-tui: interrupted.")
        code = way_out.signalled or INTERRUPTED
    except (asyncio.CancelledError, KeyboardInterrupt):
        narrate(f"kimera-tui: interrupted{_what_continues() if sends else ''}.")
        code = way_out.signalled or INTERRUPTED
    sys.exit(code)


def _what_continues() -> str:
    if os.environ.get("BROKER_URL"):
        return "; tasks already sent continue"
    return "; tasks already sent end with the private broker, unless another console uses it"


def fail(error: KimeraError) -> NoReturn:
    """Print an error and exit with its code."""
    complain(error)
    sys.exit(error.exit_code)


def complain(error: KimeraError, hide: Callable[[str], str] = str) -> None:
    """Print an error and its hint.

    Args:
        error: The error.
        hide: Removes secrets from a text.
    """
    narrate(f"kimera-tui: {hide(str(error))}")
    for line in hide(error.hint).splitlines():
        narrate(f"  {line}")


def show_traceback(error: KimeraError, hide: Callable[[str], str]) -> None:
    """Print the remote traceback of a failed task, without its secrets."""
    if isinstance(error, TaskFailed):
        for line in hide(error.traceback).rstrip().splitlines():
            narrate(line)
