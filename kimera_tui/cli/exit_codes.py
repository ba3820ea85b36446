"""How runs ended: what is printed of it, and the exit code that says it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from kimera_tui.cli.json_output.events import facts_of
from kimera_tui.cli.json_output.objects import RunReport, Step
from kimera_tui.cli.output import data
from kimera_tui.errors import KimeraError, UsageError
from kimera_tui.safetext import safe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kimera_tui.execution.runner import Runner
    from kimera_tui.runs.index import RunState
    from kimera_tui.runs.state import StepState

EXIT_CODES = {"done": 0, "revoked": 4, "timed out": 3, "interrupted": 130}
"""How commands leave for a run's state; everything else is 1."""
MAILBOX = 1_000_000
"""Events of a run that a command keeps until it has ended."""


class NotEnded(KimeraError):
    """A run has not ended in the time given to it."""

    exit_code = 3


def code_of(error: BaseException | None, status: str) -> int:
    """The exit code for a run that was begun.

    Args:
        error: What ended it, or None where that isn't known any more, or nothing went wrong.
        status: The state it ended in.
    """
    # A wrong call says that nothing was sent, which is not so in the middle of a run.
    if isinstance(error, KimeraError) and not isinstance(error, UsageError) and error.exit_code > 1:
        return error.exit_code
    code = EXIT_CODES.get(status, 1)
    return code if error is None else code or 1


async def errors_of(runner: Runner, run_ids: Iterable[str]) -> list[BaseException | None]:
    """What ended each of these runs, once all have; None for those that ended well or long ago."""
    results = await asyncio.gather(*map(runner.result, run_ids), return_exceptions=True)
    return [
        each if isinstance(each, BaseException) and not isinstance(each, KeyError) else None
        for each in results
    ]


def report(state: RunState, as_json: bool) -> int:
    """Print how a run ended; returns the exit code that says it."""
    if as_json:
        data(RunReport(**told_of(state)), as_json=True)
    else:
        for step in state.steps.values():
            line = f"{step.status:<12} {step.name}  {_error_of(step)}"
            click.echo(safe(line.rstrip(), 500))
    return code_of(None, state.status)


def told_of(run: RunState) -> dict[str, Any]:
    """A run with its steps, as ``--json`` tells it."""
    return {
        "run": run.run_id,
        "name": run.name,
        "status": run.status,
        "state": run.status,
        "cause": run.error or None,
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
            )
            for step in run.steps.values()
        ],
    }


def _error_of(step: StepState) -> str:
    return f"{step.error_type}: {step.error_message}" if step.error_type else ""
