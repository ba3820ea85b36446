"""``kimera-tui run``: a workflow from a file, run to its end without a screen."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from kimera_tui.cli.detaching import detached
from kimera_tui.cli.given import INPUT, ask_for_secrets, inputs_of
from kimera_tui.cli.output import data, fail, narrate, perform
from kimera_tui.cli.progress import Progress
from kimera_tui.errors import ConfigError, KimeraError, TaskFailed, UsageError

if TYPE_CHECKING:
    from kimera_tui.cli.parts import Parts
    from kimera_tui.runs.book import RunState
    from kimera_tui.workflows.document import Document
    from kimera_tui.workflows.launch import Given


@dataclass(frozen=True, slots=True)
class _Asked:
    """What stands on the command line."""

    workflow: str
    inputs: tuple[str, ...]
    inputs_file: str
    dry_run: bool
    from_failed: str
    detach: bool
    as_json: bool
    yes: bool


@click.command()
@click.argument("workflow")
@INPUT
@click.option("--inputs", "inputs_file", default="", metavar="FILE", help="Inputs: JSON or YAML.")
@click.option("--dry-run", is_flag=True, help="Show what would be sent; send nothing.")
@click.option("--from-failed", default="", metavar="RUN", help="Reuse what is done in RUN.")
@click.option("--detach", is_flag=True, help="Hand all of it to the workers and leave.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each event.")
@click.option("--yes", is_flag=True, help="Send to friends that are marked as dangerous.")
def run(**asked: Any) -> None:
    """Run WORKFLOW, a file or the name of one below workflows/, and print its result.

    Exit codes: 0 done, 1 a task failed, 2 usage, 3 timed out, 4 revoked or cancelled, 69 broker
    unreachable, 130 interrupted.
    """
    if asked["detach"] and (asked["dry_run"] or asked["from_failed"]):
        fail(UsageError("--detach starts a new run: leave --dry-run and --from-failed out."))
    perform(_run(_Asked(**asked)))


async def _run(asked: _Asked) -> int:
    from kimera_tui.cli.parts import Parts
    from kimera_tui.workflows.dry_run import dry_run
    from kimera_tui.workflows.reading import read_checked
    from kimera_tui.workflows.store import Library, workflows_folder

    parts = Parts()
    if parts.friends_problem:
        first, _, rest = parts.friends_problem.partition("\n")
        raise ConfigError(first, hint=rest)
    path = Library(workflows_folder()).find(asked.workflow)
    document = await asyncio.to_thread(read_checked, path, parts.friends)
    given = _given(document, asked)
    if asked.dry_run:
        for call in dry_run(document, given, parts.friends):
            data(call, as_json=asked.as_json)
        narrate("Nothing was sent.")
        return 0
    _refuse_danger(document, parts, asked)
    if asked.detach:
        return await detached(parts, document, given, as_json=asked.as_json)
    return await _to_its_end(parts, document, given, asked)


async def _to_its_end(parts: Parts, document: Document, given: Given, asked: _Asked) -> int:
    from kimera_tui.cli.runs import EXIT_CODES, find_run
    from kimera_tui.runs.masking import hidden_result
    from kimera_tui.workflows.replay import Wish

    try:
        with parts.bus.subscribe(1_000_000) as mailbox:
            progress = Progress(mailbox, as_json=asked.as_json)
            teller = asyncio.create_task(progress.tell())
            try:
                await parts.start()
                if asked.from_failed:
                    past = await find_run(parts, asked.from_failed)
                    wish = Wish("from_failed", given=given, document=document)
                    run_id = await parts.replay(past.run_id, wish)
                else:
                    run_id = await parts.run_document(document, given)
                runner = await parts.runner()
                error: BaseException | None = None
                result = None
                try:
                    result = await runner.result(run_id)
                except KimeraError as ended:
                    error = ended
            finally:
                teller.cancel()
                await asyncio.gather(teller, return_exceptions=True)
            state = progress.ended(run_id)
        return _report(state, hidden_result(result, state), error, asked.as_json, EXIT_CODES)
    finally:
        await parts.close()


def _report(
    state: RunState,
    result: Any,
    error: BaseException | None,
    as_json: bool,
    codes: dict[str, int],
) -> int:
    status = state.status.value
    if as_json:
        told = {"event": "end", "run": state.run_id, "status": status, "result": result}
        data(
            told | ({"error": state.secrets.text(str(error))} if error is not None else {}),
            as_json=True,
        )
    elif error is None:
        data(result, as_json=False)
    if error is not None:
        if isinstance(error, TaskFailed) and not as_json:
            for line in state.secrets.text(error.traceback).rstrip().splitlines():
                narrate(line)
        narrate(f"kimera-tui: {state.secrets.text(str(error))}")
        narrate(f"  kimera-tui run ... --from-failed {state.run_id[:8]} goes on from there.")
    if isinstance(error, KimeraError) and error.exit_code not in (0, 1):
        return error.exit_code
    return codes.get(status, 1) if error is not None else 0


def _given(document: Document, asked: _Asked) -> Given:
    """What the run is given, checked before a broker is started for it."""
    from kimera_tui.workflows.inputs import resolve, secret_value
    from kimera_tui.workflows.launch import Given

    values = inputs_of(document, asked.inputs, asked.inputs_file)
    if not asked.from_failed:  # the past run has the others
        resolve(document.inputs, values)
    if asked.dry_run:
        return Given(values)
    prompted = ask_for_secrets(document)
    for name, spec in document.inputs.items():
        if spec.type == "secret":
            secret_value(name, spec, os.environ, prompted)
    return Given(values, prompted)


def _refuse_danger(document: Document, parts: Parts, asked: _Asked) -> None:
    from kimera_tui.workflows.document import TaskStep, all_steps, called

    names = {
        called(step, document)[0] for step in all_steps(document) if isinstance(step, TaskStep)
    }
    danger = sorted(name for name in names if name in parts.friends and parts.friends[name].danger)
    if danger and not asked.yes:
        listed = ", ".join(f"`{name}`" for name in danger)
        raise UsageError(
            f"Marked as dangerous: {listed}. Nothing was sent.", hint="--yes sends all the same."
        )
