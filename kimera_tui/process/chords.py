"""What the result backend has to do with paras that the workers join by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kimera_tui.errors import BrokerUnavailable
from kimera_tui.process.engines import EngineRoom
from kimera_tui.process.failures import broker_failure
from kimera_tui.process.loop.call_thread import CallThread


class Joining:
    """Asks and tells the default result backend, on a thread."""

    def __init__(self, room: EngineRoom) -> None:
        self._room = room

    async def can(self) -> bool:
        """Whether the backend counts who is done by itself: of Celery's only Redis does."""
        await self._room.engine()
        return bool(await self._call(_counts, self._room.app))

    async def expect(self, sizes: Mapping[str, int]) -> None:
        """Return once the backend knows how many tasks each join waits for.

        To be called before any of these tasks is published.

        Args:
            sizes: How many, by Celery's ``group_id``.

        Raises:
            BrokerUnavailable: the backend can't be told now.
        """
        await self._room.engine()
        try:
            await self._call(_expect, self._room.app, dict(sizes))
        except Exception as error:
            failure = broker_failure(error, what="result backend")
            raise failure or BrokerUnavailable(
                f"The result backend can't be told what to join: {error}. Nothing was sent."
            ) from error

    async def _call(self, function: Any, *args: Any) -> Any:
        # A thread of its own: an app's backend and its connection belong to the thread.
        thread = CallThread("kimera-joining")
        try:
            return await thread.call(function, *args)
        finally:
            thread.close()


def _counts(app: Any) -> bool:
    from celery.backends.redis import RedisBackend

    return isinstance(getattr(app, "backend", None), RedisBackend)


def _expect(app: Any, sizes: Mapping[str, int]) -> None:
    for group_id, size in sizes.items():
        app.backend.set_chord_size(group_id, size)
