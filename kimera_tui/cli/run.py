"""``kimera-tui run``: a workflow from a file, run to its end without a screen."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from kimera_tui.cli.detach import detached
from kimera_tui.cli.exit_codes import MAILBOX, code_of, told_of
from kimera_tui.cli.inputs import INPUT, ask_for_secrets, inputs_of
from kimera_tui.cli.json_output.events import known_by_then
from kimera_tui.cli.json_output.objects import DryCall, RunEnd
from kimera_tui.cli.output import complain, data, fail, narrate, perform, show_traceback
from kimera_tui.cli.progress import Progress
from kimera_tui.cli.secret_sources import SECRET, secrets_for
from kimera_tui.cli.uncertain_steps import SEND_AGAIN, replayed
from kimera_tui.errors import KimeraError, TimeoutException, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from kimera_tui.console.parts import Parts
    from kimera_tui.documents.document import Document
    from kimera_tui.execution.run_inputs import Given
    from kimera_tui.runs.index import RunState


@dataclass(frozen=True, slots=True)
class _Asked:
    """What stands on the command line."""

    workflow: str
    inputs: tuple[str, ...]
    inputs_file: str
    secrets: tuple[str, ...]
    dry_run: bool
    from_failed: str
    send_again: tuple[str, ...]
    detach: bool
    as_json: bool
    yes: bool


@click.command(short_help="Run a workflow and print its result.")
@click.argument("workflow")
@INPUT
@click.option("--inputs", "inputs_file", default="", metavar="FILE", help="Inputs: JSON or YAML.")
@SECRET
@click.option("--dry-run", is_flag=True, help="Show what would be sent; send nothing.")
@click.option("--from-failed", default="", metavar="RUN", help="Reuse what RUN has done.")
@SEND_AGAIN
@click.option("--detach", is_flag=True, help="Hand the run to the workers and exit.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each event.")
@click.option("--yes", is_flag=True, help="Send to friends that are marked as dangerous.")
def run(**asked: Any) -> None:
    """Run WORKFLOW (a file, or a name below workflows/) and print its result.

    Exit codes: 0 done, 1 a task failed, 2 usage, 3 timed out, 4 revoked or cancelled, 69 broker
    unreachable, 130 interrupted.
    """
    if asked["detach"] and (asked["dry_run"] or asked["from_failed"]):
        fail(UsageError("--detach starts a new run: leave --dry-run and --from-failed out."))
    if asked["send_again"] and not asked["from_failed"]:
        fail(UsageError("--send-again says what --from-failed may send again: give both."))
    perform(_run(_Asked(**asked)), sends=True)


async def _run(asked: _Asked) -> int:
    from kimera_tui.console.guard import refuse_danger
    from kimera_tui.console.parts import Parts
    from kimera_tui.documents.parse import read_checked
    from kimera_tui.documents.store import Library, workflows_folder
    from kimera_tui.execution.preflight import tasks_of

    parts = Parts(say=narrate)
    parts.need_friends()
    path = Library(workflows_folder()).find(asked.workflow)
    document = await asyncio.to_thread(read_checked, path, parts.friends)
    if asked.dry_run:
        for access in parts.permissions.reads(document):
            narrate(access.sentence)
    else:
        parts.permissions.check(document, path)
    given = _given(document, asked)
    if asked.dry_run:
        return await _shown(parts, document, given, asked, path)
    refuse_danger(parts.friends, {friend for friend, _ in tasks_of(document)}, yes=asked.yes)
    if asked.detach:
        return await detached(parts, document, given, as_json=asked.as_json)
    return await _to_its_end(parts, document, given, asked)


async def _shown(parts: Parts, document: Document, given: Given, asked: _Asked, path: Path) -> int:
    """Tell the calls, of a run that reuses another one's results only those that are left."""
    from kimera_tui.cli.runs import find_run
    from kimera_tui.execution.replay import Wish

    left: set[str] | None = None
    if asked.from_failed:
        await parts.open_journal()
        try:
            past = await find_run(parts, asked.from_failed)
            again = frozenset(asked.send_again)
            wish = Wish("from_failed", given=given, document=document, again=again)
            plan = await parts.replay_plan(past.run_id, wish)
        finally:
            await parts.close()
        narrate(" ".join((plan.sentence, *plan.needs, *plan.notes)))
        will_run = set(plan.will_run)
        left = {node.id for _, node in plan.plan.walk() if node.path in will_run}
        given = replace(given, inputs=plan.inputs)
    for call in await parts.workflows.dry_run(document, given, path):
        if left is None or call["step"] in left:
            data(DryCall(**call) if asked.as_json else call, as_json=asked.as_json)
    narrate("Nothing was sent.")
    return 0


async def _to_its_end(parts: Parts, document: Document, given: Given, asked: _Asked) -> int:
    from kimera_tui.cli.runs import find_run
    from kimera_tui.execution.replay import Wish
    from kimera_tui.runs.masking import hidden_result

    try:
        with parts.bus.subscribe(MAILBOX) as mailbox:
            progress = Progress(mailbox, as_json=asked.as_json)
            teller = asyncio.create_task(progress.tell())
            try:
                await parts.start()
                if asked.from_failed:
                    past = await find_run(parts, asked.from_failed)
                    again = frozenset(asked.send_again)
                    wish = Wish("from_failed", given=given, document=document, again=again)
                    run_id = await replayed(parts, past.run_id, wish)
                else:
                    run_id = await parts.run_document(document, given)
                runner = await parts.runner()
                error: KimeraError | None = None
                result = None
                try:
                    result = await runner.result(run_id)
                except KimeraError as ended:
                    error = ended
            finally:
                teller.cancel()
                await asyncio.gather(teller, return_exceptions=True)
            state = progress.ended(run_id)
        _report(state, hidden_result(result, state), error, asked.as_json)
        if error is None:
            return 0
        if await _is_kept(parts, run_id):
            narrate(f"  {_way_on(state)}")
        return code_of(error, state.status.value)
    finally:
        await parts.close()


def _report(state: RunState, result: Any, error: KimeraError | None, as_json: bool) -> None:
    hide = state.secrets.text
    if as_json:
        failure = {} if error is None else {"error": hide(str(error))}
        told = RunEnd(event="end", result=result, **told_of(state), **failure)
        data(told, as_json=True)
    elif error is None:
        data(result, as_json=False)
    else:
        show_traceback(error, hide)
    if isinstance(error, TimeoutException):
        error.hint = known_by_then(state, error.task_id)
    if error is not None:
        complain(error, hide)


def _way_on(state: RunState) -> str:
    """How to go on, and what is done before a step is sent again that may have run."""
    from kimera_tui.runs.fates import may_have_run

    said = f"kimera-tui run ... --from-failed {state.run_id[:8]} goes on from there"
    names = [step.id or step.name for step in state.steps.values() if may_have_run(step)]
    if not names:
        return f"{said}."
    return (
        f"{said}. Before it sends them again, it looks for what may have run: {', '.join(names)}."
    )


async def _is_kept(parts: Parts, run_id: str) -> bool:
    """Whether the journal has the run: one that was refused is kept nowhere."""
    from kimera_tui.runs.search.tree import Term, written

    try:
        return bool(await parts.runs(written(Term("run", run_id)), 1))
    except KimeraError:
        return False


def _given(document: Document, asked: _Asked) -> Given:
    """What the run is given, checked before a broker is started for it."""
    from kimera_tui.documents.inputs import resolve, secret_value
    from kimera_tui.execution.run_inputs import Given

    values = inputs_of(document, asked.inputs, asked.inputs_file)
    if not asked.from_failed:  # the past run has the others
        resolve(document.inputs, values)
    if asked.dry_run:
        return Given(values)
    prompted = ask_for_secrets(document, secrets_for(document, asked.secrets))
    secrets = {
        name: secret_value(name, spec, os.environ, prompted)
        for name, spec in document.inputs.items()
        if spec.type == "secret"
    }
    return Given(values, secrets)
