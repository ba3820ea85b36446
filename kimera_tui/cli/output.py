"""What the commands print: data on stdout, narration on stderr, nothing that a terminal acts on."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Coroutine
from typing import Any, NoReturn

import click

from kimera_tui.errors import KimeraError
from kimera_tui.safetext import safe


def narrate(text: str) -> None:
    """Say something to the person at the terminal."""
    click.echo(safe(text, 4000), err=True)


def data(value: Any, *, as_json: bool) -> None:
    """Print a result: one JSON object a line, or JSON that reads well."""
    if as_json:
        click.echo(json.dumps(value, default=str))
    elif isinstance(value, str):
        click.echo(safe(value, 1 << 30, lines=True))
    else:
        text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
        click.echo(safe(text, 1 << 30, lines=True))


def perform(work: Coroutine[Any, Any, int]) -> NoReturn:
    """Run a command's work and leave with its exit code; an error is one sentence."""
    try:
        code = asyncio.run(work)
    except KimeraError as error:
        fail(error)
    except KeyboardInterrupt:
        narrate("kimera-tui: interrupted; what was sent goes on.")
        code = 130
    sys.exit(code)


def fail(error: KimeraError) -> NoReturn:
    """Say what is wrong and leave with the error's exit code."""
    narrate(f"kimera-tui: {error}")
    if error.hint:
        for line in error.hint.splitlines():
            narrate(f"  {line}")
    sys.exit(error.exit_code)
