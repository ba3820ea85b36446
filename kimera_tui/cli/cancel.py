"""``kimera-tui cancel``: end a run, no matter which console owns it."""

from __future__ import annotations

import click

from kimera_tui.cli.exit_codes import NotEnded
from kimera_tui.cli.output import narrate, perform
from kimera_tui.cli.runs import find_run
from kimera_tui.errors import UsageError


@click.command(short_help="Cancel a run and revoke what is in flight.")
@click.argument("run")
@click.option(
    "--keep-asking",
    is_flag=True,
    help="If no worker acknowledges a revoke, repeat it for 10 minutes, also to new workers.",
)
def cancel(run: str, keep_asking: bool) -> None:
    """Cancel RUN (an id or the beginning of one), no matter which console owns it.

    Nothing more of it is sent, and what is in flight is revoked. A step that is already running
    keeps running.
    """
    perform(_cancel(run, keep_asking))


async def _cancel(wanted: str, keep_asking: bool) -> int:
    from kimera_tui.console.parts import Parts

    parts = Parts(say=narrate)
    await parts.open_journal()
    try:
        row = await find_run(parts, wanted)
        if row.ended is not None:
            raise UsageError(f"Run {row.run_id[:8]} has ended: there is nothing to cancel.")
        cancelled = await parts.cancel(row.run_id)
        narrate(cancelled.summary)
        if cancelled.unacknowledged and keep_asking:
            narrate("No worker acknowledged the revoke; repeating it for up to 10 minutes.")
            await parts.start()
            narrate(await parts.keep_revoking(cancelled.unacknowledged))
        elif cancelled.unacknowledged:
            narrate("Workers that start later won't know of it unless you pass --keep-asking.")
        return 0 if cancelled.ended else NotEnded.exit_code
    finally:
        await parts.close()
