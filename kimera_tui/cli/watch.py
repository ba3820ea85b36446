"""``kimera-tui watch``: follow a run to its end, no matter which console owns it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import click

from kimera_tui.cli.exit_codes import NotEnded, print_report
from kimera_tui.cli.json_output.events import news_of
from kimera_tui.cli.output import narrate, perform
from kimera_tui.runs.status import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kimera_tui.console.console import Console
    from kimera_tui.runs.index import RunIndex, RunState
    from kimera_tui.runs.search.query import RunRow

LOOK_EVERY = 0.5
"""Seconds between two checks whether the run has ended."""
READ_SHARE = 10
"""A pause is at least this many times as long as the last reading of the run took."""


@click.command(short_help="Follow a run to its end.")
@click.argument("run")
@click.option("--timeout", default="24h", show_default=True, help="30, 30s, 5m or 1h30m.")
@click.option("--json", "as_json", is_flag=True, help="The run's end as one JSON object.")
def watch(run: str, timeout: str, as_json: bool) -> None:
    """Follow RUN (an id or the beginning of one) to its end, no matter which console owns it.

    Exit codes are the same as for kimera-tui run; 3 also if the run has not ended in time.
    """
    perform(_watch(run, timeout, as_json))


async def _watch(prefix: str, timeout: str, as_json: bool) -> int:
    from kimera_tui.console.console import build_console
    from kimera_tui.documents.fields import parse_timeout

    until = time.monotonic() + parse_timeout(timeout)
    async with build_console(say=narrate) as console:
        await console.connection.open_journal()
        row = await console.runs.find(prefix)
        try:
            run = await follow(console, row.run_id, until)
        except NotEnded:
            if as_json:
                print_report(await console.journal.run(row.run_id), as_json)
            raise
    return print_report(run, as_json)


async def follow(console: Console, run_id: str, until: float) -> RunState:
    """Narrate a run until its end; returns the run.

    Args:
        console: Reads the journal.
        run_id: The run.
        until: Give up at this time, in seconds of the monotonic clock.

    Raises:
        NotEnded: it has not ended by then.
        UsageError: its start is not in the journal.
    """
    from kimera_tui.runs.index import RunIndex

    seen, index, is_left = 0, RunIndex(), False
    cancelling: tuple[int, int] | None = None
    while True:
        began = time.monotonic()
        events = await console.journal.events_of(run_id)
        for line in await asyncio.to_thread(_lines, index, events[seen:]):
            narrate(line)
        seen = len(events)
        run = index.runs.get(run_id) or await console.journal.run(run_id)
        if run.ended is not None:
            return run
        if run.cancelling is not None and run.cancelling != cancelling:
            narrate("cancelling {}/{}".format(*run.cancelling))
        cancelling = run.cancelling
        if (hint := _hint_of(await console.runs.find(run_id))) and not is_left:
            narrate(hint)
        is_left = bool(hint)
        await _pause(console, run_id, READ_SHARE * (time.monotonic() - began), until)


def _hint_of(row: RunRow) -> str:
    """What to do about a run that no console owns; empty for any other."""
    if row.ended is not None or row.status not in (Status.INTERRUPTED, Status.HANDED_OVER):
        return ""
    theirs = "The workers have it; no" if row.status == Status.HANDED_OVER else "No"
    return f"{theirs} console works on it: kimera-tui resume {row.run_id[:8]} continues it."


def _lines(index: RunIndex, events: Sequence[object]) -> list[str]:
    """Fold events in; returns them as lines."""
    lines = []
    for event in events:
        shown, words = news_of(event, index)
        if words is not None and words[0] != "polled":
            place = index.step_of(shown)
            step = f"{place[1].id or place[1].task_name}: " if place is not None else ""
            lines.append(f"{words[0]}: {step}{words[2]}")
    return lines


async def _pause(console: Console, run_id: str, seconds: float, until: float) -> None:
    """Wait before the run is read again, at most until its end, which is cheap to check."""
    over = time.monotonic() + seconds
    while True:
        await asyncio.sleep(LOOK_EVERY)
        if time.monotonic() > until:
            raise NotEnded("The run has not ended in the time given to watch it.")
        if time.monotonic() > over or (await console.runs.find(run_id)).ended is not None:
            return
