"""The active runs of one runner, each in a background task."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from typing import Any

from kimera_tui.errors import JournalError, KimeraError, RunRefused, RunTaken
from kimera_tui.execution.completion import status_after
from kimera_tui.execution.detach.handover import Handover
from kimera_tui.execution.executor import Executor
from kimera_tui.execution.run_context import RunContext
from kimera_tui.process.events import Refused
from kimera_tui.runs.events import RunDetached, RunEnded, RunStarted, StepReused

KEPT_SECONDS = 60.0
"""Seconds for which the result of an ended run stays available."""


class ActiveRuns:
    """The active runs of one runner.

    Args:
        context: What the runs share.
    """

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self.executors: dict[str, Executor] = {}
        """Executors of the active runs, by run id."""

    def begin(
        self, executor: Executor, started: RunStarted, reused: Sequence[StepReused] = ()
    ) -> asyncio.Task[Any]:
        """Start a run; its first step is sent once the journal has its start."""
        return self._in_task(executor, self._from_start(executor, started, reused))

    def resume(self, executor: Executor) -> asyncio.Task[Any]:
        """Resume a run that a console left."""
        return self._in_task(executor, self._executed(executor))

    def active(self, run_id: str) -> Executor | None:
        """The executor of a run; None if the run has ended."""
        task = self._tasks.get(run_id)
        return None if task is None or task.done() else self.executors.get(run_id)

    def task(self, run_id: str) -> asyncio.Task[Any]:
        """The background task of a run; raises KeyError for one that ended long ago."""
        return self._tasks[run_id]

    async def stop(self) -> None:
        """Stop waiting for all runs."""
        tasks = [task for task in self._tasks.values() if not task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def announce(self, run_id: str, handover: Handover) -> None:
        """Record that a run is handed over to the workers."""
        at, paths = self._context.emitter.now(), tuple(handover.paths)
        await self._context.keep_event(RunDetached(at=at, run_id=run_id, paths=paths))

    def _in_task(self, executor: Executor, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        run_id = executor.run_id
        self.executors[run_id] = executor
        task = asyncio.get_running_loop().create_task(work, name=run_id)
        self._tasks[run_id] = task
        task.add_done_callback(lambda ended: self._ended(run_id, ended))
        return task

    def _ended(self, run_id: str, task: asyncio.Task[Any]) -> None:
        self.executors.pop(run_id, None)
        if not task.cancelled():
            task.exception()  # reported as events; ``result`` raises it for its callers
        # Callers of ``result`` hold the task themselves; the runner drops it after a while.
        asyncio.get_running_loop().call_later(KEPT_SECONDS, self._forget, run_id, task)

    def _forget(self, run_id: str, task: asyncio.Task[Any]) -> None:
        if self._tasks.get(run_id) is task:  # it may have been resumed in the meantime
            del self._tasks[run_id]

    async def _from_start(
        self, executor: Executor, started: RunStarted, reused: Sequence[StepReused]
    ) -> Any:
        if self._context.journal is not None:
            try:
                await self._context.journal.begin(started, reused=reused)
            except (JournalError, RunRefused) as error:
                self._refuse_all(executor, error)
                self._context.emitter.emit(self._end_of(executor, str(error)))
                raise
        return await self._executed(executor)

    def _refuse_all(self, executor: Executor, error: KimeraError) -> None:
        emitter = self._context.emitter
        at = emitter.now()
        for _, task in executor.plan.leaves():
            emitter.emit(Refused(at=at, task_id=task.task_id, reason=str(error)))

    async def _executed(self, executor: Executor) -> Any:
        error, status = "", ""
        try:
            if executor.handover is not None and executor.handover.fresh:
                await self.announce(executor.run_id, executor.handover)
            return await executor.go()
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
            await self._finish(executor, error, status)

    async def _finish(self, executor: Executor, error: str, status: str) -> None:
        """Announce the end of the run; a journaled run that is only left behind has not ended."""
        journal = self._context.journal
        if error == "taken" or (error == "stopped" and journal and not executor.cancelled):
            return
        if executor.cancelled:
            executor.skip_rest("the run was cancelled")
            error = "cancelled"
        ended = self._end_of(executor, error, status)
        self._context.emitter.emit(ended)
        if journal is not None:
            with contextlib.suppress(JournalError, RunTaken):
                await journal.end(ended)

    def _end_of(self, executor: Executor, error: str, status: str = "") -> RunEnded:
        at = self._context.emitter.now()
        return RunEnded(at=at, run_id=executor.run_id, error=error, status=status)
