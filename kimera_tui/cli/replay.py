"""``kimera-tui replay``: run a past run again, all or part of it, with the same or new values."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from kimera_tui.cli.exit_codes import MAILBOX, code_of, errors_of, print_report
from kimera_tui.cli.inputs import INPUT, given_again, overrides_of
from kimera_tui.cli.json_output.objects import ReplayedCall
from kimera_tui.cli.output import data, fail, narrate, perform
from kimera_tui.cli.secret_sources import SECRET
from kimera_tui.cli.uncertain_steps import SEND_AGAIN, start_replay
from kimera_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kimera_tui.console.console import Console
    from kimera_tui.execution.replay.plan import ReplayPlan, ReplayRequest
    from kimera_tui.runs.index import RunState


@dataclass(frozen=True, slots=True)
class _Options:
    """The words of the command line."""

    run: str
    mode: str | None
    from_step: str
    only_step: str
    inputs: tuple[str, ...]
    secrets: tuple[str, ...]
    sets: tuple[str, ...]
    send_again: tuple[str, ...]
    dry_run: bool
    as_json: bool
    yes: bool

    @property
    def way(self) -> tuple[str, str]:
        """The mode, and the step that it names."""
        if self.from_step:
            return "from_step", self.from_step
        if self.only_step:
            return "only_step", self.only_step
        return self.mode or "again", ""


@click.command(short_help="Run a past run again, all or part of it.")
@click.argument("run")
@click.option(
    "--from-failed", "mode", flag_value="from_failed", help="Rerun only what is not done."
)
@click.option(
    "--from", "from_step", default="", metavar="STEP", help="Rerun from STEP (id or path)."
)
@click.option(
    "--only", "only_step", default="", metavar="STEP", help="Rerun only STEP (id or path)."
)
@INPUT
@SECRET
@click.option("--set", "sets", multiple=True, metavar="STEP.NAME=VALUE", help="Change an argument.")
@SEND_AGAIN
@click.option("--dry-run", is_flag=True, help="Show what would run and be reused; send nothing.")
@click.option("--json", "as_json", is_flag=True, help="The new run's end as one JSON object.")
@click.option("--yes", is_flag=True, help="Send to friends that are marked as dangerous.")
def replay(**words: Any) -> None:
    """Run RUN again, as a new run, and wait for its end.

    Steps that use a value changed by -i or --set run again, and so does everything they feed. A
    step that may have run already, or is still running, is looked for first; it is sent again only
    if you say so.
    """
    options = _Options(**words)
    if sum(map(bool, (options.mode, options.from_step, options.only_step))) > 1:
        fail(UsageError("Choose one of --from-failed, --from and --only."))
    perform(_replay(options), sends=True)


async def _replay(options: _Options) -> int:
    from kimera_tui.console.console import build_console
    from kimera_tui.console.guard import refuse_danger
    from kimera_tui.execution.replay.plan import ReplayRequest

    async with build_console(say=narrate) as console:
        await console.connection.open_journal()
        past = await console.journal.run((await console.runs.find(options.run)).run_id)
        run_inputs = given_again(past, options.inputs, options.secrets, dry_run=options.dry_run)
        again = frozenset(options.send_again)
        request = ReplayRequest(*options.way, overrides_of(options.sets), run_inputs, again=again)
        plan = await console.runs.replay_plan(past.run_id, request)
        narrate(" ".join((plan.sentence, *plan.notes)))
        if options.dry_run:
            _print_plan(plan, as_json=options.as_json)
            return 0
        refuse_danger(console.friends, plan.friends, yes=options.yes)
        return await _run_to_end(console, past.run_id, request, as_json=options.as_json)


def _print_plan(plan: ReplayPlan, *, as_json: bool) -> None:
    leaves = dict(plan.plan.leaves())
    for path in plan.will_run:
        task = f"{leaves[path].friend}.{leaves[path].task_name}"
        if as_json:
            data(ReplayedCall(step=path or "0", task=task), as_json=True)
        else:
            click.echo(f"{path or '0'}  {task}")


async def _run_to_end(console: Console, past: str, request: ReplayRequest, *, as_json: bool) -> int:
    with console.bus.subscribe(MAILBOX) as mailbox:
        await console.start()
        run_id = await start_replay(console, past, request)
        [error] = await errors_of(await console.connection.runner(), [run_id])
        run = await asyncio.to_thread(_shown, mailbox.drain(), run_id)
    narrate(f"run {run_id}")
    print_report(run, as_json)
    return code_of(error, run.status.value)


def _shown(events: Sequence[object], run_id: str) -> RunState:
    """The run that these events tell of, without its secrets."""
    from kimera_tui.runs.index import RunIndex

    index = RunIndex()
    for event in events:
        index.take(event)
    return index.runs[run_id]
