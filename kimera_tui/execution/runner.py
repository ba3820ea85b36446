"""The runner: starts, resumes, replays, detaches and cancels the runs of one console."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any, Literal

from kimera_tui.config.friends import secret_params
from kimera_tui.documents.calls import Workflow
from kimera_tui.documents.document import Document
from kimera_tui.errors import JournalError, RunTaken, UsageError
from kimera_tui.execution.active_runs import ActiveRuns
from kimera_tui.execution.background import BackgroundTasks
from kimera_tui.execution.detach.blockers import Stop
from kimera_tui.execution.detach.detacher import (
    hand_over,
    hand_over_rest,
    resume_detached,
    stops_of,
)
from kimera_tui.execution.executor import Executor
from kimera_tui.execution.planning import plan_of
from kimera_tui.execution.replay import Wish, planned_replay
from kimera_tui.execution.run_context import RunContext, TaskWarnings
from kimera_tui.execution.run_setup import (
    Given,
    beginning_of,
    executor_of,
    planner_of,
    replay_of,
    reused_of,
    secrets_of,
    started_of,
)
from kimera_tui.process.engine import Receipt
from kimera_tui.process.loop.bus import Emitter
from kimera_tui.process.loop.clock import Clock, new_id
from kimera_tui.process.task_manager import TaskManager
from kimera_tui.process.task_params import TaskParams
from kimera_tui.runs.events import RunAdopted, RunCancelled, RunStarted, StepDecided, StepReused
from kimera_tui.runs.journal.journal import Journal
from kimera_tui.runs.recovery import Fates, Past, Resumed, judge_all, resumed

__all__ = ["Given", "Runner", "TaskWarnings", "plan_of"]

Decision = Literal["again", "done", "fail", "wait"]
NOTHING_GIVEN = Given()


class Runner:
    """Launches workflows as runs, each in a background task of the running loop.

    Args:
        manager: Sends the tasks.
        clock: Where the time comes from.
        new_id: Makes ids of runs and tasks.
        warnings: Tells what stands against a task.
        journal: Where runs are kept; None keeps them nowhere.
        profile: Which broker is in use, in a few words; kept with each run.
        asks: Whether somebody is there to answer for uncertain steps; else their runs fail.
    """

    def __init__(
        self,
        manager: TaskManager,
        clock: Clock,
        new_id: Callable[[], str] = new_id,
        warnings: TaskWarnings = lambda friend, task_name: [],
        journal: Journal | None = None,
        profile: str = "",
        asks: bool = False,
    ) -> None:
        self._manager = manager
        self._emitter = Emitter(manager.events, clock)
        self._new_id = new_id
        self._context = RunContext(manager, self._emitter, warnings, journal, new_id, asks)
        self._journal = journal
        self._profile = profile
        self._active = ActiveRuns(self._context)
        self._taking: dict[str, bool] = {}
        """Runs that are being taken over, and whether they were cancelled meanwhile."""
        self._detaching: set[str] = set()
        self._background = BackgroundTasks()
        if journal is not None:
            journal.on_cancel_request(self._asked_to_cancel)

    def has(self, run_id: str) -> bool:
        """Whether a run is going on here, or is just being taken over."""
        return run_id in self._active.executors or run_id in self._taking

    def start(self, workflow: Workflow) -> str:
        """Start a run; returns its id. Every step is announced before anything is sent."""
        plan = plan_of(workflow.root, self._new_id, self._secret)
        return self._launch(
            RunStarted(
                at=self._emitter.now(),
                run_id=self._new_id(),
                name=workflow.name,
                plan=plan,
                profile=self._profile,
            )
        )

    def run(self, document: Document, given: Given = NOTHING_GIVEN) -> str:
        """Start a run of a document; returns its id.

        Raises:
            UsageError: an input is missing or wrong; nothing was sent.
        """
        at = self._emitter.now()
        return self._launch(
            started_of(document, given, self._manager, self._new_id, at, self._profile),
            document=document,
        )

    async def stops(self, document: Document) -> Sequence[Stop]:
        """What keeps a run of a document from being handed to the workers.

        Raises:
            KimeraError: the broker can't be used.
        """
        plan = planner_of(self._manager.friends, self._new_id).plan(document)
        return await stops_of(plan, self._manager)

    async def detach(self, document: Document, given: Given = NOTHING_GIVEN) -> str:
        """Start a run that the workers go on with by themselves; returns its id.

        Returns once the broker has all of it. From then on it is only watched, and no time-out
        holds.

        Raises:
            CannotDetach: the workers can't do all that it says; nothing was sent.
            UsageError: an input is missing or wrong; nothing was sent.
            KimeraError: it could not be written down, or not all of it was published.
        """
        at = self._emitter.now()
        started = started_of(document, given, self._manager, self._new_id, at, self._profile)
        executor = executor_of(started, self._context, document=document)
        handover = await hand_over(executor, self._manager)
        self._emitter.emit(started)
        await handover.until_published(self._active.begin(executor, started))
        return started.run_id

    async def detach_rest(self, run_id: str) -> None:
        """Hand what has not been sent of a run to the workers, once what is in flight has ended.

        Raises:
            CannotDetach: the workers can't do all that it says; it goes on as it did.
            UsageError: it isn't going on here, or nothing is left; it goes on as it did.
            KimeraError: not all of it was published.
        """
        executor, journal = self._active.active(run_id), self._journal
        if executor is None or journal is None:
            raise UsageError("This run is not active in this console, or the journal is off.")
        if executor.handover is not None or run_id in self._detaching:
            raise UsageError("This run is already detached or being detached.")
        self._detaching.add(run_id)
        try:
            handover = await hand_over_rest(
                executor,
                journal,
                self._manager,
                lambda: self._active.active(run_id) is executor,
                lambda handover: self._active.announce(run_id, handover),
            )
        finally:
            self._detaching.discard(run_id)
        await handover.until_published(self._active.task(run_id))

    async def replay(self, run_id: str, wish: Wish, fates: Fates | None = None) -> str:
        """Start a new run from a past one, which stays as it is; returns its id.

        ``fates`` tells which steps turned out to be done; the others may run twice.

        Raises:
            UsageError: no such run or step, a wrong input, a secret missing; nothing was sent.
            JournalError: the journal can't be read.
        """
        if self._journal is None:
            raise JournalError("Runs are not saved here, so there is none to replay.")
        past = await self._journal.events_of(run_id)
        how = (past, wish, self._new_id, self._manager.friends, fates)
        # Folding a run of ten thousand steps takes a second: not on the loop.
        planned = await asyncio.to_thread(planned_replay, *how)
        if planned.needs:
            raise UsageError(f"{planned.needs[0]} Nothing was sent.")
        at, new_run = self._emitter.now(), self._new_id()
        started = replay_of(beginning_of(past), planned, wish, at, new_run, self._profile)
        return self._launch(started, reused_of(planned, started), wish.document)

    async def resume(self, run_id: str, given: Given = NOTHING_GIVEN) -> Resumed:
        """Go on with a run that its console left; nothing is sent twice.

        Args:
            run_id: The run.
            given: Secrets that were asked for at its start, which are kept nowhere.

        Returns:
            What is watched again, once broker and results have been asked.

        Raises:
            RunTaken: it has ended, or another console is at it.
            UsageError: it was started with another broker; nothing was sent.
            JournalError: the journal can't be used.
        """
        if self._journal is None:
            raise JournalError("Runs are not saved here, so there is none to go on with.")
        for run in await self._journal.open_runs():
            if run.run_id == run_id and run.profile != self._profile:
                raise UsageError(
                    f"It was started with another broker: {run.profile}. Nothing was sent."
                )
        if self.has(run_id):
            raise RunTaken("This console is at it already.")
        self._taking[run_id] = False
        try:
            return await self._take_over(self._journal, run_id, given)
        finally:
            del self._taking[run_id]

    async def _take_over(self, journal: Journal, run_id: str, given: Given) -> Resumed:
        events = await journal.take(run_id)
        past = await asyncio.to_thread(Past.of, events)
        try:
            secrets = secrets_of(beginning_of(events), past, given.prompted)
        except UsageError:
            await journal.release(run_id)
            raise
        adopted = RunAdopted(
            at=self._emitter.now(), run_id=run_id, past=tuple(events), secrets=secrets
        )
        self._emitter.emit(adopted)
        past.run.resume(adopted)
        verdicts = await judge_all(past, self._manager, adopted.at)
        executor = executor_of(beginning_of(events), self._context, past, verdicts, secrets)
        executor.in_flight.update((step.task_id, step.path) for step, _ in past.under_way())
        if past.run.detached:
            await resume_detached(executor, events, self._manager)
        self._active.resume(executor)
        if past.run.cancelled or self._taking[run_id]:
            await self._cancel(executor)
        return resumed(past, verdicts)

    async def cancel(
        self, run_id: str, terminate: bool = False, signal: str = "SIGTERM"
    ) -> Sequence[Receipt]:
        """Send nothing more of a run and revoke what is in flight; then it ends as revoked.

        Returns:
            Which workers acknowledged a revoke; an acknowledgement doesn't say that the task
            was theirs.

        Raises:
            UsageError: this console isn't at the run.
        """
        if run_id in self._taking:
            self._taking[run_id] = True  # done as soon as it is known what is in flight
            await self._tell_cancelled(run_id, ())
            return ()
        if (executor := self._active.active(run_id)) is None:
            raise UsageError("This run is not active in this console.")
        return await self._cancel(executor, terminate, signal)

    async def _cancel(
        self, executor: Executor, terminate: bool = False, signal: str = "SIGTERM"
    ) -> Sequence[Receipt]:
        executor.cancelled = True
        ids = executor.revocable()
        stopping = executor.stop(terminate, signal)
        await self._tell_cancelled(executor.run_id, ids)
        return await stopping

    async def _tell_cancelled(self, run_id: str, revoked: Sequence[str]) -> None:
        told = RunCancelled(at=self._emitter.now(), run_id=run_id, revoked=tuple(revoked))
        self._emitter.emit(told)
        if self._journal is not None:
            # Cancelling mustn't fail for a full disk.
            with contextlib.suppress(JournalError, RunTaken):
                await self._journal.keep(told)

    async def decide(
        self, run_id: str, path: str, what: Decision, by: str, result: Any = None
    ) -> None:
        """Say what became of a step of which nothing else could tell; its run goes on from there.

        Args:
            run_id: The run.
            path: The step.
            what: ``again`` sends it once more, ``done`` takes ``result`` for its result,
                ``fail`` lets it fail, ``wait`` waits for it as if it had been sent.
            by: Who decides.
            result: The result for ``done``.

        Raises:
            UsageError: nobody asks for this, or it is for the workers to run this step.
        """
        executor = self._active.active(run_id)
        if executor is None:
            raise UsageError("This step is not waiting for a decision.")
        at = self._emitter.now()
        executor.decide(
            StepDecided(at=at, run_id=run_id, path=path, what=what, by=by, result=result)
        )

    async def result(self, run_id: str) -> Any:
        """Wait for a run of this runner and return its result, or raise what ended it."""
        return await self._active.task(run_id)

    @property
    def in_flight(self) -> set[str]:
        """Ids of all tasks that were sent and have not ended."""
        return {task_id for each in self._active.executors.values() for task_id in each.in_flight}

    def is_in_flight(self, task_id: str) -> bool:
        """Whether a task was sent and has not ended; may be called from any thread."""
        return any(task_id in each.in_flight for each in tuple(self._active.executors.values()))

    async def stop(self) -> None:
        """Stop waiting for all runs; what was sent goes on remotely."""
        self._background.stop()
        await self._active.stop()

    def _asked_to_cancel(self, run_id: str) -> None:
        """Another console asks for it."""
        executor = self._active.executors.get(run_id)
        if run_id in self._taking:
            self._taking[run_id] = True
        elif executor is not None and not executor.cancelled:
            self._background.start(self.cancel(run_id))

    def _secret(self, params: TaskParams) -> frozenset[str]:
        entry = self._manager.friends.get(params.friend, {})
        return secret_params(entry, params.task_name, len(params.args))

    def _launch(
        self,
        started: RunStarted,
        reused: Sequence[StepReused] = (),
        document: Document | None = None,
    ) -> str:
        for event in (started, *reused):
            self._emitter.emit(event)
        past = Past.of([started, *reused]) if reused else None
        executor = executor_of(started, self._context, past, document=document)
        self._active.begin(executor, started, reused)
        return started.run_id
