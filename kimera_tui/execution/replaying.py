"""Before a replay is sent: what became of steps that it would send again and that may have run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from kimera_tui.execution.replay import Wish, planned_replay
from kimera_tui.execution.uncertain_steps import StepsInDoubt
from kimera_tui.process.loop.clock import new_id
from kimera_tui.process.task_manager import TaskManager
from kimera_tui.runs.fates import Fates, fates_of


async def fates_before_replay(
    past: Sequence[object], wish: Wish, manager: TaskManager, now: float
) -> Fates:
    """Look for the steps that a replay would send again and of which no end is known.

    Args:
        past: The events of the past run.
        wish: How it is to be run.
        manager: Asks broker, workers and results.
        now: Seconds since the epoch.

    Returns:
        What became of them, by path; nothing of those that may run twice as ``wish`` says.

    Raises:
        StepsInDoubt: one of them may run twice, and ``wish`` doesn't say that this is meant.
        UsageError: as ``planned_replay``.
        BrokerUnavailable: nobody can be asked.
    """
    plan = partial(planned_replay, past, wish, new_id, manager.friends)
    if not (doubts := (await asyncio.to_thread(plan)).doubts):
        return {}
    fates = await fates_of([each.sent for each in doubts], manager, now)
    if doubts := (await asyncio.to_thread(plan, fates)).doubts:
        raise StepsInDoubt(doubts)
    return fates
