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
from kimera_tui.execution.detach.blockers import Blocker
from kimera_tui.execution.detach.detacher import (
    detach_blockers,
    hand_over,
    hand_over_rest,
    resume_detached,
)
from kimera_tui.execution.executor import Executor
from kimera_tui.execution.planning import plan_of, planner_of
from kimera_tui.execution.replay.plan import ReplayRequest, planned_replay
from kimera_tui.execution.run_context import RunContext
from kimera_tui.execution.run_inputs import RunInputs, beginning_of
from kimera_tui.execution.run_setup import (
    executor_of,
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

Decision = Literal["again", "done", "fail", "wait"]
NO_INPUTS = RunInputs()


class Runner:
    """Starts workflows as runs, each in a background task of the running loop.

    Args:
        manager: Sends the tasks.
        clock: Tells the time.
        new_id: Creates ids of runs and tasks.
        journal: Where runs are saved; None to save nothing.
        profile: Names the broker in a few words; saved with each run.
        asks: Whether an operator can decide uncertain steps; otherwise their runs fail.
    """

    def __init__(
        self,
        manager: TaskManager,
        clock: Clock,
        new_id: Callable[[], str] = new_id,
        journal: Journal | None = None,
        profile: str = "",
        asks: bool = False,
    ) -> None:
        self._manager = manager
        self._emitter = Emitter(manager.events, clock)
        self._new_id = new_id
        self._context = RunContext(manager, self._emitter, journal, new_id, asks)
        self._journal = journal
        self._profile = profile
        self._active = ActiveRuns(self._context)
        self._taking: dict[str, bool] = {}
        """Runs that are being taken over, and whether they have been cancelled since."""
        self._detaching: set[str] = set()
        self._background = BackgroundTasks()
        if journal is not None:
            journal.on_cancel_request(self._cancel_requested)

    def has(self, run_id: str) -> bool:
        """Whether a run is active here, or is being taken over."""
        return run_id in self._active.executors or run_id in self._taking

    def start(self, workflow: Workflow) -> str:
        """Start a run; return its id. Every step is announced before anything is sent."""
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

    def run(self, document: Document, run_inputs: RunInputs = NO_INPUTS) -> str:
        """Start a run of a document; return its id.

        Raises:
            UsageError: an input is missing or wrong; nothing was sent.
        """
        at = self._emitter.now()
        return self._launch(
            started_of(document, run_inputs, self._manager, self._new_id, at, self._profile),
            document=document,
        )

    async def blockers(self, document: Document) -> Sequence[Blocker]:
        """Return what blocks detaching a run of a document.

        Raises:
            KimeraError: the broker cannot be used.
        """
        plan = planner_of(self._manager.friends, self._new_id).plan(document)
        return await detach_blockers(plan, self._manager)

    async def detach(self, document: Document, run_inputs: RunInputs = NO_INPUTS) -> str:
        """Start a run that the workers finish on their own; return its id.

        Returns once everything is published. From then on the run is only watched, and timeouts
        do not apply.

        Raises:
            CannotDetach: the workers cannot do everything in it; nothing was sent.
            UsageError: an input is missing or wrong; nothing was sent.
            KimeraError: it could not be saved, or not everything was published.
        """
        at = self._emitter.now()
        started = started_of(document, run_inputs, self._manager, self._new_id, at, self._profile)
        executor = executor_of(started, self._context, document=document)
        handover = await hand_over(executor, self._manager)
        self._emitter.emit(started)
        await handover.until_published(self._active.begin(executor, started))
        return started.run_id

    async def detach_rest(self, run_id: str) -> None:
        """Hand the unsent steps of a run to the workers, once the tasks in flight have ended.

        Raises:
            CannotDetach: the workers cannot do everything that is left; the run continues here.
            UsageError: the run is not active here, or nothing is left; it continues as before.
            KimeraError: not everything was published.
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

    async def replay(self, run_id: str, request: ReplayRequest, fates: Fates | None = None) -> str:
        """Start a new run from a past one, which stays unchanged; return its id.

        ``fates`` says which steps turned out to be done; the others may run twice.

        Raises:
            UsageError: unknown run or step, wrong input, or missing secret; nothing was sent.
            JournalError: the journal cannot be read.
        """
        if self._journal is None:
            raise JournalError("The journal is off, so there is no run to replay.")
        past = await self._journal.events_of(run_id)
        # Folding a run of ten thousand steps takes a second: not on the loop.
        planned = await asyncio.to_thread(
            planned_replay, past, request, self._new_id, self._manager.friends, fates
        )
        if planned.needs:
            raise UsageError(f"{planned.needs[0]} Nothing was sent.")
        at, new_run = self._emitter.now(), self._new_id()
        started = replay_of(beginning_of(past), planned, request, at, new_run, self._profile)
        return self._launch(started, reused_of(planned, started), request.document)

    async def resume(self, run_id: str, run_inputs: RunInputs = NO_INPUTS) -> Resumed:
        """Resume a run that its console left; nothing is sent twice.

        Args:
            run_id: The run.
            run_inputs: Secrets the run prompted for at its start; they are never saved.

        Returns:
            What is watched again, once the broker and the result backend have been asked.

        Raises:
            RunTaken: the run has ended, or another console owns it.
            UsageError: the run was started with another broker; nothing was sent.
            JournalError: the journal cannot be used.
        """
        if self._journal is None:
            raise JournalError("The journal is off, so there is no run to resume.")
        for run in await self._journal.open_runs():
            if run.run_id == run_id and run.profile != self._profile:
                raise UsageError(
                    f"The run was started with another broker: {run.profile}. Nothing was sent."
                )
        if self.has(run_id):
            raise RunTaken("This console already owns the run.")
        self._taking[run_id] = False
        try:
            return await self._take_over(self._journal, run_id, run_inputs)
        finally:
            del self._taking[run_id]

    async def _take_over(self, journal: Journal, run_id: str, run_inputs: RunInputs) -> Resumed:
        events = await journal.take(run_id)
        past = await asyncio.to_thread(Past.of, events)
        try:
            secrets = secrets_of(beginning_of(events), past, run_inputs.prompted)
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
        """Stop sending, revoke what is in flight, and end the run as revoked.

        Returns:
            The workers' acknowledgements; a worker acknowledges revokes of other workers' tasks,
            too.

        Raises:
            UsageError: the run is not active in this console.
        """
        if run_id in self._taking:
            self._taking[run_id] = True  # cancelled once the tasks in flight are known
            await self._announce_cancelled(run_id, ())
            return ()
        if (executor := self._active.active(run_id)) is None:
            raise UsageError("This run is not active in this console.")
        return await self._cancel(executor, terminate, signal)

    async def _cancel(
        self, executor: Executor, terminate: bool = False, signal: str = "SIGTERM"
    ) -> Sequence[Receipt]:
        executor.cancelled = True
        tasks = executor.revocable()
        stopping = executor.stop(terminate, signal)
        await self._announce_cancelled(executor.run_id, list(tasks))
        return (await stopping).receipts

    async def _announce_cancelled(self, run_id: str, revoked: Sequence[str]) -> None:
        event = RunCancelled(at=self._emitter.now(), run_id=run_id, revoked=tuple(revoked))
        self._emitter.emit(event)
        if self._journal is not None:
            # A full disk must not stop a cancellation.
            with contextlib.suppress(JournalError, RunTaken):
                await self._journal.keep(event)

    async def decide(
        self, run_id: str, path: str, what: Decision, by: str, result: Any = None
    ) -> None:
        """Decide the outcome of an uncertain step; its run continues from there.

        Args:
            run_id: The run.
            path: The step.
            what: ``again`` resends it, ``done`` uses ``result`` as its result, ``fail`` marks it
                as failed, ``wait`` waits for it as if it had been sent.
            by: Who decides.
            result: The result for ``done``.

        Raises:
            UsageError: the step is not waiting for a decision, or only workers can finish it.
        """
        executor = self._active.active(run_id)
        if executor is None:
            raise UsageError("This step is not waiting for a decision.")
        at = self._emitter.now()
        executor.decide(
            StepDecided(at=at, run_id=run_id, path=path, what=what, by=by, result=result)
        )

    async def result(self, run_id: str) -> Any:
        """Wait for a run of this runner; return its result, or raise the error that ended it."""
        return await self._active.task(run_id)

    @property
    def in_flight(self) -> set[str]:
        """Ids of all tasks in flight."""
        return {task_id for each in self._active.executors.values() for task_id in each.in_flight}

    async def stop(self) -> None:
        """Stop waiting for all runs; published tasks keep running remotely."""
        self._background.stop()
        await self._active.stop()

    def _cancel_requested(self, run_id: str) -> None:
        """Cancel a run at another console's request."""
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
