"""Execute one plan: perform its schedule's actions and report their outcomes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from functools import partial
from typing import Any

from kimera_tui.errors import KimeraError, RunTaken, UsageError
from kimera_tui.execution.actions import (
    Action,
    Adopt,
    Ask,
    Doubt,
    Finish,
    GiveUp,
    Retry,
    Send,
    Skip,
    Stop,
    Withdraw,
)
from kimera_tui.execution.background import BackgroundTasks
from kimera_tui.execution.detach.handover import Handover
from kimera_tui.execution.run_context import RunContext
from kimera_tui.execution.schedule import Schedule
from kimera_tui.execution.step_sender import StepSender
from kimera_tui.execution.template_scope import Scope
from kimera_tui.process.loop.gather import SLICE
from kimera_tui.process.stopping.stop_all import StopReport, words_of
from kimera_tui.runs.events import StepDecided, StepRetried, StepSkipped, StopReported
from kimera_tui.runs.plan import Node
from kimera_tui.runs.recovery import Verdict

STOP_SECONDS = 3.0
"""Seconds that a stopped run waits for its revoked tasks to end."""


class Executor:
    """The one loop of a run.

    Args:
        run_id: The run.
        context: The engine, the journal and the emitter.
        schedule: Decides what comes next.
    """

    def __init__(self, run_id: str, context: RunContext, schedule: Schedule) -> None:
        self.run_id = run_id
        self.schedule = schedule
        self.cancelled = False
        """Whether the run was cancelled, so nothing more is sent."""
        self._context = context
        self._sender = StepSender(run_id, context, schedule.scope, schedule.stopped, schedule.sent)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        """Tasks that send, watch or decide a step, by its path."""
        self._others = BackgroundTasks()
        self._wake = asyncio.Event()
        self._changed = asyncio.Event()
        """Set with each new phase, and at the end."""
        self.pause = Pause()
        """Holds back steps that have not been sent."""
        self._finish: Finish | None = None
        self._taken: RunTaken | None = None

    @property
    def plan(self) -> Node:
        """The run's tree."""
        return self.schedule.plan

    @property
    def scope(self) -> Scope:
        """What its templates look up."""
        return self.schedule.scope

    @property
    def in_flight(self) -> dict[str, str]:
        """Path of each task that was published and has not ended, by task id."""
        return self._sender.in_flight

    @property
    def handover(self) -> Handover | None:
        """How the run is handed over to the workers; None if it is not detached."""
        return self._sender.handover

    def revocable(self) -> dict[str, str]:
        """The friend of each task in flight, and of those the workers would send after them."""
        friends = {path: task.friend for path, task in self.plan.leaves()}
        later = self.schedule.skips.unsent(self.plan) if self.handover is not None else ()
        in_flight = {each: friends[path] for each, path in self.in_flight.items()}
        return in_flight | {task.task_id: task.friend for task in later}

    def hand_over(self, handover: Handover, downstream: Iterable[str]) -> None:
        """Let the workers finish what was not sent. Timeouts no longer apply.

        Args:
            handover: The messages to publish.
            downstream: Paths of the steps that the workers send.
        """
        self._sender.handover = handover
        self.schedule.hand_over(dict.fromkeys(downstream, Verdict("adopt")))

    def decide(self, decided: StepDecided) -> None:
        """Continue a step as the operator decided.

        Raises:
            UsageError: the step is not waiting for a decision, or only workers can finish it.
        """
        if decided.path not in self.schedule.attempts.asking:
            raise UsageError("This step is not waiting for a decision.")
        if decided.what == "done" and self.handover is not None:
            self.handover.check_done(decided.path)
        self.schedule.attempts.asking.discard(decided.path)
        self._start(decided.path, self._decided(decided))

    async def go(self) -> Any:
        """Run to the end; return the run's result, or raise the error that ended it.

        Raises:
            RunTaken: another console owns the run.
        """
        try:
            while (finish := self._turn()) is None:
                await (asyncio.sleep(0) if self.schedule.busy else self._wait())
            await self._others.wait()
            await self._sender.late.wait()
        finally:
            self._changed.set()
            self._others.stop()
            self._sender.late.stop()
            await self._cancel(list(self._tasks))
            self._sender.close()
        if finish.error is not None:
            raise finish.error
        return finish.result

    def stop(
        self, terminate: bool = False, signal: str = "SIGTERM"
    ) -> Coroutine[Any, Any, StopReport]:
        """Stop sending in this phase, and stop what is in flight.

        Returns:
            A coroutine to await: it revokes, takes out of queues, waits for the end, and returns
            what that brought.
        """
        self.schedule.halt()
        self._wake.set()
        return self._stopped(self.schedule.phase, self.revocable(), terminate, signal)

    def skip_rest(self, because: str) -> None:
        """Announce every unsent step as skipped."""
        for action in self.schedule.skip_rest(because):
            self._perform(action)

    def _turn(self) -> Finish | None:
        """Perform the actions that are due; return the final one once it comes."""
        if self._taken is not None:
            raise self._taken
        phase = self.schedule.phase
        for action in self.schedule.todo(self._context.emitter.now(), SLICE):
            self._perform(action)
        if phase != self.schedule.phase or self._finish is not None:
            self._changed.set()
        return self._finish

    async def _wait(self) -> None:
        """Return once something was reported or falls due."""
        due = self.schedule.next_time()
        left = None if due is None else max(0.0, due - self._context.emitter.now())
        try:
            async with asyncio.timeout(left):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    def _perform(self, action: Action) -> None:
        emitter = self._context.emitter
        match action:
            case Send():
                self._attempt(action.node.path, partial(self._sender.send, action))
            case Adopt():
                self._attempt(action.node.path, partial(self._sender.adopt, action))
            case Retry():
                emitter.emit(
                    StepRetried(
                        at=emitter.now(),
                        run_id=self.run_id,
                        path=action.path,
                        task_id=action.task_id,
                        attempt=action.attempt,
                        delay=action.delay,
                        because=action.because,
                    )
                )
            case Skip():
                emitter.emit(
                    StepSkipped(
                        at=emitter.now(),
                        run_id=self.run_id,
                        path=action.path,
                        because=action.because,
                        unreachable=action.unreachable,
                        not_needed=action.not_needed,
                    )
                )
            case Doubt():
                self._context.refused(action.task, action.error, uncertain=True)
            case GiveUp():
                self._others.start(self._give_up(action))
            case Withdraw():
                self._others.start(self._withdraw(action))
            case Stop():
                tasks = self.revocable()
                self._others.start(self._stopped(self.schedule.phase, tasks))
            case Finish():
                self._finish = action
            case Ask():
                pass  # the step's events ask the operator

    def _start(self, path: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[path] = task
        task.add_done_callback(lambda done: self._ended(path, done))

    def _ended(self, path: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(path) is task:
            del self._tasks[path]
        self._wake.set()

    def _attempt(self, path: str, perform: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self._start(path, self._attempted(path, perform))

    async def _attempted(self, path: str, perform: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        await self.pause.enter()
        try:
            result = await perform()
        except RunTaken as taken:
            self._taken = taken
        except Exception as error:  # noqa: BLE001 - the schedule judges it
            self.schedule.attempts.failed(path, error)
        else:
            self.schedule.attempts.succeeded(path, result)
        finally:
            self.pause.leave()

    async def _decided(self, decided: StepDecided) -> None:
        try:
            await self._context.keep_event(decided)
        except RunTaken as taken:
            self._taken = taken
        except Exception as error:  # noqa: BLE001 - such as a full disk
            self.schedule.attempts.failed(decided.path, error)
        else:
            self.schedule.attempts.decided(decided)

    async def _give_up(self, action: GiveUp) -> None:
        friends = self.revocable()
        below = (each for each, path in self.in_flight.items() if path in action.paths)
        await self._context.stop({each: friends[each] for each in below})
        await self._cancel(action.paths)
        self.schedule.given_up(action.path)
        self._wake.set()

    async def _withdraw(self, action: Withdraw) -> None:
        over, why = False, ""
        try:
            stopped = await self._context.stop_soon(action.task, action.terminate)
            why = words_of(stopped)
            over = stopped.taken_out or (
                action.awaited and await self._context.seen_to_be_over(action.task)
            )
        except KimeraError as error:
            why = str(error).rstrip(".")
        finally:
            if action.awaited:
                task_id = action.task.task_id
                self.schedule.attempts.withdrawn(action.path, task_id, over, why)
                self._wake.set()

    async def _stopped(
        self,
        phase: int,
        tasks: Mapping[str, str],
        terminate: bool = False,
        signal: str = "SIGTERM",
    ) -> StopReport:
        report = await self._context.stop(tasks, terminate, signal)
        self._context.emitter.emit(
            StopReported(
                at=self._context.emitter.now(),
                run_id=self.run_id,
                tasks=len(report.tasks),
                taken_out=len(report.taken_out),
                terminate=terminate,
                workers=tuple(each.worker for each in report.receipts if each.ok),
                why_not=tuple(report.why_not),
            )
        )
        if not await self._phase_ends(phase, STOP_SECONDS):
            await self._cancel(list(self._tasks))
            if self.schedule.phase == phase:
                self.schedule.abandon()
                self._wake.set()
        return report

    async def _phase_ends(self, phase: int, seconds: float) -> bool:
        """Whether a phase ends within so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                while self.schedule.phase == phase and self._finish is None:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def _cancel(self, paths: Iterable[str]) -> None:
        """Stop waiting for steps; published tasks keep running remotely."""
        tasks = [task for path in paths if (task := self._tasks.get(path)) is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Pause:
    """Holds back attempts, and waits for those already let through."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._inside = 0

    async def enter(self) -> None:
        """Wait until attempts are let through; return at once if they are."""
        while not self._open.is_set():
            await self._open.wait()
        self._inside += 1
        self._empty.clear()

    def leave(self) -> None:
        """Report that an attempt has ended."""
        self._inside -= 1
        if not self._inside:
            self._empty.set()

    async def begin(self) -> None:
        """Let no more attempts through; return once those under way have ended."""
        self._open.clear()
        await self._empty.wait()

    def end(self) -> None:
        """Let attempts through again, including those held back."""
        self._open.set()
