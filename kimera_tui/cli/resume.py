"""``kimera-tui resume``: go on with runs that a console left, without the screen."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from kimera_tui.cli.given import ask_for_secrets
from kimera_tui.cli.output import narrate, perform
from kimera_tui.errors import UsageError
from kimera_tui.safetext import safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kimera_tui.cli.parts import Parts
    from kimera_tui.runs.recovery import Resumed
    from kimera_tui.workflows.launch import Given


@click.command()
@click.argument("run", default="")
def resume(run: str) -> None:
    """Go on with RUN (an id, or the beginning of one), or with every run that was left.

    Nothing is sent twice. Waits until the runs have ended.
    """
    perform(_resume(run))


async def _resume(wanted: str) -> int:
    from kimera_tui.cli.parts import Parts

    parts = Parts()
    try:
        await parts.start()
        runner = await parts.runner()
        resumed: Sequence[Resumed]
        if wanted:
            run_id = await _open_run(parts, wanted)
            resumed = [await runner.resume(run_id, await _given(parts, run_id))]
        else:
            found = await parts.recover()
            narrate(found.sentence or "No run was left.")
            for run_id, why in found.left:
                narrate(f"{run_id[:8]}: {why}")
            resumed = found.adopted
        for run in resumed:
            for need in run.needs:
                narrate(f"{run.run_id[:8]}: {safe(need, 300)}")
        results = await asyncio.gather(
            *(runner.result(run.run_id) for run in resumed), return_exceptions=True
        )
        for run, result in zip(resumed, results, strict=True):
            ended = f"failed: {result}" if isinstance(result, BaseException) else "done"
            click.echo(safe(f"{run.run_id[:8]}  {run.name}  {ended}", 500))
        return int(any(isinstance(result, BaseException) for result in results))
    finally:
        await parts.close()


async def _given(parts: Parts, run_id: str) -> Given:
    """The secrets that were typed in when the run began, which are kept nowhere."""
    from kimera_tui.workflows.header import document_from
    from kimera_tui.workflows.launch import Given, beginning_of

    started = beginning_of(await parts.events_of(run_id))
    if not started.header:
        return Given()
    return Given(prompted=ask_for_secrets(document_from(started.header)))


async def _open_run(parts: Parts, wanted: str) -> str:
    """The one run that has not ended and whose id begins so."""
    found = [run.run_id for run in await parts.journal.open_runs()]
    matching = [run_id for run_id in found if run_id.startswith(wanted)]
    if len(matching) != 1:
        what = (
            "No open run's id begins" if not matching else f"{len(matching)} open runs' ids begin"
        )
        raise UsageError(f"{what} with `{wanted}`; kimera-tui runs lists them.")
    return matching[0]
