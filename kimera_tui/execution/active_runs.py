"""Runs that go on, each in a background task: from the beginning that is kept to the end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from typing import Any

from kimera_tui.errors import JournalError, KimeraError, RunRefused, RunTaken
from kimera_tui.execution.completion import RunStopped, status_after
from kimera_tui.execution.executor import Walk
from kimera_tui.execution.run_context import Hands
from kimera_tui.process.events import Refused
from kimera_tui.runs.events import RunDetached, RunEnded, RunStarted, StepReused

KEPT_SECONDS = 60.0
"""How long the result of a run that has ended can still be asked for."""


class Going:
    """The runs of one runner.

    Args:
        hands: With what they are walked.
    """

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self._runs: dict[str, asyncio.Task[Any]] = {}
        self.walks: dict[str, Walk] = {}
        """Of the runs that have not ended, by their ids."""

    def begin(
        self, walk: Walk, started: RunStarted, reused: Sequence[StepReused] = ()
    ) -> asyncio.Task[Any]:
        """Begin a run that was announced: its first step is sent once that is written down."""
        return self._in_task(walk, self._from_start(walk, started, reused))

    def go_on(self, walk: Walk) -> asyncio.Task[Any]:
        """Go on with a run from where it was left."""
        return self._in_task(walk, self._walked(walk))

    def under_way(self, run_id: str) -> Walk | None:
        """The walk of a run that has not ended."""
        task = self._runs.get(run_id)
        return None if task is None or task.done() else self.walks.get(run_id)

    def replace(self, walk: Walk, successor: Walk) -> None:
        """Have another walk go on where one stands; nothing of it may be in flight."""
        self.walks[walk.run_id] = successor
        walk.leave()

    def task(self, run_id: str) -> asyncio.Task[Any]:
        """The background task of a run; KeyError for one that ended long ago."""
        return self._runs[run_id]

    async def stop(self) -> None:
        """Stop waiting for all runs."""
        tasks = [task for task in self._runs.values() if not task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _in_task(self, walk: Walk, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        run_id = walk.run_id
        self.walks[run_id] = walk
        task = asyncio.get_running_loop().create_task(work, name=run_id)
        self._runs[run_id] = task
        task.add_done_callback(lambda ended: self._ended(run_id, ended))
        return task

    def _ended(self, run_id: str, task: asyncio.Task[Any]) -> None:
        self.walks.pop(run_id, None)
        if not task.cancelled():
            task.exception()  # told as events; ``result`` raises it for those who ask
        # Whoever awaits ``result`` holds the task; the runner doesn't hold ended ones for ever.
        asyncio.get_running_loop().call_later(KEPT_SECONDS, self._forget, run_id, task)

    def _forget(self, run_id: str, task: asyncio.Task[Any]) -> None:
        if self._runs.get(run_id) is task:  # it may have been taken up again meanwhile
            del self._runs[run_id]

    async def _from_start(
        self, walk: Walk, started: RunStarted, reused: Sequence[StepReused]
    ) -> Any:
        if self._hands.journal is not None:
            try:
                await self._hands.journal.begin(started, reused=reused)
            except (JournalError, RunRefused) as error:
                self._refuse_all(walk, error)
                self._hands.emitter.emit(self._end_of(walk, str(error)))
                raise
        return await self._walked(walk)

    def _refuse_all(self, walk: Walk, error: KimeraError) -> None:
        emitter = self._hands.emitter
        at = emitter.now()
        for _, task in walk.plan.leaves():
            emitter.emit(Refused(at=at, task_id=task.task_id, reason=str(error)))

    async def _walked(self, walk: Walk) -> Any:
        error, status = "", ""
        try:
            while True:
                try:
                    return await self._walk(walk)
                except RunStopped:
                    successor = self.walks[walk.run_id]
                    if successor is walk:
                        raise
                    walk = successor
        except RunTaken:
            error = "taken"
            raise
        except Exception as raised:
            error, status = str(raised), status_after(raised)
            raise
        except asyncio.CancelledError as raised:
            error, status = "stopped", status_after(raised)
            raise
        finally:
            await self._finish(walk, error, status)

    async def _walk(self, walk: Walk) -> Any:
        handover = walk.handover
        if handover is not None and handover.fresh:
            at, paths = self._hands.emitter.now(), tuple(handover.paths)
            await self._hands.keep_event(RunDetached(at=at, run_id=walk.run_id, paths=paths))
        return await walk.go()

    async def _finish(self, walk: Walk, error: str, status: str) -> None:
        """Say that the run has ended; one that is journaled and only left doesn't end."""
        journal = self._hands.journal
        if error == "taken" or (error == "stopped" and journal and not walk.cancelled):
            return
        if walk.cancelled:
            walk.skip_rest("the run was cancelled")
            error = "cancelled"
        ended = self._end_of(walk, error, status)
        self._hands.emitter.emit(ended)
        if journal is not None:
            with contextlib.suppress(JournalError, RunTaken):
                await journal.end(ended)

    def _end_of(self, walk: Walk, error: str, status: str = "") -> RunEnded:
        at = self._hands.emitter.now()
        return RunEnded(at=at, run_id=walk.run_id, error=error, status=status)
