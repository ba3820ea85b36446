"""Prepares the result backend for chords: paras that the workers join by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kimera_tui.errors import BrokerUnavailable
from kimera_tui.process.engines import Engines
from kimera_tui.process.failures import broker_failure
from kimera_tui.process.loop.call_thread import CallThread


class Chords:
    """Calls the default result backend, on a thread."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    async def supported(self) -> bool:
        """Whether the backend counts finished tasks by itself; of Celery's only Redis does."""
        await self._engines.engine()
        return bool(await self._call(_is_redis, self._engines.app))

    async def set_sizes(self, sizes: Mapping[str, int]) -> None:
        """Return once the backend knows how many tasks each chord waits for.

        Call this before any of these tasks is published.

        Args:
            sizes: Number of tasks by Celery's ``group_id``.

        Raises:
            BrokerUnavailable: the backend is not available.
        """
        await self._engines.engine()
        try:
            await self._call(_set_sizes, self._engines.app, dict(sizes))
        except Exception as error:
            failure = broker_failure(error, what="result backend")
            raise failure or BrokerUnavailable(
                f"The result backend did not take the chord sizes: {error}. Nothing was sent."
            ) from error

    async def _call(self, function: Any, *args: Any) -> Any:
        # A thread of its own: an app's backend and its connection belong to the thread.
        thread = CallThread("kimera-chords")
        try:
            return await thread.call(function, *args)
        finally:
            thread.close()


def _is_redis(app: Any) -> bool:
    from celery.backends.redis import RedisBackend

    return isinstance(getattr(app, "backend", None), RedisBackend)


def _set_sizes(app: Any, sizes: Mapping[str, int]) -> None:
    for group_id, size in sizes.items():
        app.backend.set_chord_size(group_id, size)
