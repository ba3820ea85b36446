"""``kimera-tui resume``: resume interrupted runs without a screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kimera_tui.cli.exit_codes import code_of, errors_of, report_of
from kimera_tui.cli.inputs import given_again
from kimera_tui.cli.json_output.objects import RunReport
from kimera_tui.cli.output import data, fail, narrate, perform
from kimera_tui.cli.secret_sources import SECRET
from kimera_tui.errors import UsageError
from kimera_tui.safetext import safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kimera_tui.console.console import Console
    from kimera_tui.runs.index import RunState
    from kimera_tui.runs.recovery import Resumed


@click.command(short_help="Resume interrupted runs and wait for their end.")
@click.argument("run", default="")
@SECRET
@click.option("--json", "as_json", is_flag=True, help="The end of each run as a JSON object.")
def resume(run: str, secrets: tuple[str, ...], as_json: bool) -> None:
    """Resume RUN (an id or the beginning of one), or every interrupted run.

    Nothing is sent twice. Waits until the runs have ended.

    Exit codes are the same as for kimera-tui run; 1 if several runs failed in different ways, or if
    a damaged journal was set aside, which may hold other interrupted runs.
    """
    if secrets and not run:
        fail(UsageError("--secret is for one run: name it."))
    perform(_resume(run, secrets, as_json=as_json), sends=True)


async def _resume(prefix: str, secrets: Sequence[str] = (), *, as_json: bool = False) -> int:
    from kimera_tui.console.console import build_console

    async with build_console(say=narrate) as console:
        await console.start()
        resumed = await _resumed(console, prefix, secrets)
        for run in resumed:
            for need in run.needs:
                narrate(f"{run.run_id[:8]}: {safe(need, 300)}")
        runner = await console.connection.runner()
        errors = await errors_of(runner, [run.run_id for run in resumed])
        codes = set()
        for run, error in zip(resumed, errors, strict=True):
            state = await console.journal.run(run.run_id)
            _print_end(state, as_json=as_json)
            codes.add(code_of(error, state.status.value))
    failures = codes - {0}
    if not failures and not prefix and console.journal.notice:
        return 1
    return failures.pop() if len(failures) == 1 else int(bool(failures))


async def _resumed(console: Console, prefix: str, secrets: Sequence[str]) -> Sequence[Resumed]:
    """Resume the runs; first make sure that something can be sent, before any prompt."""
    await console.connection.ready_runner()
    if prefix:
        run_id = await _open_run(console, prefix)
        run_inputs = given_again(await console.journal.run(run_id), (), secrets)
        return [await console.runs.resume(run_id, run_inputs)]
    recovery = await console.runs.recover()
    none = "No interrupted runs."
    if console.journal.notice:
        none = "No interrupted runs in the new journal; the damaged one may hold some."
    narrate(recovery.sentence or none)
    for run_id, why in recovery.left:
        narrate(f"{run_id[:8]}: {why}")
    return recovery.adopted


def _print_end(run: RunState, *, as_json: bool) -> None:
    """Print how a run ended, as the journal has it without its secrets."""
    if as_json:
        data(RunReport(**report_of(run)), as_json=True)
        return
    ended = run.status.value if run.ended is not None else "not ended here"
    why = f": {run.error}" if run.error else ""
    click.echo(safe(f"{run.run_id[:8]}  {run.name}  {ended}{why}", 500))


async def _open_run(console: Console, prefix: str) -> str:
    """The only unfinished run whose id starts so; UsageError if there are none or several."""
    run_ids = [run.run_id for run in await console.journal.open_runs()]
    matching = [run_id for run_id in run_ids if run_id.startswith(prefix)]
    if len(matching) != 1:
        count = len(matching)
        what = (
            f"{count} unfinished runs have ids starting"
            if count
            else "No unfinished run's id starts"
        )
        raise UsageError(f"{what} with `{prefix}`; kimera-tui runs lists them.")
    return matching[0]
