"""``kimera-tui runs``, ``watch``, ``replay`` and ``cancel``: past and present runs, no screen."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import click

from kimera_tui.cli.output import data, fail, narrate, perform
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

    SEARCH is made of words and of state:failed, friend:NAME, task:NAME, exc:TEXT, since:2h;
    a minus before a term (after --) turns it round.
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
        row = await _find(parts, wanted)
        state = await _followed(parts, row.run_id, time.monotonic() + timeout)
    finally:
        await parts.close()
    return _report(state, as_json)


async def _followed(parts: Parts, run_id: str, until: float) -> RunState:
    """The run at its end, read again and again; what is new is narrated."""
    from kimera_tui.runs.book import RunBook
    from kimera_tui.runs.narration import narrate as words_of

    told = 0
    while True:
        events = await parts.events_of(run_id)
        for event in events[told:]:
            if (words := words_of(event)) is not None and words[0] != "polled":
                narrate(f"{words[0]}: {words[2]}")
        told = len(events)
        book = RunBook()
        book.apply_all(events)
        if book.runs[run_id].ended is not None:
            return book.runs[run_id]
        if time.monotonic() > until:
            raise UsageError("The run has not ended in the time given to watch it.")
        await asyncio.sleep(LOOK_EVERY)


async def _find(parts: Parts, wanted: str) -> RunRow:
    """The one run whose id begins so."""
    rows = [row for row in await parts.runs("", 100_000) if row.run_id.startswith(wanted)]
    if len(rows) != 1:
        what = "No run's id begins" if not rows else f"{len(rows)} runs' ids begin"
        raise UsageError(f"{what} with `{wanted}`; kimera-tui runs lists them.")
    return rows[0]


def _report(state: RunState, as_json: bool) -> int:
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


@click.command()
@click.argument("run")
@click.option("--from-failed", "mode", flag_value="from_failed", help="Reuse what is done.")
@click.option("--from", "from_step", default="", metavar="STEP", help="Path of the first step.")
@click.option("--only", "only_step", default="", metavar="STEP", help="Path of the only step.")
@click.option("--json", "as_json", is_flag=True, help="The new run's end as one JSON object.")
def replay(run: str, mode: str | None, from_step: str, only_step: str, as_json: bool) -> None:
    """Run RUN again, as a new run, and wait for its end."""
    if sum(bool(way) for way in (mode, from_step, only_step)) > 1:
        fail(UsageError("Choose one of --from-failed, --from and --only."))
    how, path = mode or "again", ""
    if from_step or only_step:
        how, path = ("from_step", from_step) if from_step else ("only_step", only_step)
    perform(_replay(run, how, path, as_json))


async def _replay(wanted: str, mode: str, path: str, as_json: bool) -> int:
    from kimera_tui.cli.parts import Parts
    from kimera_tui.runs.book import RunBook

    parts = Parts()
    try:
        with parts.bus.subscribe() as mailbox:
            await parts.start()
            row = await _find(parts, wanted)
            run_id = await parts.replay(row.run_id, mode, path)
            runner = await parts.runner()
            await asyncio.gather(runner.result(run_id), return_exceptions=True)
            book = RunBook()
            book.apply_all(mailbox.drain())
        narrate(f"run {run_id}")
        return _report(book.runs[run_id], as_json)
    finally:
        await parts.close()


@click.command()
@click.argument("run")
def cancel(run: str) -> None:
    """Revoke what is in flight of RUN, whichever console owns it.

    A chain ends at a revoked step. A step that runs already goes on.
    """
    perform(_cancel(run))


async def _cancel(wanted: str) -> int:
    from kimera_tui.cli.parts import Parts
    from kimera_tui.runs.book import RunBook

    parts = Parts()
    try:
        await parts.start()
        row = await _find(parts, wanted)
        book = RunBook()
        book.apply_all(await parts.events_of(row.run_id))
        state = book.runs[row.run_id]
        if state.ended is not None:
            raise UsageError(f"Run {row.run_id[:8]} has ended: there is nothing to cancel.")
        manager = await parts.manager()
        workers: set[str] = set()
        open_steps = [
            step for step in state.steps.values() if step.sent_at and not step.status.ended
        ]
        for step in open_steps:
            for receipt in await manager.revoke(step.task_id):
                workers.add(receipt.worker)
        names = ", ".join(sorted(workers)) or "no worker"
        narrate(f"{len(open_steps)} in flight revoked; acknowledged by {names}")
        return 0
    finally:
        await parts.close()
