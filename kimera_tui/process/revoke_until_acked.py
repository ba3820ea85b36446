"""Revoking again and again what no worker has heard of, until one has or the task has ended."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from kimera_tui.config.friends import find_friend
from kimera_tui.errors import BrokerUnavailable
from kimera_tui.process.adoption import LooksUp
from kimera_tui.process.engine import Engine, Receipt
from kimera_tui.process.engines import EngineRoom
from kimera_tui.process.events import RevokeSent
from kimera_tui.process.loop.bus import Emitter

ASK_EVERY = 5.0
LIMIT = 600.0
"""Seconds after which it is given up."""
SOON = 1.0
TOLD_AT_START = "told at its start"


class Insistence:
    """Goes on asking.

    Args:
        room: Gives a friend's engine.
        emitter: Where each try is told.
    """

    def __init__(self, room: EngineRoom, emitter: Emitter) -> None:
        self._room = room
        self._emitter = emitter

    async def keep_revoking(
        self,
        friends: Mapping[str, Any],
        friend: str,
        task_ids: Sequence[str],
        *,
        every: float = ASK_EVERY,
        limit: float = LIMIT,
    ) -> str:
        """Revoke tasks until a worker acknowledged, or all have ended, or the limit is reached.

        Workers that start meanwhile are told before they take a message, where that can be done.

        Args:
            friends: The configured friends.
            friend: Whose tasks these are.
            task_ids: Their ids.
            every: Seconds between two tries.
            limit: Seconds in all.

        Returns:
            How it ended, in a sentence.
        """
        engine = await self._room.engine(friend, find_friend(friends, friend))
        left = list(task_ids)
        told = asyncio.Event()
        loop = asyncio.get_running_loop()
        until, tries = loop.time() + limit, 0

        def heard(worker: str) -> None:
            self._tell(left, [Receipt(worker, TOLD_AT_START, ok=True)])
            told.set()

        newcomers = engine.newcomers
        with newcomers.told(left, heard) if newcomers else contextlib.nullcontext():
            pause = every
            while (rest := until - loop.time()) > 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(told.wait(), min(pause, rest))
                if told.is_set():  # that worker is up in a moment, and drops the message then
                    pause = min(every, SOON)
                told.clear()
                with contextlib.suppress(BrokerUnavailable):
                    left[:] = await _not_ended(engine, left)
                    if not left:
                        return "It has ended." if len(task_ids) == 1 else "All have ended."
                    receipts = await engine.releaser.revoke(left)
                    tries += 1
                    workers = sorted({receipt.worker for receipt in receipts if receipt.ok})
                    if workers or _is_round(tries):
                        self._tell(left, receipts)
                    if workers:
                        return f"Acknowledged by {', '.join(workers)}."
        return f"No worker heard it in {limit / 60:.3g} min: it is forgotten now."

    def _tell(self, task_ids: Sequence[str], receipts: Sequence[Receipt]) -> None:
        at = self._emitter.now()
        for task_id in task_ids:
            self._emitter.emit(
                RevokeSent(at=at, task_id=task_id, receipts=tuple(receipts), asked=True)
            )


async def _not_ended(engine: Engine, task_ids: Sequence[str]) -> list[str]:
    if not isinstance(engine.watcher, LooksUp):
        return list(task_ids)
    found = await engine.watcher.look(task_ids)
    return [task_id for task_id in task_ids if not ((at := found.get(task_id)) and at.ready)]


def _is_round(tries: int) -> bool:
    """Of many silent tries only the 1st, 2nd, 4th, 8th ... are told."""
    return tries & (tries - 1) == 0
