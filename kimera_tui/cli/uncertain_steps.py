"""Replays with steps whose outcome is unknown: on a terminal, the operator is asked."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from kimera_tui.cli.output import narrate
from kimera_tui.cli.program.shutdown import way_out
from kimera_tui.safetext import safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kimera_tui.console.console import Console
    from kimera_tui.execution.replay.plan import ReplayRequest
    from kimera_tui.execution.replay.uncertain_steps import Doubt

SEND_AGAIN = click.option(
    "--send-again",
    "send_again",
    multiple=True,
    metavar="STEP",
    help="Send STEP again although it may run twice.",
)


async def start_replay(console: Console, run_id: str, request: ReplayRequest) -> str:
    """Start a replay; returns the new run's id.

    Raises:
        StepsInDoubt: steps might run twice, and nobody allowed that.
        KimeraError: see ``Runs.replay``.
    """
    from kimera_tui.execution.replay.uncertain_steps import StepsInDoubt

    try:
        return await console.runs.replay(run_id, request)
    except StepsInDoubt as error:
        if not sys.stdin.isatty():
            names = " ".join(f"--send-again {each.name}" for each in error.doubts)
            error.hint = f"Wait for them to end, or allow it: {names}"
            raise
        if not _confirmed(error.doubts):
            raise
        again = request.again | {each.name for each in error.doubts}
        return await console.runs.replay(run_id, replace(request, again=again))


def _confirmed(doubts: Sequence[Doubt]) -> bool:
    """Whether the operator allows each of the steps to be sent again."""
    for doubt in doubts:
        narrate(doubt.sentence)
        with way_out.interruptible():
            if not click.confirm(f"Send {safe(doubt.name, 80)} again?", err=True):
                return False
    return True
