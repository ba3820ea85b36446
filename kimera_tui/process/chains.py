"""What the chains have in common: they are checked whole, and every error names its step."""

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
    """The chain as a list, or the error that keeps all of it from being sent."""
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
    """Where in the chain, in words."""
    params = steps[position]
    return f"step {position + 1} of {len(steps)} ({params.friend}.{params.task_name})"


def placed(error: E, position: int, steps: Sequence[TaskParams]) -> E:
    """The same error, saying at which step it happened; what it says already stays."""
    if isinstance(error, KimeraError):
        error.place = error.place or place(position, steps)
    else:
        error.add_note(place(position, steps))
    return error


def place_failure(handle: asyncio.Task[Any], position: int, steps: Sequence[TaskParams]) -> None:
    """Have the error of a step's handle say at which step it happened."""

    def ended(done: asyncio.Task[Any]) -> None:
        # Nobody holds the later handles: their errors are told as events.
        if not done.cancelled() and (error := done.exception()) is not None:
            placed(error, position, steps)

    handle.add_done_callback(ended)


def advanced(
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
