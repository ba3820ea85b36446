"""Revokes many tasks, some at a time, whatever becomes of each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from kimera_tui.process.engine import Receipt
from kimera_tui.process.task_manager import TaskManager

REVOKED_AT_ONCE = 50


async def revoke_all(
    manager: TaskManager, ids: Sequence[str], terminate: bool = False, signal: str = "SIGTERM"
) -> list[Receipt]:
    """Revoke tasks; returns who acknowledged, of those that could be asked."""
    receipts: list[Receipt] = []
    for start in range(0, len(ids), REVOKED_AT_ONCE):
        answers = await asyncio.gather(
            *(
                manager.revoke(task_id, terminate, signal)
                for task_id in ids[start : start + REVOKED_AT_ONCE]
            ),
            return_exceptions=True,  # the broker may be away; what can be revoked is
        )
        receipts += [
            receipt
            for answer in answers
            if not isinstance(answer, BaseException)
            for receipt in answer
        ]
    return receipts
