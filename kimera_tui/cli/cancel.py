"""``kimera-tui cancel``: end a run, whichever console is at it."""

from __future__ import annotations

import click

from kimera_tui.cli.ends import NotEnded
from kimera_tui.cli.output import narrate, perform
from kimera_tui.cli.runs import find_run
from kimera_tui.errors import UsageError


@click.command()
@click.argument("run")
@click.option(
    "--keep-asking",
    is_flag=True,
    help="If no worker heard of a revoke, ask again for 10 minutes, workers that start too.",
)
def cancel(run: str, keep_asking: bool) -> None:
    """Cancel RUN (an id, or the beginning of one), whichever console is at it.

    Nothing more of it is sent, and what is in flight is revoked. A step that runs already goes on.
    """
    perform(_cancel(run, keep_asking))


async def _cancel(wanted: str, keep_asking: bool) -> int:
    from kimera_tui.cli.parts import Parts

    parts = Parts()
    await parts.open_journal()
    try:
        row = await find_run(parts, wanted)
        if row.ended is not None:
            raise UsageError(f"Run {row.run_id[:8]} has ended: there is nothing to cancel.")
        cancelled = await parts.cancel(row.run_id)
        narrate(cancelled.said)
        if cancelled.unheard and keep_asking:
            narrate("No worker heard it; asking again for up to 10 minutes.")
            await parts.start()
            narrate(await parts.keep_revoking(cancelled.unheard))
        elif cancelled.unheard:
            narrate("A worker that starts later won't know of it, unless --keep-asking is given.")
        return 0 if cancelled.ended else NotEnded.exit_code
    finally:
        await parts.close()
