"""``kimera-tui cancel``: cancel a run, no matter which console owns it."""

from __future__ import annotations

import click

from kimera_tui.cli.exit_codes import NotEnded
from kimera_tui.cli.json_output.objects import CancelledRun
from kimera_tui.cli.output import data, narrate, perform
from kimera_tui.errors import UsageError


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

    Nothing more of it is sent, and what is in flight is revoked. A step that is already running
    keeps running.
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
            document = CancelledRun(
                run=cancelled.run_id,
                ended=cancelled.ended,
                message=cancelled.summary,
                workers=list(cancelled.workers),
                unacknowledged=[task_id for _, task_id in cancelled.unacknowledged],
            )
            data(document, as_json=True)
        if cancelled.unacknowledged and keep_asking:
            narrate("No worker acknowledged the revoke; repeating it for up to 10 minutes.")
            await console.start()
            narrate(await console.runs.keep_revoking(cancelled.unacknowledged))
        elif cancelled.unacknowledged:
            narrate("Workers that start later won't know of it unless you pass --keep-asking.")
        return 0 if cancelled.ended else NotEnded.exit_code
