"""How runs ended: the report of them and the exit code."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from kimera_tui.cli.json_output.events import facts_of, spawned_by
from kimera_tui.cli.json_output.objects import Cancelling, RunReport, Step
from kimera_tui.cli.output import data
from kimera_tui.errors import KimeraError, UsageError
from kimera_tui.safetext import safe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kimera_tui.execution.runner import Runner
    from kimera_tui.runs.index import RunState
    from kimera_tui.runs.step import StepState

EXIT_CODES = {
    "done": 0,
    "revoked": 4,
    "timed out": 3,
    "ended, result unknown": 5,
    "interrupted": 130,
}
"""Exit codes by the state of a run; 1 for all others."""
MAILBOX = 1_000_000
"""Maximum number of a run's events that a command buffers until it has ended."""


class NotEnded(KimeraError):
    """A run has not ended within its time."""

    exit_code = 3


def code_of(error: BaseException | None, status: str) -> int:
    """The exit code for a run that was started.

    Args:
        error: What ended it; None if it succeeded, or if that is no longer known.
        status: The state it ended in.
    """
    # A usage error says that nothing was sent, which is wrong once the run has started.
    if isinstance(error, KimeraError) and not isinstance(error, UsageError) and error.exit_code > 1:
        return error.exit_code
    code = EXIT_CODES.get(status, 1)
    return code if error is None else code or 1


async def errors_of(runner: Runner, run_ids: Iterable[str]) -> list[BaseException | None]:
    """What ended each of these runs, once all have ended; None for success and long ago."""
    results = await asyncio.gather(*map(runner.result, run_ids), return_exceptions=True)
    return [
        each if isinstance(each, BaseException) and not isinstance(each, KeyError) else None
        for each in results
    ]


def print_report(run: RunState, as_json: bool) -> int:
    """Print how a run ended; returns its exit code."""
    if as_json:
        data(RunReport(**report_of(run)), as_json=True)
    else:
        for step in run.steps.values():
            line = f"{step.status:<12} {step.name}  {_error_of(step)}"
            click.echo(safe(line.rstrip(), 500))
    return code_of(None, run.status)


def report_of(run: RunState) -> dict[str, Any]:
    """The fields of a run with its steps, for ``--json``."""
    return {
        "run": run.run_id,
        "name": run.name,
        "status": run.status,
        "state": run.status,
        "cause": run.error or None,
        "cancelling": cancelling_of(run.cancelling),
        "steps": [
            Step(
                path=step.path,
                id=step.id or None,
                task=step.name,
                status=step.status,
                attempt=step.attempt,
                result=step.result,
                error=_error_of(step),
                **facts_of(step),
                **spawned_by(step),
            )
            for step in run.steps.values()
        ],
    }


def cancelling_of(done_and_of: tuple[int, int] | None) -> Cancelling | None:
    """How far a cancellation is, for ``--json``; None if there is none."""
    return None if done_and_of is None else Cancelling(done=done_and_of[0], of=done_and_of[1])


def _error_of(step: StepState) -> str:
    return f"{step.error_type}: {step.error_message}" if step.error_type else ""
