"""Revokes tasks again and again until a worker acknowledges, or the tasks have ended."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from kimera_tui.errors import BrokerUnavailable
from kimera_tui.process.engine import Engine, Receipt, ResultLookup, checked
from kimera_tui.process.events import RevokeSent
from kimera_tui.process.loop.bus import Emitter
from kimera_tui.process.outcome import MayDrop

RETRY_EVERY = 5.0
RETRY_LIMIT = 600.0
"""Seconds after which it gives up."""
SOON = 1.0
"""Seconds from a worker's start until it acknowledges a revoke that it learned of."""
TOLD_AT_START = "told at its start"


async def revoke_until_acked(
    engine: Engine,
    emitter: Emitter,
    task_ids: Sequence[str],
    *,
    every: float = RETRY_EVERY,
    limit: float = RETRY_LIMIT,
    may_drop: MayDrop = lambda task_id, worker, queue: True,
) -> str:
    """Revoke an engine's tasks; see ``TaskManager.revoke_until_acked``."""
    left = list(task_ids)

    def serves(worker: str) -> bool:
        return any(may_drop(task_id, worker, "") for task_id in left)

    worker_started = asyncio.Event()
    loop = asyncio.get_running_loop()
    until, tries = loop.time() + limit, 0

    def told(worker: str) -> None:
        _emit(emitter, left, [Receipt(worker, TOLD_AT_START, ok=True)], may_drop)
        worker_started.set()

    revoker = engine.new_worker_revoker
    with revoker.revoking(left, told) if revoker else contextlib.nullcontext():
        pause = every
        while (rest := until - loop.time()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(worker_started.wait(), min(pause, rest))
            if worker_started.is_set():
                pause = min(every, SOON)
            worker_started.clear()
            with contextlib.suppress(BrokerUnavailable):
                left[:] = await _not_ended(engine, left)
                if not left:
                    return "It has ended." if len(task_ids) == 1 else "All have ended."
                receipts = await engine.releaser.revoke(left)
                tries += 1
                workers = sorted(
                    {each.worker for each in receipts if each.ok and serves(each.worker)}
                )
                if workers or _is_power_of_two(tries):
                    _emit(emitter, left, receipts, may_drop)
                if workers:
                    return f"Acknowledged by {', '.join(workers)}."
    return f"No worker acknowledged the revoke in {limit / 60:.3g} min: gave up."


def _emit(
    emitter: Emitter, task_ids: Sequence[str], receipts: Sequence[Receipt], may_drop: MayDrop
) -> None:
    at = emitter.now()
    for task_id in task_ids:
        found = checked(receipts, task_id, "", may_drop)
        emitter.emit(RevokeSent(at=at, task_id=task_id, receipts=found, asked=True))


async def _not_ended(engine: Engine, task_ids: Sequence[str]) -> list[str]:
    if not isinstance(engine.watcher, ResultLookup):
        return list(task_ids)
    found = await engine.watcher.look_up(task_ids)
    return [task_id for task_id in task_ids if not ((at := found.get(task_id)) and at.ready)]


def _is_power_of_two(tries: int) -> bool:
    """Emit events only for unanswered tries 1, 2, 4, 8, ..."""
    return tries & (tries - 1) == 0
