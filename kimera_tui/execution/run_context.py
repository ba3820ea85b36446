"""The engine, the journal and the emitter that all runs of a runner share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kimera_tui.config.friends import secret_params
from kimera_tui.errors import BrokerUnavailable, JournalError, KimeraError
from kimera_tui.execution.stop_batch import StopBatch
from kimera_tui.process.call import Callback
from kimera_tui.process.events import Noticed, Refused
from kimera_tui.process.loop.bus import Emitter
from kimera_tui.process.stopping.stop_all import Stopped, StopReport
from kimera_tui.process.task_manager import TaskManager
from kimera_tui.runs.events import RunEvent, StepHeld
from kimera_tui.runs.journal.journal import Journal
from kimera_tui.runs.plan import PlannedTask

PROOF_SECONDS = 15.0
"""Seconds for which proof is waited for that a revoked task is over."""
PROOF_EVERY = 0.5
KEEP_AGAIN = 1.0
"""Seconds between two attempts to save a result."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """The engine, the journal and the emitter that all runs of a runner share."""

    manager: TaskManager
    emitter: Emitter
    journal: Journal | None
    new_id: Callable[[], str]
    asks: bool = False
    """Whether an operator can decide uncertain steps."""
    batch: StopBatch = field(default_factory=StopBatch)

    def with_secrets(self, task: PlannedTask, positional: int) -> PlannedTask:
        """The task with the arguments marked that friends.yaml declares secret.

        Args:
            task: The task to send.
            positional: How many positional arguments it has.
        """
        entry = self.manager.friends.get(task.friend, {})
        declared = secret_params(entry, task.task_name, positional)
        return replace(task, secret=task.secret | declared)

    async def write_down(
        self,
        run_id: str,
        path: str,
        task: PlannedTask,
        payload: tuple[Sequence[Any], Mapping[str, Any]],
    ) -> None:
        """Record on disk that a step is about to be sent; raises JournalError if that fails."""
        if self.journal is None:
            return
        try:
            server = await self.manager.adoption.server(task.friend)
        except BrokerUnavailable:
            server = ""  # the publish will fail with the same error
        try:
            step = (path, task.task_id, *payload)
            await self.journal.intend(run_id, [step], task.secret, server)
        except JournalError as error:
            raise self.refused(task, error) from None

    async def stop(
        self, tasks: Mapping[str, str], terminate: bool = False, signal: str = "SIGTERM"
    ) -> StopReport:
        """Revoke tasks and take them out of their queues, in one stroke.

        Args:
            tasks: The friend of each, by task id.
            terminate: Whether to end those that run.
            signal: Name of the signal that ends them.
        """
        if not tasks:
            return StopReport()
        return await self.manager.stop_all(list(tasks), terminate, signal, friends=tasks)

    async def stop_soon(self, task: PlannedTask, terminate: bool = False) -> Stopped:
        """Stop one task, with others that are to be stopped at about the same time.

        Raises:
            KimeraError: Celery is off.
        """
        stop_all = self.manager.stop_all
        return await self.batch.stop(stop_all, task.task_id, task.friend, terminate)

    async def seen_to_be_over(self, task: PlannedTask) -> bool:
        """Whether somebody observes that a revoked task is over, within some seconds."""
        for _ in range(round(PROOF_SECONDS / PROOF_EVERY)):
            over = self.manager.is_over(task.task_id)
            if over is not False:
                return bool(over)
            await asyncio.sleep(PROOF_EVERY)
        return False

    async def keep_event(self, event: RunEvent) -> None:
        """Emit an event and record it on disk; raises JournalError if that fails."""
        self.emitter.emit(event)
        if self.journal is not None:
            await self.journal.keep(event)

    def hand_on(self, run_id: str, path: str, task: PlannedTask, arrived: list[Any]) -> Callback:
        """A callback that saves the result; the engine releases the result after it returns."""

        async def hand_on(result: Any) -> None:
            await self._keep(run_id, path, task, result)
            arrived.append(result)

        hand_on.__qualname__ = "hand on the result"
        return hand_on

    async def _keep(self, run_id: str, path: str, task: PlannedTask, result: Any) -> None:
        while self.journal is not None:
            try:
                return await self.journal.keep_result(run_id, path, task.task_id, result)
            except JournalError as error:
                why = error.message.partition(";")[0]
                self.notice(task, f"Its result is not saved yet, so it is not released: {why}.")
                await asyncio.sleep(KEEP_AGAIN)
        return None

    def held(self, run_id: str, path: str, task: PlannedTask, why: str) -> KimeraError:
        """Announce that a step cannot be sent because a value was never saved; return the error."""
        emitter = self.emitter
        emitter.emit(StepHeld(at=emitter.now(), run_id=run_id, path=path, because=why))
        return KimeraError(f"Step {path or '0'} ({task.task_name}): {why}; it was not sent.")

    def refused(
        self, task: PlannedTask, error: KimeraError, uncertain: bool = False
    ) -> KimeraError:
        """Announce that a task was not sent, or may not have been; return the error."""
        emitter = self.emitter
        emitter.emit(
            Refused(at=emitter.now(), task_id=task.task_id, reason=str(error), uncertain=uncertain)
        )
        return error

    def notice(self, task: PlannedTask, text: str, *, against: bool = True) -> None:
        """Announce a fact about a task: a problem (``against``), or where it is."""
        emitter = self.emitter
        emitter.emit(Noticed(at=emitter.now(), task_id=task.task_id, text=text, against=against))
