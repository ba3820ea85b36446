"""Cancel a run, no matter which console owns it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from kimera_tui.errors import BrokerUnavailable, RunTaken, UsageError
from kimera_tui.execution.runner import Runner
from kimera_tui.runs.cancel_report import CancelReport, cancel_report
from kimera_tui.runs.journal.journal import Journal
from kimera_tui.runs.journal.leases import OpenRun, pid_of
from kimera_tui.runs.status import Status

PATIENCE = 10.0
"""Seconds to wait for a cancelled run to end."""
LOOK_EVERY = 0.25


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The outcome of cancelling a run."""

    run_id: str
    summary: str
    """Sentences for people."""
    ended: bool = True
    workers: Sequence[str] = ()
    """Names of the workers that acknowledged a revoke."""
    unacknowledged: Sequence[tuple[str, str]] = ()
    """Friend and task id of each task in flight whose revoke no worker acknowledged."""
    report: CancelReport | None = None
    """What became of each task; None if the run has not ended as cancelled."""


async def cancel_run(
    journal: Journal,
    run_id: str,
    here: Runner | None,
    take_over: Callable[[str], Awaitable[object]],
    patience: float = PATIENCE,
) -> Cancelled:
    """Cancel a run: directly if this console owns it or nobody does, else by asking its owner.

    Args:
        journal: Where the run is.
        run_id: The run.
        here: This console's runner, if it has one already.
        take_over: Resumes a run without an owner, which cancels it.
        patience: Seconds to wait for the run to end.

    Raises:
        UsageError: the run has already ended.
        JournalError: the journal cannot be used.
    """
    if here is not None and here.has(run_id):
        await here.cancel(run_id)
        still_open = await _awaited(journal, run_id, patience)
        return await _outcome(journal, run_id) if still_open is None else _not_ended(still_open)
    run = await _open(journal, run_id)
    if run is None or not await _requested(journal, run_id):
        raise UsageError(f"Run {run_id[:8]} has ended: there is nothing to cancel.")
    if not run.alive and (why_not := await _taken_over(take_over(run_id), patience)):
        return Cancelled(
            run_id,
            f"Recorded: whoever resumes the run will cancel it. {why_not}",
            ended=False,
        )
    still_open = await _awaited(journal, run_id, patience)
    return await _outcome(journal, run_id) if still_open is None else _no_response(still_open)


async def _taken_over(taking: Awaitable[object], patience: float) -> str:
    """Take over a run; return why it could not be taken over yet, or an empty string."""
    task = asyncio.ensure_future(taking)
    await asyncio.wait({task}, timeout=patience)
    if not task.done():  # it continues in the background
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return "The broker has not reported the state of its tasks yet."
    try:
        task.result()
    except RunTaken:  # another console was quicker
        return ""
    except (UsageError, BrokerUnavailable) as error:
        return f"No console owns it now, and this one cannot take it over. {error}"
    return ""


async def _requested(journal: Journal, run_id: str) -> bool:
    """Record the request to cancel a run; return whether the run was still open."""
    try:
        await journal.ask_to_cancel(run_id)
    except RunTaken:
        return False
    return True


async def _open(journal: Journal, run_id: str) -> OpenRun | None:
    return next((run for run in await journal.open_runs() if run.run_id == run_id), None)


async def _awaited(journal: Journal, run_id: str, patience: float) -> OpenRun | None:
    """The run if it has not ended within ``patience`` seconds, else None."""
    loop = asyncio.get_running_loop()
    until = loop.time() + patience
    # Another process may write the end.
    while (run := await _open(journal, run_id)) is not None and loop.time() < until:  # noqa: ASYNC110
        await asyncio.sleep(LOOK_EVERY)
    return run


def _not_ended(run: OpenRun) -> Cancelled:
    return Cancelled(
        run.run_id, "Nothing more will be sent; the run has not ended yet.", ended=False
    )


def _no_response(run: OpenRun) -> Cancelled:
    pid = pid_of(run.owner)
    owner = f"its console (pid {pid})" if pid else "its console"
    if not run.alive:
        return Cancelled(
            run.run_id,
            f"Requested, but {owner} is gone: whoever resumes the run will cancel it.",
            ended=False,
        )
    return Cancelled(run.run_id, f"Requested; {owner} has not responded yet.", ended=False)


async def _outcome(journal: Journal, run_id: str) -> Cancelled:
    """The outcome of a run that has ended, from its journal."""
    run = await journal.run(run_id)
    if run.status is not Status.REVOKED:
        text = f"The run ended as {run.status.value} before it could be cancelled."
        return Cancelled(run_id, text)
    report = cancel_report(run)
    unacknowledged = [
        (left.step.friend, left.step.task_id) for left in report.left if not left.acknowledged
    ]
    return Cancelled(run_id, report.text, True, report.workers, unacknowledged, report)
