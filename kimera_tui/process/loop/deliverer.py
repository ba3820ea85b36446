"""Resolves futures in portions, as many per turn as the loop can bear."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")

LONG_TURN = 0.005
SHORT_TURN = 0.0025
FEWEST, MOST = 8, 256


class Deliverer(Generic[T]):
    """Sets the results of futures in portions.

    A portion costs what its callbacks do, which only the next turn's duration shows: a turn over
    ``LONG_TURN`` seconds halves the portion, one under ``SHORT_TURN`` lets it grow.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[asyncio.Future[T], T]] = deque()
        self._portion = 64
        self._left = self._portion
        self._turn_began = 0.0
        self._counting = False

    def deliver(self, future: asyncio.Future[T], value: T) -> None:
        """Set the future's result; immediately while this turn's portion lasts."""
        if not self._counting:
            self._counting = True
            self._next_turn()
        if self._left > 0 and not self._waiting:
            self._hand_over(future, value)
        else:
            self._waiting.append((future, value))

    def _hand_over(self, future: asyncio.Future[T], value: T) -> None:
        self._left -= 1
        if not future.done():
            future.set_result(value)

    def _next_turn(self) -> None:
        self._turn_began = time.perf_counter()
        asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        idle = self._left == self._portion and not self._waiting
        self._adapt()
        self._left = self._portion
        while self._waiting and self._left > 0:
            self._hand_over(*self._waiting.popleft())
        if idle:
            self._counting = False
        else:
            self._next_turn()

    def _adapt(self) -> None:
        turn = time.perf_counter() - self._turn_began
        if turn > LONG_TURN:
            self._portion = max(FEWEST, self._portion // 2)
        elif turn < SHORT_TURN and self._waiting:
            self._portion = min(MOST, self._portion + FEWEST)
