"""The runner: walks a workflow's tree with the TaskManager and says what comes of each step."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from kimera_tui.config.friends import secret_params
from kimera_tui.errors import JournalError, KimeraError, RunRefused, RunTaken, UsageError
from kimera_tui.process.announcer import Announcer
from kimera_tui.process.clock import Clock, new_id
from kimera_tui.process.engine import Receipt
from kimera_tui.process.events import Refused
from kimera_tui.process.task_manager import TaskManager
from kimera_tui.process.task_params import TaskParams
from kimera_tui.runs.events import (
    RunAdopted,
    RunCancelled,
    RunEnded,
    RunStarted,
    StepDecided,
    StepReused,
)
from kimera_tui.runs.journal import Journal
from kimera_tui.runs.recovery import Past, Resumed, judge_all, resumed
from kimera_tui.workflows.beside import Beside
from kimera_tui.workflows.calls import Workflow
from kimera_tui.workflows.document import Document
from kimera_tui.workflows.hands import Findings, Hands
from kimera_tui.workflows.header import header_of
from kimera_tui.workflows.launch import Given, beginning_of, started_of, walk_of
from kimera_tui.workflows.planning import plan_of
from kimera_tui.workflows.replay import Wish, planned_replay
from kimera_tui.workflows.walk import Walk

__all__ = ["Findings", "Given", "Runner", "plan_of"]

Decision = Literal["again", "done", "fail", "wait"]
NOTHING_GIVEN = Given()


class Runner:
    """Launches workflows as runs, each in a background task of the running loop.

    Args:
        manager: Sends the tasks.
        clock: Where the time comes from.
        new_id: Makes ids of runs and tasks.
        findings: Tells what stands against a task.
        journal: Where runs are kept; None keeps them nowhere.
        profile: Which broker is in use, in a few words; kept with each run.
        asks: Whether somebody is there to answer for uncertain steps; else their runs fail.
    """

    def __init__(
        self,
        manager: TaskManager,
        clock: Clock,
        new_id: Callable[[], str] = new_id,
        findings: Findings = lambda friend, task_name: [],
        journal: Journal | None = None,
        profile: str = "",
        asks: bool = False,
    ) -> None:
        self._manager = manager
        self._announcer = Announcer(manager.events, clock)
        self._new_id = new_id
        self._hands = Hands(manager, self._announcer, findings, journal, new_id, asks)
        self._journal = journal
        self._profile = profile
        self._runs: dict[str, asyncio.Task[Any]] = {}
        self._walks: dict[str, Walk] = {}
        self._beside = Beside()
        if journal is not None:
            journal.heed(self._asked_to_cancel)

    def has(self, run_id: str) -> bool:
        """Whether a run is going on here."""
        return run_id in self._walks

    def start(self, workflow: Workflow) -> str:
        """Start a run; returns its id. Every step is announced before anything is sent."""
        plan = plan_of(workflow.root, self._new_id, self._secret)
        return self._launch(
            RunStarted(
                at=self._announcer.now(),
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
        at = self._announcer.now()
        return self._launch(
            started_of(document, given, self._manager, self._new_id, at, self._profile),
            prompted=given.prompted,
        )

    async def replay(self, run_id: str, wish: Wish) -> str:
        """Start a new run from a past one; returns its id. The past run stays as it is.

        Raises:
            UsageError: there is no such run or step, an input is wrong, or a secret is needed
                again; nothing was sent.
            JournalError: the journal can't be read.
        """
        if self._journal is None:
            raise JournalError("Runs are not saved here, so there is none to replay.")
        past = await self._journal.events_of(run_id)
        planned = planned_replay(past, wish, self._new_id, self._manager.friends)
        if planned.needs:
            raise UsageError(f"{planned.needs[0]} Nothing was sent.")
        at, new_run = self._announcer.now(), self._new_id()
        begun = beginning_of(past)
        started = replace(
            begun,
            at=at,
            run_id=new_run,
            name=planned.name,
            plan=planned.plan,
            parent=planned.parent,
            profile=self._profile,
            inputs=planned.inputs,
            header=begun.header if wish.document is None else header_of(wish.document),
            despite=tuple(wish.given.despite),
        )
        reused = [
            StepReused(
                at=at, run_id=new_run, path=path, from_run=planned.parent, result=step.result
            )
            for path, step in planned.reused.items()
        ]
        return self._launch(started, reused, wish.given.prompted)

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
        if run_id in self._walks:
            raise RunTaken("This console is at it already.")
        events = await self._journal.take(run_id)
        adopted = RunAdopted(at=self._announcer.now(), run_id=run_id, past=tuple(events))
        self._announcer.tell(adopted)
        past = Past.of([*events, adopted])
        verdicts = await judge_all(past, self._manager, adopted.at)
        walk = walk_of(beginning_of(events), self._hands, past, verdicts, given.prompted)
        walk.in_flight.update((step.task_id, step.path) for step, _ in past.under_way())
        self._begin(walk, self._go_on(walk))
        if past.run.cancelled:
            await self.cancel(run_id)
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
        walk, task = self._walks.get(run_id), self._runs.get(run_id)
        if walk is None or task is None or task.done():
            raise UsageError("This run is not going on in this console.")
        walk.cancelled = True
        ids = list(walk.in_flight)
        stopping = walk.stop(terminate, signal)
        told = RunCancelled(at=self._announcer.now(), run_id=run_id, revoked=tuple(ids))
        self._announcer.tell(told)
        if self._journal is not None:
            # Cancelling mustn't fail for a full disk.
            with contextlib.suppress(JournalError, RunTaken):
                await self._journal.keep(told)
        return await stopping

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
            UsageError: nobody asks for this.
        """
        walk = self._walks.get(run_id)
        awaited = walk.decisions.get(path) if walk is not None else None
        if awaited is None or awaited.done():
            raise UsageError("This step waits for no answer here.")
        at = self._announcer.now()
        awaited.set_result(
            StepDecided(at=at, run_id=run_id, path=path, what=what, by=by, result=result)
        )

    async def result(self, run_id: str) -> Any:
        """Wait for a run of this runner and return its result, or raise what ended it."""
        return await self._runs[run_id]

    @property
    def in_flight(self) -> set[str]:
        """Ids of all tasks that were sent and have not ended."""
        return {task_id for walk in self._walks.values() for task_id in walk.in_flight}

    async def stop(self) -> None:
        """Stop waiting for all runs; what was sent goes on remotely."""
        self._beside.stop()
        tasks = [task for task in self._runs.values() if not task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _asked_to_cancel(self, run_id: str) -> None:
        """Another console asks for it."""
        walk = self._walks.get(run_id)
        if walk is not None and not walk.cancelled:
            self._beside.do(self.cancel(run_id))

    def _secret(self, params: TaskParams) -> frozenset[str]:
        return secret_params(self._manager.friends.get(params.friend, {}), params.task_name)

    def _launch(
        self,
        started: RunStarted,
        reused: Sequence[StepReused] = (),
        prompted: Mapping[str, str] | None = None,
    ) -> str:
        for event in (started, *reused):
            self._announcer.tell(event)
        past = Past.of([started, *reused]) if reused else None
        walk = walk_of(started, self._hands, past, prompted=prompted)
        self._begin(walk, self._from_start(walk, started, reused))
        return started.run_id

    def _begin(self, walk: Walk, work: Any) -> None:
        run_id = walk.run_id
        self._walks[run_id] = walk
        task = asyncio.get_running_loop().create_task(work, name=run_id)
        self._runs[run_id] = task
        task.add_done_callback(lambda ended: self._ended(run_id, ended))

    def _ended(self, run_id: str, task: asyncio.Task[Any]) -> None:
        self._walks.pop(run_id, None)
        if not task.cancelled():
            task.exception()  # told as events; ``result`` raises it for those who ask
        # Whoever awaits ``result`` holds the task; the runner doesn't hold ended ones for ever.
        asyncio.get_running_loop().call_later(60, self._runs.pop, run_id, None)

    async def _from_start(
        self, walk: Walk, started: RunStarted, reused: Sequence[StepReused]
    ) -> Any:
        if self._journal is not None:
            try:
                await self._journal.begin(started, reused=reused)
            except (JournalError, RunRefused) as error:
                self._refuse_all(walk, error)
                self._announcer.tell(self._end_of(walk, str(error)))
                raise
        return await self._go_on(walk)

    def _refuse_all(self, walk: Walk, error: KimeraError) -> None:
        at = self._announcer.now()
        for _, task in walk.plan.leaves():
            self._announcer.tell(Refused(at=at, task_id=task.task_id, reason=str(error)))

    async def _go_on(self, walk: Walk) -> Any:
        error = ""
        try:
            return await walk.go()
        except RunTaken:
            error = "taken"
            raise
        except Exception as raised:
            error = str(raised)
            raise
        except asyncio.CancelledError:
            error = "stopped"
            raise
        finally:
            await self._finish(walk, error)

    async def _finish(self, walk: Walk, error: str) -> None:
        """Say that the run has ended; one that is journaled and only left doesn't end."""
        if error == "taken" or (error == "stopped" and self._journal and not walk.cancelled):
            return
        if walk.cancelled:
            walk.skip_rest("the run was cancelled")
            error = "cancelled"
        ended = self._end_of(walk, error)
        self._announcer.tell(ended)
        if self._journal is not None:
            with contextlib.suppress(JournalError, RunTaken):
                await self._journal.end(ended)

    def _end_of(self, walk: Walk, error: str) -> RunEnded:
        return RunEnded(at=self._announcer.now(), run_id=walk.run_id, error=error)
