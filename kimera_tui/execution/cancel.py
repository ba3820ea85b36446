"""Cancelling a run wherever it is: here, in another console, or nowhere."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from kimera_tui.errors import BrokerUnavailable, RunTaken, UsageError
from kimera_tui.execution.runner import Runner
from kimera_tui.process.events import RevokeSent
from kimera_tui.runs.index import RunState
from kimera_tui.runs.journal.journal import Journal
from kimera_tui.runs.journal.leases import OpenRun, pid_of
from kimera_tui.runs.recovery import Past
from kimera_tui.runs.status import Status

PATIENCE = 10.0
"""Seconds that a run has for its end once it was to be cancelled."""
LOOK_EVERY = 0.25


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What became of a run that was to be cancelled, as far as is known."""

    run_id: str
    said: str
    """For people, in sentences."""
    ended: bool = True
    workers: Sequence[str] = ()
    """Who acknowledged a revoke."""
    unheard: Sequence[tuple[str, str]] = ()
    """Friend and task id of what was in flight and of which no worker heard."""


async def cancel_run(
    journal: Journal,
    run_id: str,
    here: Runner | None,
    take_over: Callable[[str], Awaitable[object]],
    patience: float = PATIENCE,
) -> Cancelled:
    """Cancel a run: by ourselves if it is ours or nobody's, else by asking its console.

    Args:
        journal: Where the run is.
        run_id: Its id.
        here: This console's runner, if there is one already.
        take_over: Goes on with a run that nobody is at, which cancels it.
        patience: Seconds to wait for the run's end.

    Raises:
        UsageError: the run has ended already.
        JournalError: the journal can't be used.
    """
    if here is not None and here.has(run_id):
        await here.cancel(run_id)
        ended = await _awaited(journal, run_id, patience)
        return await _told(journal, run_id) if ended is None else _still_going(ended)
    run = await _open(journal, run_id)
    if run is None or not await _asked(journal, run_id):
        raise UsageError(f"Run {run_id[:8]} has ended: there is nothing to cancel.")
    if not run.alive and (why_not := await _taken_over(take_over(run_id), patience)):
        return Cancelled(
            run_id,
            f"Written down: whoever goes on with it cancels it. {why_not}",
            ended=False,
        )
    still = await _awaited(journal, run_id, patience)
    return await _told(journal, run_id) if still is None else _not_answered(still)


async def _taken_over(taking: Awaitable[object], patience: float) -> str:
    """Have a run taken over; returns why that can't be done, or not yet, or an empty string."""
    task = asyncio.ensure_future(taking)
    await asyncio.wait({task}, timeout=patience)
    if not task.done():  # it goes on meanwhile
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return "The broker has not told yet what became of its tasks."
    try:
        task.result()
    except RunTaken:  # another console was quicker
        return ""
    except (UsageError, BrokerUnavailable) as error:
        return f"Nobody is at it now, and it can't be done here. {error}"
    return ""


async def _asked(journal: Journal, run_id: str) -> bool:
    """Whether it could be written down that a run is to be cancelled."""
    try:
        await journal.ask_to_cancel(run_id)
    except RunTaken:
        return False
    return True


async def _open(journal: Journal, run_id: str) -> OpenRun | None:
    return next((run for run in await journal.open_runs() if run.run_id == run_id), None)


async def _awaited(journal: Journal, run_id: str, patience: float) -> OpenRun | None:
    """The run if it has not ended in time, else None."""
    loop = asyncio.get_running_loop()
    until = loop.time() + patience
    # Another process may be the one that writes its end.
    while (run := await _open(journal, run_id)) is not None and loop.time() < until:  # noqa: ASYNC110
        await asyncio.sleep(LOOK_EVERY)
    return run


def _still_going(run: OpenRun) -> Cancelled:
    return Cancelled(
        run.run_id, "Nothing more of it is sent; it has not come to its end yet.", ended=False
    )


def _not_answered(run: OpenRun) -> Cancelled:
    pid = pid_of(run.owner)
    who = f"its console (pid {pid})" if pid else "its console"
    if not run.alive:
        return Cancelled(
            run.run_id, f"Asked, but {who} is gone: whoever goes on with it cancels it.", False
        )
    return Cancelled(run.run_id, f"Asked; {who} has not answered yet.", ended=False)


async def _told(journal: Journal, run_id: str) -> Cancelled:
    """What the journal says of a run that has ended."""
    events = await journal.events_of(run_id)
    run = (await asyncio.to_thread(Past.of, events)).run
    heard: set[str] = set()
    workers: set[str] = set()
    for event in events:
        if isinstance(event, RevokeSent) and event.asked:
            names = {receipt.worker for receipt in event.receipts if receipt.ok}
            workers |= names
            if names:
                heard.add(event.task_id)
    unheard = [
        (step.friend, step.task_id)
        for step in run.steps.values()
        if step.was_sent and step.status is Status.INTERRUPTED and step.task_id not in heard
    ]
    return Cancelled(run_id, _sentence(run, sorted(workers)), True, sorted(workers), unheard)


def _sentence(run: RunState, workers: Sequence[str]) -> str:
    if run.status is not Status.REVOKED:
        return f"It ended as {run.status.value} before it could be cancelled."
    steps = list(run.steps.values())
    revoked = sum(step.status is Status.REVOKED for step in steps)
    open_ended = sum(step.was_sent and step.status is Status.INTERRUPTED for step in steps)
    parts = [f"{revoked} revoked"] if revoked else []
    if open_ended:
        parts.append(f"{open_ended} may still run")
    if unsent := sum(not step.was_sent and step.status is not Status.DONE for step in steps):
        parts.append(f"{unsent} never sent")
    said = f"Cancelled: {', '.join(parts) or 'nothing was in flight'}."
    if revoked or open_ended:
        said += f" Acknowledged by {', '.join(workers) or 'no worker'}."
    return said
