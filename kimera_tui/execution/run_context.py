"""What the runs of a runner share: the engine, the journal and the emitter."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kimera_tui.config.friends import secret_params
from kimera_tui.errors import BrokerUnavailable, JournalError, KimeraError
from kimera_tui.process.call import Callback
from kimera_tui.process.engine import Receipt
from kimera_tui.process.events import Noticed, Refused
from kimera_tui.process.loop.bus import Emitter
from kimera_tui.process.task_manager import TaskManager
from kimera_tui.runs.events import RunEvent, StepHeld
from kimera_tui.runs.journal.journal import Journal
from kimera_tui.runs.plan import PlannedTask

TaskWarnings = Callable[[str, str], Sequence[str]]
"""What stands against a friend's task, as far as is known now, in sentences."""

REVOKED_AT_ONCE = 50
KEEP_AGAIN = 1.0
"""Seconds between two tries to write down a result."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """The engine, the journal and the emitter, as all runs of a runner use them."""

    manager: TaskManager
    emitter: Emitter
    warnings: TaskWarnings
    journal: Journal | None
    new_id: Callable[[], str]
    asks: bool = False
    """Whether somebody is there to say what became of a step that nobody else can tell."""

    def with_secrets(self, task: PlannedTask, positional: int) -> PlannedTask:
        """The task with all that friends.yaml declares secret of it.

        Args:
            task: What is about to be sent.
            positional: How many arguments it is sent with that have no name.
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
        """Return once it is on disk that a step is about to be sent; raises what keeps it."""
        if self.journal is None:
            return
        try:
            server = await self.manager.adoption.server(task.friend)
        except BrokerUnavailable:
            server = ""  # the publish will say so
        try:
            step = (path, task.task_id, *payload)
            await self.journal.intend(run_id, [step], task.secret, server)
        except JournalError as error:
            raise self.refused(task, error) from None

    async def revoke(
        self, ids: Sequence[str], terminate: bool = False, signal: str = "SIGTERM"
    ) -> list[Receipt]:
        """Revoke tasks; returns who acknowledged, of those that could be asked."""
        receipts: list[Receipt] = []
        for start in range(0, len(ids), REVOKED_AT_ONCE):
            answers = await asyncio.gather(
                *(
                    self.manager.revoke(task_id, terminate, signal)
                    for task_id in ids[start : start + REVOKED_AT_ONCE]
                ),
                return_exceptions=True,  # the broker may be away; what can be revoked is
            )
            for answer in answers:
                if not isinstance(answer, BaseException):
                    receipts += answer
        return receipts

    async def keep_event(self, event: RunEvent) -> None:
        """Tell an event, and return once it is on disk; raises what keeps it from there."""
        self.emitter.emit(event)
        if self.journal is not None:
            await self.journal.keep(event)

    def hand_on(self, run_id: str, path: str, task: PlannedTask, arrived: list[Any]) -> Callback:
        """The callback that has the result: it is released only after this returned."""

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
        """Tell that a step can't be sent for something that was never written down."""
        emitter = self.emitter
        emitter.emit(StepHeld(at=emitter.now(), run_id=run_id, path=path, because=why))
        return KimeraError(f"Step {path or '0'} ({task.task_name}): {why}; it was not sent.")

    def refused(
        self, task: PlannedTask, error: KimeraError, uncertain: bool = False
    ) -> KimeraError:
        """Tell that a task was not sent, or that nobody knows; returns the error."""
        emitter = self.emitter
        emitter.emit(
            Refused(at=emitter.now(), task_id=task.task_id, reason=str(error), uncertain=uncertain)
        )
        return error

    def notice(self, task: PlannedTask, text: str, *, against: bool = True) -> None:
        """Tell what is known of a task: what stands against its success, or where it is."""
        emitter = self.emitter
        emitter.emit(Noticed(at=emitter.now(), task_id=task.task_id, text=text, against=against))
