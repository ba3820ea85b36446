"""``kimera-tui replay``: a past run once more, whole or in part, as it was or with other values."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from kimera_tui.cli.exit_codes import MAILBOX, code_of, errors_of, report
from kimera_tui.cli.inputs import INPUT, ask_for_secrets, inputs_of, overrides_of
from kimera_tui.cli.json_output.objects import ReplayedCall
from kimera_tui.cli.output import data, fail, narrate, perform
from kimera_tui.cli.runs import find_run
from kimera_tui.cli.secret_sources import SECRET, secrets_for
from kimera_tui.cli.uncertain_steps import SEND_AGAIN, replayed
from kimera_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kimera_tui.console.parts import Parts
    from kimera_tui.execution.replay import Wish
    from kimera_tui.execution.run_inputs import Given
    from kimera_tui.runs.index import RunState


@dataclass(frozen=True, slots=True)
class _Asked:
    """What stands on the command line."""

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
        """How it is run again, and the step that this means."""
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
def replay(**asked: Any) -> None:
    """Run RUN again, as a new run, and wait for its end.

    Steps that use a value changed by -i or --set run again, and so does everything they feed. A
    step that may have run already, or still runs, is looked for first; it is sent again only if you
    say so.
    """
    call = _Asked(**asked)
    if sum(map(bool, (call.mode, call.from_step, call.only_step))) > 1:
        fail(UsageError("Choose one of --from-failed, --from and --only."))
    perform(_replay(call), sends=True)


async def _replay(asked: _Asked) -> int:
    from kimera_tui.console.guard import refuse_danger
    from kimera_tui.console.parts import Parts
    from kimera_tui.execution.replay import Wish

    parts = Parts(say=narrate)
    await parts.open_journal()
    try:
        row = await find_run(parts, asked.run)
        given = await _given(parts, row.run_id, asked)
        again = frozenset(asked.send_again)
        wish = Wish(*asked.way, overrides_of(asked.sets), given, again=again)
        plan = await parts.replay_plan(row.run_id, wish)
        narrate(" ".join((plan.sentence, *plan.notes)))
        if asked.dry_run:
            leaves = dict(plan.plan.leaves())
            for path in plan.will_run:
                call = ReplayedCall(
                    step=path or "0", task=f"{leaves[path].friend}.{leaves[path].task_name}"
                )
                if asked.as_json:
                    data(call, as_json=True)
                else:
                    click.echo(f"{call.step}  {call.task}")
            return 0
        refuse_danger(parts.friends, plan.friends, yes=asked.yes)
        return await _to_its_end(parts, row.run_id, wish, as_json=asked.as_json)
    finally:
        await parts.close()


async def _to_its_end(parts: Parts, past: str, wish: Wish, *, as_json: bool) -> int:
    with parts.bus.subscribe(MAILBOX) as mailbox:
        await parts.start()
        run_id = await replayed(parts, past, wish)
        [error] = await errors_of(await parts.runner(), [run_id])
        state = await asyncio.to_thread(_folded, mailbox.drain(), run_id)
    narrate(f"run {run_id}")
    report(state, as_json)
    return code_of(error, state.status.value)


def _folded(events: Sequence[object], run_id: str) -> RunState:
    """The run that these events tell of, without its secrets."""
    from kimera_tui.runs.index import RunBook
    from kimera_tui.runs.masking import masked

    book = RunBook()
    for event in events:
        book.apply(masked(event, book))
    return book.runs[run_id]


async def _given(parts: Parts, run_id: str, asked: _Asked) -> Given:
    """The inputs that are given anew, and the secrets that are asked for again."""
    from kimera_tui.documents.header import document_from
    from kimera_tui.execution.run_inputs import Given, beginning_of

    started = beginning_of(await parts.events_of(run_id))
    if not started.header:
        if asked.inputs or asked.secrets:
            raise UsageError("The run has no inputs: it was not started from a workflow.")
        return Given()
    document = document_from(started.header)
    inputs = inputs_of(document, asked.inputs)
    if asked.dry_run:
        return Given(inputs)
    return Given(inputs, ask_for_secrets(document, secrets_for(document, asked.secrets)))
