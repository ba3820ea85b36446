"""Shared parts of both chains: checks before anything is sent, errors that name their step."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, TypeVar

from kimera_tui.errors import KimeraError, UsageError
from kimera_tui.process.engines import Engines
from kimera_tui.process.events import ChainAdvanced
from kimera_tui.process.loop.bus import Emitter
from kimera_tui.process.task_params import TaskParams, call_of

E = TypeVar("E", bound=BaseException)


def checked_chain(tasks: Sequence[TaskParams], engines: Engines) -> list[TaskParams]:
    """Return the chain as a list.

    Raises:
        UsageError: fewer than two tasks, an unknown friend or a wrong argument; nothing was sent.
    """
    steps = list(tasks)
    if len(steps) < 2:
        raise UsageError("A chain needs at least two tasks; nothing was sent.")
    for position, params in enumerate(steps):
        try:
            call_of(params, "").check()
            engines.friend(params.friend)
        except KimeraError as error:
            raise placed(error, position, steps) from None
    return steps


def place(position: int, steps: Sequence[TaskParams]) -> str:
    """A step's place in the chain, in words."""
    params = steps[position]
    return f"step {position + 1} of {len(steps)} ({params.friend}.{params.task_name})"


def placed(error: E, position: int, steps: Sequence[TaskParams]) -> E:
    """Add the step's place to an error, unless it has one, and return the error."""
    if isinstance(error, KimeraError):
        error.place = error.place or place(position, steps)
    else:
        error.add_note(place(position, steps))
    return error


def place_failure(handle: asyncio.Task[Any], position: int, steps: Sequence[TaskParams]) -> None:
    """Add the step's place to the error of its handle."""

    def ended(done: asyncio.Task[Any]) -> None:
        # Nobody awaits the later handles: their errors are events.
        if not done.cancelled() and (error := done.exception()) is not None:
            placed(error, position, steps)

    handle.add_done_callback(ended)


def emit_advanced(
    emitter: Emitter, ids: Sequence[str], position: int, steps: Sequence[TaskParams]
) -> None:
    """Announce that a step's result goes into the next one."""
    emitter.emit(
        ChainAdvanced(
            at=emitter.now(),
            task_id=ids[position],
            next_task_id=ids[position + 1],
            next_task=steps[position + 1].task_name,
            place=place(position + 1, steps),
        )
    )
