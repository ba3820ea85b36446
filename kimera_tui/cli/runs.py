"""``kimera-tui runs`` and ``watch``: past and present runs, no screen."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import click

from kimera_tui.cli.exit_codes import NotEnded, report
from kimera_tui.cli.json_output.events import news_of
from kimera_tui.cli.json_output.objects import ListedRun
from kimera_tui.cli.output import data, narrate, perform
from kimera_tui.errors import UsageError
from kimera_tui.runs.status import Status
from kimera_tui.safetext import safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kimera_tui.console.parts import Parts
    from kimera_tui.runs.index import RunBook, RunState
    from kimera_tui.runs.search.query import RunRow

LOOK_EVERY = 0.5
"""Seconds between two looks at a run that is watched."""
READ_SHARE = 10
"""A pause is at least so many times as long as the last reading of the run took."""


@click.command(short_help="List and search past runs.")
@click.argument("search", nargs=-1)
@click.option("--limit", default=50, show_default=True, help="List at most this many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
def runs(search: tuple[str, ...], limit: int, as_json: bool) -> None:
    """List past runs, newest first.

    SEARCH is made of words and of state:failed, friend:NAME, task:NAME, exc:TEXT, since:2h,
    run:ID, parent:ID, workflow:NAME and @FILTER, a saved one. Terms side by side must all match;
    `or`, `not` and parentheses combine them. A minus before a term (after --) means `not`.
    Quote the whole search: 'state:"timed out" or (exc:disk since:1d)'.
    """
    perform(_runs(" ".join(search), limit, as_json))


async def _runs(search: str, limit: int, as_json: bool) -> int:
    from kimera_tui.console.parts import Parts

    parts = Parts(say=narrate)
    await parts.open_journal()
    try:
        rows = await parts.runs(search, limit)
    finally:
        await parts.close()
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
        error=row.error,
        parent=row.parent,
    )


def _line(row: RunRow) -> str:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.started))
    steps = f"{row.done}/{row.total}"
    line = f"{row.run_id[:8]}  {when}  {row.status:<12} {steps:>7}  {row.name}"
    return safe(line, 300)


@click.command(short_help="Follow a run to its end.")
@click.argument("run")
@click.option("--timeout", default="24h", show_default=True, help="30, 30s, 5m or 1h30m.")
@click.option("--json", "as_json", is_flag=True, help="The run's end as one JSON object.")
def watch(run: str, timeout: str, as_json: bool) -> None:
    """Follow RUN (an id or the beginning of one) to its end, no matter which console owns it.

    Exit codes are the same as for kimera-tui run; 3 also if the run has not ended in time.
    """
    perform(_watch(run, timeout, as_json))


async def _watch(wanted: str, timeout: str, as_json: bool) -> int:
    from kimera_tui.console.parts import Parts
    from kimera_tui.documents.fields import parse_timeout

    until = time.monotonic() + parse_timeout(timeout)
    parts = Parts(say=narrate)
    await parts.open_journal()
    try:
        row = await find_run(parts, wanted)
        state = await followed(parts, row.run_id, until)
    except NotEnded:
        if as_json:
            report(await read_run(parts, row.run_id), as_json)
        raise
    finally:
        await parts.close()
    return report(state, as_json)


async def followed(parts: Parts, run_id: str, until: float) -> RunState:
    """The run at its end; what is new of it is narrated.

    Raises:
        NotEnded: it has not ended by then, in monotonic seconds.
        UsageError: its beginning is not kept.
    """
    from kimera_tui.runs.index import RunBook

    told, book, was_left = 0, RunBook(), False
    while True:
        begun = time.monotonic()
        events = await parts.events_of(run_id)
        for words in await asyncio.to_thread(_taken_in, book, events[told:]):
            narrate(words)
        told, state = len(events), run_in(book, run_id)
        if state.ended is not None:
            return state
        if (words := _left_words(await find_run(parts, run_id))) and not was_left:
            narrate(words)
        was_left = bool(words)
        await _pause(parts, run_id, READ_SHARE * (time.monotonic() - begun), until)


def _left_words(row: RunRow) -> str:
    """What to say of a run that no console works on; nothing of any other."""
    if row.ended is not None or row.status not in (Status.INTERRUPTED, Status.HANDED_OVER):
        return ""
    theirs = "The workers have it; no" if row.status == Status.HANDED_OVER else "No"
    return f"{theirs} console works on it: kimera-tui resume {row.run_id[:8]} continues it."


def _taken_in(book: RunBook, events: Sequence[object]) -> list[str]:
    """Fold events in; returns what is to be said of them."""
    said = []
    for event in events:
        if (words := news_of(event, book)) is not None and words[0] != "polled":
            place = book.step_of(event)
            step = f"{place[1].id or place[1].task_name}: " if place is not None else ""
            said.append(f"{words[0]}: {step}{words[2]}")
    return said


async def _pause(parts: Parts, run_id: str, seconds: float, until: float) -> None:
    """Wait before the run is read again, but not beyond its end, which is cheap to look for."""
    over = time.monotonic() + seconds
    while True:
        await asyncio.sleep(LOOK_EVERY)
        if time.monotonic() > until:
            raise NotEnded("The run has not ended in the time given to watch it.")
        if time.monotonic() > over or (await find_run(parts, run_id)).ended is not None:
            return


async def read_run(parts: Parts, wanted: str) -> RunState:
    """The one run whose id begins so, as the journal tells it.

    Raises:
        UsageError: there are none or several, or its beginning is not kept.
    """
    from kimera_tui.runs.index import RunBook

    row, book = await find_run(parts, wanted), RunBook()
    await asyncio.to_thread(book.apply_all, await parts.events_of(row.run_id))
    return run_in(book, row.run_id)


def run_in(book: RunBook, run_id: str) -> RunState:
    """The run; UsageError where its beginning is not kept."""
    if run_id not in book.runs:
        raise UsageError(f"Run {run_id[:8]} cannot be read: its beginning is not kept.")
    return book.runs[run_id]


async def find_run(parts: Parts, wanted: str) -> RunRow:
    """The one run whose id begins so."""
    from kimera_tui.runs.search.tree import Term, written

    rows = await parts.runs(written(Term("run", wanted)), 100)
    if len(rows) != 1:
        what = "No run's id begins" if not rows else f"{len(rows)} runs' ids begin"
        raise UsageError(f"{what} with `{wanted}`; kimera-tui runs lists them.")
    return rows[0]
