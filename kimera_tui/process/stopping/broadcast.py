"""Broadcasts revokes through Celery's remote control; for a thread that may block."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from kimera_tui.process.control import within
from kimera_tui.process.engine import Receipt, read_receipts

PER_BROADCAST = 1000
"""Ids per message: a worker's main loop handles nothing else meanwhile."""
SECONDS_PER_ID = 0.001
"""What a worker needs for each id before it answers: it reads the result, and stores REVOKED."""


def broadcast_revoke(
    control: Any,
    connection: Any,
    task_ids: Sequence[str],
    *,
    terminate: bool,
    signal: str,
    seconds: float,
    expected: int | None,
) -> list[Receipt]:
    """Revoke all tasks with a few messages; return the workers' answers.

    Workers handle the messages in order, so that an answer to the last one stands for all. What
    was terminated is told for each message.

    Args:
        control: The Celery app's remote control.
        connection: An open connection.
        task_ids: All tasks of this broker that are to be revoked.
        terminate: Whether to end those that run.
        signal: Name of the signal that ends them.
        seconds: The longest wait for answers, apart from what workers need for many ids.
        expected: How many workers should answer, so that nothing is waited for after the last;
            0 asks for no answer, None waits the full time.
    """
    until = time.monotonic() + seconds + SECONDS_PER_ID * len(task_ids)
    receipts: list[Receipt] = []
    for start in range(0, len(task_ids), PER_BROADCAST):
        batch = list(task_ids[start : start + PER_BROADCAST])
        last = start + PER_BROADCAST >= len(task_ids)
        send = partial(
            control.revoke, batch, terminate=terminate, signal=signal, connection=connection
        )
        left = until - time.monotonic()
        if expected != 0 and (last or terminate) and left > 0:
            within(
                left,
                lambda reply: receipts.extend(read_receipts(reply)),
                partial(send, limit=expected),
            )
        else:
            send(reply=False)
    return [_shortened(receipt, len(task_ids)) for receipt in receipts]


def _shortened(receipt: Receipt, count: int) -> Receipt:
    """Workers repeat all ids, 8 KB for a batch; a count says the same."""
    if count == 1 or not receipt.ok or receipt.answer.startswith("terminate"):
        return receipt
    return Receipt(receipt.worker, f"{count} tasks flagged as revoked", receipt.ok)
