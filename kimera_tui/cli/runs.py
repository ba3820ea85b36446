"""``kimera-tui runs``: list and search past and present runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from kimera_tui.cli.exit_codes import cancelling_of
from kimera_tui.cli.json_output.objects import ListedRun
from kimera_tui.cli.output import data, narrate, perform
from kimera_tui.runs.status import Status
from kimera_tui.safetext import safe

if TYPE_CHECKING:
    from kimera_tui.runs.search.query import RunRow


@click.command(short_help="List and search past runs.")
@click.argument("search", nargs=-1)
@click.option("--limit", default=50, show_default=True, help="List at most this many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
def runs(search: tuple[str, ...], limit: int, as_json: bool) -> None:
    """List past runs, newest first.

    SEARCH consists of words and of state:failed, friend:NAME, task:NAME, exc:TEXT, since:2h,
    run:ID, parent:ID, workflow:NAME and @FILTER, a saved one. Terms side by side must all match;
    `or`, `not` and parentheses combine them. A minus before a term (after --) means `not`.
    Quote the whole search: 'state:"timed out" or (exc:disk since:1d)'.
    """
    perform(_runs(" ".join(search), limit, as_json))


async def _runs(search: str, limit: int, as_json: bool) -> int:
    from kimera_tui.console.console import build_console

    async with build_console(say=narrate) as console:
        await console.connection.open_journal()
        rows = await console.runs.search(search, limit)
    for row in rows:
        if as_json:
            data(_public(row), as_json=True)
        else:
            click.echo(_line(row))
    if not rows:
        narrate("No runs found.")
    return 0


def _public(row: RunRow) -> ListedRun:
    status = Status(row.status)
    return ListedRun(
        run=row.run_id,
        name=row.name,
        status=status,
        state=status,
        started=row.started,
        ended=row.ended,
        done=row.done,
        total=row.total,
        cancelling=cancelling_of(_cancelling(row)),
        error=row.error,
        parent=row.parent,
    )


def _line(row: RunRow) -> str:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.started))
    state, done, of = row.status, row.done, row.total
    if (cancelling := _cancelling(row)) is not None:
        state, (done, of) = "cancelling", cancelling
    steps = f"{done}/{of}"
    line = f"{row.run_id[:8]}  {when}  {state:<12} {steps:>7}  {row.name}"
    return safe(line, 300)


def _cancelling(row: RunRow) -> tuple[int, int] | None:
    """How far its cancellation is; None without a console that cancels it."""
    return None if row.status == Status.INTERRUPTED else row.cancelling
