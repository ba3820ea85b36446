"""``kimera-tui cancel``: cancel a run, no matter which console owns it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kimera_tui.cli.exit_codes import NotEnded
from kimera_tui.cli.json_output.objects import CancelledRun, LeftTask
from kimera_tui.cli.output import data, narrate, perform
from kimera_tui.errors import UsageError

if TYPE_CHECKING:
    from kimera_tui.execution.cancel import Cancelled


@click.command(short_help="Cancel a run and revoke what is in flight.")
@click.argument("run")
@click.option(
    "--keep-asking",
    is_flag=True,
    help="If no worker acknowledges a revoke, repeat it for 10 minutes, also to new workers.",
)
@click.option("--json", "as_json", is_flag=True, help="The outcome as one JSON object.")
def cancel(run: str, keep_asking: bool, as_json: bool) -> None:
    """Cancel RUN (an id or the beginning of one), no matter which console owns it.

    Nothing more of it is sent. What is in flight is revoked and, on Redis, taken out of its queue;
    a step that is already running keeps running. What could not be stopped is listed.
    """
    perform(_cancel(run, keep_asking, as_json))


async def _cancel(prefix: str, keep_asking: bool, as_json: bool) -> int:
    from kimera_tui.console.console import build_console

    async with build_console(say=narrate) as console:
        await console.connection.open_journal()
        row = await console.runs.find(prefix)
        if row.ended is not None:
            raise UsageError(f"Run {row.run_id[:8]} has ended: there is nothing to cancel.")
        cancelled = await console.runs.cancel(row.run_id)
        narrate(cancelled.summary)
        if as_json:
            data(_public(cancelled), as_json=True)
        if cancelled.unacknowledged and keep_asking:
            narrate("No worker acknowledged the revoke; repeating it for up to 10 minutes.")
            await console.start()
            narrate(await console.runs.keep_revoking(cancelled.unacknowledged))
        elif cancelled.unacknowledged:
            narrate("Workers that start later won't know of it unless you pass --keep-asking.")
        return 0 if cancelled.ended else NotEnded.exit_code


def _public(cancelled: Cancelled) -> CancelledRun:
    report = cancelled.report
    return CancelledRun(
        run=cancelled.run_id,
        ended=cancelled.ended,
        message=cancelled.summary,
        workers=list(cancelled.workers),
        unacknowledged=[task_id for _, task_id in cancelled.unacknowledged],
        taken_out=[step.task_id for step in report.taken_out] if report else [],
        revoked=[step.task_id for step in report.revoked] if report else [],
        left=[
            LeftTask(
                task_id=left.step.task_id,
                step=left.step.id or left.step.path or "0",
                task=left.step.name,
                worker=left.step.worker or None,
                running=left.step.started_at is not None,
                why=left.why,
            )
            for left in (report.left if report else ())
        ],
    )
