"""``kimera-tui trust``: allow a file to read what it asks for."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kimera_tui.cli.output import data, fail, narrate
from kimera_tui.errors import KimeraError, UsageError
from kimera_tui.safetext import safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kimera_tui.config.trust import Access


@click.command(short_help="Allow a file to read variables and files.")
@click.argument("file", required=False)
@click.option("--list", "listed", is_flag=True, help="Show what was allowed so far.")
@click.option("--forget", is_flag=True, help="Take back what FILE was allowed.")
@click.option("--yes", is_flag=True, help="Allow it without asking.")
@click.option("--json", "as_json", is_flag=True, help="With --list: one JSON object a line.")
def trust(file: str | None, listed: bool, forget: bool, yes: bool, as_json: bool) -> None:
    """Show what FILE reads apart from itself, and allow it.

    FILE is friends.yaml, a workflow file, or the name of a workflow. Anything it asks for later
    must be allowed again. Files that the environment names (KIMERA_FRIENDS, KIMERA_WORKFLOWS) need
    no permission.
    """
    try:
        if listed:
            _list(as_json=as_json)
        elif file is None:
            raise UsageError("Which file? kimera-tui trust FILE; --list shows what was allowed.")
        elif forget:
            _forget(file)
        else:
            _allow(file, yes=yes)
    except KimeraError as error:
        fail(error)


def _list(*, as_json: bool) -> None:
    from kimera_tui.cli.json_output.objects import Allowed
    from kimera_tui.config.trust import Trust

    files = Trust().files()
    for name, allowed in files.items():
        for access in allowed:
            if as_json:
                document = Allowed(
                    file=name, reads=access.kind, name=access.name, to=access.to or None
                )
                data(document, as_json=True)
            else:
                click.echo(safe(f"{name}: {access.sentence}", 2000))
    if not files:
        narrate("Nothing was allowed yet.")


def _forget(name: str) -> None:
    from kimera_tui.config.trust import Trust

    path, _ = _wanted_by(name)
    removed = Trust().forget(path)
    narrate(f"{path}: no longer trusted." if removed else f"{path}: nothing was allowed.")


def _allow(name: str, *, yes: bool) -> None:
    from kimera_tui.config.trust import Trust

    path, wanted = _wanted_by(name)
    for access in wanted:
        narrate(access.sentence)
    if not wanted:
        narrate(f"{path}: reads nothing apart from itself.")
        return
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("No terminal to ask at: nothing was allowed.", hint="--yes allows it.")
        try:
            if not click.confirm(f"Allow {safe(str(path), 500)} to do that?", err=True):
                raise UsageError("Nothing was allowed.")
        except click.Abort:
            raise UsageError("Nothing was allowed.") from None
    Trust().allow(path, wanted)
    narrate(f"{path}: trusted.")


def _wanted_by(name: str) -> tuple[Path, Sequence[Access]]:
    """A file, and what it asks to read."""
    from kimera_tui.config.friends import accesses_of
    from kimera_tui.console.friends import read_friends
    from kimera_tui.console.permissions import Permissions
    from kimera_tui.documents.store import Library, open_workflow, workflows_folder

    friends_file, friends = read_friends(os.environ, narrate)
    if os.path.realpath(name) == os.path.realpath(friends_file):
        return friends_file, accesses_of(friends)
    path = Library(workflows_folder()).find(name)
    document = open_workflow(path).document
    return path, Permissions(os.environ, friends_file, friends).reads(document)
