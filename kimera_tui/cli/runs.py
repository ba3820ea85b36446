"""``kimera-tui runs`` and ``watch``: past and present runs, no screen."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import click

from kimera_tui.cli.output import data, narrate, perform
from kimera_tui.errors import UsageError
from kimera_tui.safetext import safe

if TYPE_CHECKING:
    from kimera_tui.cli.parts import Parts
    from kimera_tui.runs.book import RunState
    from kimera_tui.runs.history import RunRow

EXIT_CODES = {"done": 0, "revoked": 4, "timed out": 3, "interrupted": 130}
"""How ``watch`` and ``replay`` leave for a run's state; everything else is 1."""
LOOK_EVERY = 0.5


@click.command()
@click.argument("search", nargs=-1)
@click.option("--limit", default=50, show_default=True, help="The most runs listed.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
def runs(search: tuple[str, ...], limit: int, as_json: bool) -> None:
    """List past runs, newest first.

    SEARCH is made of words and of state:failed, friend:NAME, task:NAME, exc:TEXT, since:2h,
    run:ID, parent:ID, workflow:NAME and @FILTER, a saved one. Terms side by side must all be met;
    `or`, `not` and parentheses join them otherwise. A minus before a term (after --) is a `not`.
    Best put into quotes as a whole: 'state:"timed out" or (exc:disk since:1d)'.
    """
    perform(_runs(" ".join(search), limit, as_json))


async def _runs(search: str, limit: int, as_json: bool) -> int:
    from kimera_tui.cli.parts import Parts

    parts = Parts()
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


def _public(row: RunRow) -> dict[str, Any]:
    return {
        "run": row.run_id,
        "name": row.name,
        "status": row.status,
        "started": row.started,
        "ended": row.ended,
        "done": row.done,
        "total": row.total,
        "error": row.error,
        "parent": row.parent,
    }


def _line(row: RunRow) -> str:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.started))
    steps = f"{row.done}/{row.total}"
    return f"{row.run_id[:8]}  {when}  {row.status:<12} {steps:>7}  {safe(row.name, 200)}"


@click.command()
@click.argument("run")
@click.option("--timeout", default=86_400.0, show_default=True, help="Seconds to watch at most.")
@click.option("--json", "as_json", is_flag=True, help="The run's end as one JSON object.")
def watch(run: str, timeout: float, as_json: bool) -> None:
    """Watch RUN (an id, or the beginning of one) to its end, whichever console owns it."""
    perform(_watch(run, timeout, as_json))


async def _watch(wanted: str, timeout: float, as_json: bool) -> int:
    from kimera_tui.cli.parts import Parts

    parts = Parts()
    await parts.open_journal()
    try:
        row = await find_run(parts, wanted)
        state = await _followed(parts, row.run_id, time.monotonic() + timeout)
    finally:
        await parts.close()
    return report(state, as_json)


async def _followed(parts: Parts, run_id: str, until: float) -> RunState:
    """The run at its end, read again and again; what is new is narrated."""
    from kimera_tui.runs.book import RunBook
    from kimera_tui.runs.narration import narrate as words_of

    told = 0
    book = RunBook()
    while True:
        events = await parts.events_of(run_id)
        for event in events[told:]:
            book.apply(event)
            if (words := words_of(event)) is not None and words[0] != "polled":
                place = book.step_of(event)
                step = f"{place[1].id or place[1].task_name}: " if place is not None else ""
                narrate(f"{words[0]}: {step}{words[2]}")
        told = len(events)
        if book.runs[run_id].ended is not None:
            return book.runs[run_id]
        if time.monotonic() > until:
            raise UsageError("The run has not ended in the time given to watch it.")
        await asyncio.sleep(LOOK_EVERY)


async def find_run(parts: Parts, wanted: str) -> RunRow:
    """The one run whose id begins so."""
    from kimera_tui.runs.search_tree import Term, written

    rows = await parts.runs(written(Term("run", wanted)), 100)
    if len(rows) != 1:
        what = "No run's id begins" if not rows else f"{len(rows)} runs' ids begin"
        raise UsageError(f"{what} with `{wanted}`; kimera-tui runs lists them.")
    return rows[0]


def report(state: RunState, as_json: bool) -> int:
    """Print how a run ended; returns the exit code that says it."""
    steps = [
        {
            "path": step.path,
            "task": step.name,
            "status": step.status.value,
            "result": step.result,
            "error": f"{step.error_type}: {step.error_message}" if step.error_type else "",
        }
        for step in state.steps.values()
    ]
    status = state.status.value
    if as_json:
        told = {"run": state.run_id, "name": state.name, "status": status, "steps": steps}
        data(told, as_json=True)
    else:
        for step in steps:
            click.echo(safe(f"{step['status']:<12} {step['task']}  {step['error']}".rstrip(), 500))
    return EXIT_CODES.get(status, 1)
