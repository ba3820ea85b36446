"""``kimera-tui friends``: list the friends and their tasks."""

from __future__ import annotations

import os
from pathlib import Path

import click

from kimera_tui.cli.json_output.objects import ListedFriend
from kimera_tui.cli.output import data, fail, narrate
from kimera_tui.config.friends import Friend
from kimera_tui.errors import ConfigError, KimeraError
from kimera_tui.files import is_missing
from kimera_tui.redaction import redact_text
from kimera_tui.safetext import safe

FIRST_LINES = """\
friends:
  shop:  # your name for a service; then the module of its tasks and the queue of its workers
    {route: shop.tasks, queue: shop}"""
"""A friends.yaml with one friend."""


@click.command(short_help="List friends and their tasks.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
def friends(as_json: bool) -> None:
    """List the friends and their tasks."""
    from kimera_tui.console.friends import read_friends

    try:
        path, configured = read_friends(os.environ, narrate)
    except KimeraError as error:
        fail(error)
    if not configured:
        fail(_none_in(path))
    narrate(f"{len(configured)} {'friend' if len(configured) == 1 else 'friends'} in {path}")
    for name, friend in configured.items():
        if as_json:
            data(_public(name, friend), as_json=True)
        else:
            click.echo(_row(name, friend))


def _none_in(path: Path) -> ConfigError:
    """The error that shows how to start a friends.yaml."""
    why = "does not exist" if is_missing(path) else "is empty"
    return ConfigError(f"No friends: {path} {why}. Start with:", hint=FIRST_LINES)


def _public(name: str, friend: Friend) -> ListedFriend:
    entry = friend.model_dump(exclude_none=True, exclude={"broker", "backend"})
    if friend.broker is not None:
        entry["broker"] = redact_text(friend.broker)
    return ListedFriend(friend=name, **entry)


def _row(name: str, friend: Friend) -> str:
    head = f"{safe(name):<14} queue {safe(friend.queue):<14} {safe(friend.description)}".rstrip()
    tasks = [f"  {safe(task):<14} {safe(info.doc)}".rstrip() for task, info in friend.tasks.items()]
    return "\n".join([head, *tasks])
