"""``kimera-tui run``: run a workflow from a file to its end, or detach it."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from kimera_tui.cli.exit_codes import MAILBOX, code_of, report_of
from kimera_tui.cli.inputs import INPUT, inputs_of
from kimera_tui.cli.json_output.events import known_by_then
from kimera_tui.cli.json_output.objects import Detached, DryCall, RunEnd
from kimera_tui.cli.output import complain, data, fail, narrate, perform, show_traceback
from kimera_tui.cli.progress import Progress
from kimera_tui.cli.secret_sources import SECRET, secrets_for
from kimera_tui.cli.uncertain_steps import SEND_AGAIN, start_replay
from kimera_tui.errors import KimeraError, TimeoutException, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from kimera_tui.console.console import Console
    from kimera_tui.documents.document import Document
    from kimera_tui.execution.replay.plan import ReplayRequest
    from kimera_tui.execution.run_inputs import RunInputs
    from kimera_tui.runs.index import RunState


@dataclass(frozen=True, slots=True)
class _Options:
    """The words of the command line."""

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


@dataclass(frozen=True, slots=True)
class _Call:
    """The workflow to run, and what it is given."""

    document: Document
    path: Path
    run_inputs: RunInputs
    options: _Options

    @property
    def replay_request(self) -> ReplayRequest:
        """How the run that ``--from-failed`` names is run again."""
        from kimera_tui.execution.replay.plan import ReplayRequest

        again = frozenset(self.options.send_again)
        return ReplayRequest(
            "from_failed", run_inputs=self.run_inputs, document=self.document, again=again
        )


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
def run(**words: Any) -> None:
    """Run WORKFLOW (a file, or a name below workflows/) and print its result.

    Exit codes: 0 done, 1 a task failed, 2 usage, 3 timed out, 4 revoked or cancelled, 5 ended
    with a result that is unknown, 69 broker unreachable, 130 interrupted.
    """
    options = _Options(**words)
    if options.detach and (options.dry_run or options.from_failed):
        fail(UsageError("--detach starts a new run: leave --dry-run and --from-failed out."))
    if options.send_again and not options.from_failed:
        fail(UsageError("--send-again says what --from-failed may send again: give both."))
    perform(_run(options), sends=True)


async def _run(options: _Options) -> int:
    from kimera_tui.console.console import build_console
    from kimera_tui.console.guard import refuse_danger
    from kimera_tui.documents.parse import read_checked
    from kimera_tui.documents.store import Library, workflows_folder
    from kimera_tui.execution.preflight import tasks_of

    async with build_console(say=narrate) as console:
        console.need_friends()
        path = Library(workflows_folder()).find(options.workflow)
        document = await asyncio.to_thread(read_checked, path, console.friends)
        if options.dry_run:
            for access in console.permissions.reads(document):
                narrate(access.sentence)
        else:
            console.permissions.check(document, path)
        call = _Call(document, path, _given(document, options), options)
        if options.dry_run:
            return await _dry_run(console, call)
        friends = {friend for friend, _ in tasks_of(document)}
        refuse_danger(console.friends, friends, yes=options.yes)
        return await (_detach if options.detach else _run_to_end)(console, call)


async def _dry_run(console: Console, call: _Call) -> int:
    """Print the calls; of a run that reuses another one's results, only those that are left."""
    options, run_inputs = call.options, call.run_inputs
    left: set[str] | None = None
    if options.from_failed:
        await console.connection.open_journal()
        past = await console.runs.find(options.from_failed)
        plan = await console.runs.replay_plan(past.run_id, call.replay_request)
        narrate(" ".join((plan.sentence, *plan.needs, *plan.notes)))
        will_run = set(plan.will_run)
        left = {node.id for _, node in plan.plan.walk() if node.path in will_run}
        run_inputs = replace(run_inputs, inputs=plan.inputs)
    for each in await console.workflows.dry_run(call.document, run_inputs, call.path):
        if left is None or each["step"] in left:
            data(DryCall(**each) if options.as_json else each, as_json=options.as_json)
    narrate("Nothing was sent.")
    return 0


async def _detach(console: Console, call: _Call) -> int:
    """Start a run that the workers finish alone, and print its id."""
    console.connection.need_lasting_workers()
    await console.start()
    run_id = await console.workflows.detach(call.document, call.run_inputs, call.path)
    as_json = call.options.as_json
    document = Detached(event="detached", run=run_id, name=call.document.name)
    data(document if as_json else run_id, as_json=as_json)
    narrate(
        f"Detached: the workers finish it. kimera-tui resume {run_id[:8]} waits for its end; so"
        " does the console when it is opened."
    )
    return 0


async def _run_to_end(console: Console, call: _Call) -> int:
    """Start a run, show its progress, and print how it ended."""
    from kimera_tui.runs.masking import hidden_result

    result, error = None, None
    with console.bus.subscribe(MAILBOX) as mailbox:
        progress = Progress(mailbox, as_json=call.options.as_json)
        showing = asyncio.create_task(progress.show())
        try:
            await console.start()
            run_id = await _start(console, call)
            runner = await console.connection.runner()
            try:
                result = await runner.result(run_id)
            except KimeraError as ended:
                error = ended
        finally:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)
        run = progress.ended(run_id)
    _print_end(run, hidden_result(result, run.secrets), error, call.options.as_json)
    if error is None:
        return 0
    if await _is_kept(console, run_id):
        narrate(f"  {_how_to_continue(run)}")
    return code_of(error, run.status.value)


async def _start(console: Console, call: _Call) -> str:
    if not call.options.from_failed:
        return await console.workflows.run(call.document, call.run_inputs, call.path)
    past = await console.runs.find(call.options.from_failed)
    return await start_replay(console, past.run_id, call.replay_request)


def _print_end(run: RunState, result: Any, error: KimeraError | None, as_json: bool) -> None:
    hide = run.secrets.text
    if as_json:
        failure = {} if error is None else {"error": hide(str(error))}
        document = RunEnd(event="end", result=result, **report_of(run), **failure)
        data(document, as_json=True)
    elif error is None:
        data(result, as_json=False)
    else:
        show_traceback(error, hide)
    if isinstance(error, TimeoutException):
        error.hint = known_by_then(run, error.task_id)
    if error is not None:
        complain(error, hide)


def _how_to_continue(run: RunState) -> str:
    """The command that continues a failed run, and what it does about steps that may have run."""
    from kimera_tui.runs.recovery import may_have_run

    command = f"kimera-tui run ... --from-failed {run.run_id[:8]} continues from there"
    names = [step.id or step.name for step in run.steps.values() if may_have_run(step)]
    if not names:
        return f"{command}."
    steps = ", ".join(names)
    return f"{command}. Before it resends steps that may have run, it looks for them: {steps}."


async def _is_kept(console: Console, run_id: str) -> bool:
    """Whether the journal has the run; one that was refused is not kept."""
    from kimera_tui.runs.search.tree import Term, written

    try:
        return bool(await console.runs.search(written(Term("run", run_id)), 1))
    except KimeraError:
        return False


def _given(document: Document, options: _Options) -> RunInputs:
    """The inputs and secrets of the run, checked before a broker is started for it."""
    from kimera_tui.documents.inputs import resolve, secret_value
    from kimera_tui.execution.run_inputs import RunInputs

    values = inputs_of(document, options.inputs, options.inputs_file)
    if not options.from_failed:  # the past run has the others
        resolve(document.inputs, values)
    if options.dry_run:
        return RunInputs(values)
    prompted = secrets_for(document, options.secrets)
    secrets = {
        name: secret_value(name, spec, os.environ, prompted)
        for name, spec in document.inputs.items()
        if spec.type == "secret"
    }
    return RunInputs(values, secrets)
