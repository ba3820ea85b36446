"""``kimera-tui resume``: continue interrupted runs without a screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kimera_tui.cli.exit_codes import code_of, errors_of
from kimera_tui.cli.inputs import ask_for_secrets
from kimera_tui.cli.output import fail, narrate, perform
from kimera_tui.cli.runs import read_run
from kimera_tui.cli.secret_sources import SECRET, secrets_for
from kimera_tui.errors import UsageError
from kimera_tui.safetext import safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kimera_tui.console.parts import Parts
    from kimera_tui.execution.run_inputs import Given
    from kimera_tui.runs.recovery import Resumed


@click.command(short_help="Resume interrupted runs and wait for their end.")
@click.argument("run", default="")
@SECRET
def resume(run: str, secrets: tuple[str, ...]) -> None:
    """Resume RUN (an id or the beginning of one), or every interrupted run.

    Nothing is sent twice. Waits until the runs have ended.

    Exit codes are the same as for kimera-tui run; 1 if several runs failed in different ways, or if
    a damaged journal was set aside, which may hold other interrupted runs.
    """
    if secrets and not run:
        fail(UsageError("--secret is for one run: name it."))
    perform(_resume(run, secrets), sends=True)


async def _resume(wanted: str, secrets: Sequence[str] = ()) -> int:
    from kimera_tui.console.parts import Parts

    parts = Parts(say=narrate)
    try:
        await parts.start()
        resumed = await _resumed(parts, wanted, secrets)
        for run in resumed:
            for need in run.needs:
                narrate(f"{run.run_id[:8]}: {safe(need, 300)}")
        errors = await errors_of(await parts.runner(), [run.run_id for run in resumed])
        codes = [await _told(parts, *end) for end in zip(resumed, errors, strict=True)]
    finally:
        await parts.close()
    bad = set(codes) - {0}
    if not bad and not wanted and parts.journal_notice:
        return 1
    return bad.pop() if len(bad) == 1 else int(bool(bad))


async def _resumed(parts: Parts, wanted: str, secrets: Sequence[str]) -> Sequence[Resumed]:
    """The runs that go on; nobody waits, or is asked for secrets, in vain."""
    await parts.ready_runner()
    if wanted:
        run_id = await _open_run(parts, wanted)
        return [await parts.go_on(run_id, await _given(parts, run_id, secrets))]
    found = await parts.recover()
    none = "No interrupted runs."
    if parts.journal_notice:
        none = "No interrupted runs in the new journal; the damaged one may hold some."
    narrate(found.sentence or none)
    for run_id, why in found.left:
        narrate(f"{run_id[:8]}: {why}")
    return found.adopted


async def _told(parts: Parts, run: Resumed, error: BaseException | None) -> int:
    """Print how a run ended, as the journal has it without its secrets; returns the exit code."""
    state = await read_run(parts, run.run_id)
    ended = state.status.value if state.ended is not None else "not ended here"
    why = f": {state.error}" if state.error else ""
    click.echo(safe(f"{run.run_id[:8]}  {run.name}  {ended}{why}", 500))
    return code_of(error, state.status.value)


async def _given(parts: Parts, run_id: str, secrets: Sequence[str]) -> Given:
    """The secrets that were typed in when the run began, which are kept nowhere."""
    from kimera_tui.documents.header import document_from
    from kimera_tui.execution.run_inputs import Given, beginning_of

    started = beginning_of(await parts.events_of(run_id))
    if not started.header:
        if secrets:
            raise UsageError("The run has no inputs: it was not started from a workflow.")
        return Given()
    document = document_from(started.header)
    return Given(prompted=ask_for_secrets(document, secrets_for(document, secrets)))


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
