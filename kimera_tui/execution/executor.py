"""One run's way through its plan: what is next, what came of it, what is left out."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kimera_tui.documents.conditions import holds, say
from kimera_tui.documents.document import Condition
from kimera_tui.documents.references import TemplateError
from kimera_tui.errors import KimeraError, RunTaken
from kimera_tui.execution.completion import RunStopped, RunTimedOut
from kimera_tui.execution.detach.handover import Handover
from kimera_tui.execution.parallel import Branches
from kimera_tui.execution.pause_gate import Gate
from kimera_tui.execution.revoking import revoke_all
from kimera_tui.execution.run_context import Hands
from kimera_tui.execution.skip import Skipper
from kimera_tui.execution.step_executor import Stepper
from kimera_tui.execution.template_scope import NOTHING, Scope
from kimera_tui.process.engine import Receipt
from kimera_tui.runs.plan import Node
from kimera_tui.runs.recovery import Past, Verdict
from kimera_tui.runs.status import Status
from kimera_tui.values.durations import duration_text

STOP_SECONDS = 3.0
"""How long a stopped run waits for its revoked tasks to end."""


@dataclass(slots=True)
class Walk:
    """Walks one run's tree; what the past knows is neither asked nor sent again."""

    run_id: str
    plan: Node
    hands: Hands
    past: Past | None = None
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    scope: Scope = field(default_factory=Scope)
    timeout: float | None = None
    """Seconds for all but the steps of ``finally``."""
    started: float = 0.0
    """Seconds since the epoch."""
    cancelled: bool = False
    """Whether somebody cancelled the run: then nothing more is sent."""
    _steps: Stepper = field(init=False)
    _phase: asyncio.Future[Any] | None = None
    _skips: Skipper = field(init=False)

    def __post_init__(self) -> None:
        self._steps = Stepper(self.run_id, self.hands, self.scope, self.past, self.verdicts)
        self._skips = Skipper(self.run_id, self.hands.emitter, self._has_ended)

    @property
    def in_flight(self) -> dict[str, str]:
        """Path of each task that was handed to the broker and has not ended, by its id."""
        return self._steps.in_flight

    @property
    def decisions(self) -> dict[str, asyncio.Future[Any]]:
        """What is awaited from the operator, by path."""
        return self._steps.decisions

    def revocable(self) -> list[str]:
        """Ids of the tasks in flight, and of those that the workers would send after them."""
        ahead = [
            task.task_id
            for path, task in (self.plan.leaves() if self.handover is not None else ())
            if path not in self._skips.settled and not self._has_ended(path)
        ]
        return [*self.in_flight, *ahead]

    @property
    def gate(self) -> Gate:
        """What every step goes through before it is sent."""
        return self._steps.gate

    @property
    def handover(self) -> Handover | None:
        """How the workers were handed the run, or are about to be."""
        return self._steps.handover

    def hand_over(self, handover: Handover, behind: Iterable[str]) -> None:
        """Have the workers go on with what has not ended, before the walk begins.

        From then on no time-out holds: a worker knows of none.

        Args:
            handover: What is published for that.
            behind: Paths of the steps that the workers send.
        """
        self.timeout, self._steps.handover = None, handover
        self.verdicts = {**dict.fromkeys(behind, Verdict("adopt")), **self.verdicts}
        self._steps.verdicts = self.verdicts

    def check_done(self, path: str) -> None:
        """Raise UsageError if a step can't be treated as done, since it is for workers to run."""
        if self.handover is not None:
            self.handover.check_done(path)

    def leave(self) -> None:
        """Give the walk up where it stands, so that another one goes on: as if stopped."""
        if self._phase is not None:
            self._phase.cancel()

    async def go(self) -> Any:
        """Walk to the end; returns the run's result, or raises what ended it.

        The steps of ``finally`` are run however the others ended, unless the run is another
        console's or is only left.
        """
        try:
            try:
                result = await self._in_time()
            except RunTaken:
                raise
            except Exception:
                await self._finally()  # what goes wrong there tells of itself
                raise
            if (failed := await self._finally()) is not None:
                raise failed
            return result
        finally:
            self._steps.close()

    def stop(
        self, terminate: bool = False, signal: str = "SIGTERM"
    ) -> Coroutine[Any, Any, list[Receipt]]:
        """Send nothing more from now on, and revoke what is in flight.

        During the steps of ``finally`` it stops these.

        Returns:
            Is to be awaited: revokes, waits for an end, and returns who acknowledged.
        """
        self._steps.halt.set()
        return self._stopped(self._phase, self.revocable(), terminate, signal)

    async def _stopped(
        self, phase: asyncio.Future[Any] | None, ids: Sequence[str], terminate: bool, signal: str
    ) -> list[Receipt]:
        receipts = await revoke_all(self.hands.manager, ids, terminate, signal)
        if (phase := phase or self._phase) is not None:
            await asyncio.wait({phase}, timeout=STOP_SECONDS)
            if not phase.done():
                phase.cancel()
                await asyncio.wait({phase})
        return receipts

    def skip_rest(self, because: str) -> None:
        """Say of every step that hasn't been sent that it won't be."""
        self._skips.leave_out(self.plan, because, unreachable=True)

    async def _in_time(self) -> Any:
        left = None
        if self.timeout is not None and not self._is_over():
            left = max(0.0, self.started + self.timeout - self.hands.emitter.now())
        phase = self._begin(self._walk(self.plan, NOTHING))
        try:
            await asyncio.wait({phase}, timeout=left)
            said = f"the run did not end in {duration_text(self.timeout or 0)}"
            if not phase.done():
                await self.stop()
                self.skip_rest(said)
                raise RunTimedOut(f"{said.capitalize()}.")
            if self._was_out_of_time():
                raise RunTimedOut(f"{said.capitalize()}.")
        except asyncio.CancelledError:
            phase.cancel()
            await asyncio.wait({phase})
            raise
        if phase.cancelled():
            raise RunStopped
        return phase.result()

    def _begin(self, work: Any) -> asyncio.Future[Any]:
        self._phase = asyncio.ensure_future(work)
        # Whoever awaits it may have been cancelled meanwhile: its error is told as events.
        self._phase.add_done_callback(lambda done: done.cancelled() or done.exception())
        return self._phase

    async def _finally(self) -> Exception | None:
        """Run every one of the last steps; returns the first one's error, if any."""
        if not self.plan.finals:
            return None
        self._steps.halt.clear()
        failed: Exception | None = None
        before: Any = NOTHING
        for node in self.plan.finals:
            if self._steps.halt.is_set():
                break
            phase = self._begin(self._walk(node, before))
            try:
                await asyncio.wait({phase})
                before = NOTHING if phase.cancelled() else phase.result()
            except asyncio.CancelledError:
                phase.cancel()
                await asyncio.wait({phase})
                raise
            except RunTaken:
                raise
            except Exception as error:  # noqa: BLE001 - the next ones are run all the same
                failed, before = failed or error, NOTHING
        return failed

    async def _walk(self, node: Node, before: Any, error: Exception | None = None) -> Any:
        """Run a part of the tree; returns its result, null for one that isn't to run."""
        if not self._wanted(node, before, error):
            return None
        try:
            result = await self._run(node, before, error)
        except (RunTaken, RunStopped):
            raise
        except Exception as ended:
            self.scope.note(node.id, None, "failed")
            await self._handle(node, ended)
            if not node.rules.goes_on:
                raise
            return None
        self.scope.note(node.id, result, "done")
        for handler in node.handlers:
            self._skips.leave_out(handler, "nothing went wrong", not_needed=True)
        return result

    async def _run(self, node: Node, before: Any, error: Exception | None) -> Any:
        if node.kind == "task":
            if not self._was_under_way(node.path):
                self._steps.check(node.path)
            self._skips.settled.add(node.path)
            try:
                return await self._steps.go(node, before, error)
            except (RunStopped, asyncio.CancelledError):
                if node.path not in self._steps.begun:
                    self._skips.settled.discard(node.path)
                raise
        if node.kind == "para":
            branches = Branches(node, self._steps, self._skips)
            return await branches.go(lambda child: self._walk(child, before, error))
        return await self._in_turn(node.children, before, error)

    async def _in_turn(self, nodes: Sequence[Node], before: Any, error: Exception | None) -> Any:
        for position, child in enumerate(nodes):
            try:
                before = await self._walk(child, before, error)
            except RunTaken:
                raise
            except Exception as ended:
                self._skips.after(nodes[position + 1 :], child, ended)
                raise
        return before

    async def _handle(self, node: Node, ended: Exception) -> None:
        """Run the steps that are there for an error; their own errors are told as events."""
        try:
            await self._in_turn(node.handlers, NOTHING, ended)
        except RunTaken:
            raise
        except KimeraError:
            return

    def _wanted(self, node: Node, before: Any, error: Exception | None) -> bool:
        """Whether the condition of a part holds; if not, its steps are told as not needed."""
        if node.rules.when is None or self._was_begun(node):
            return True
        if self._all_not_needed(node):
            self._note_not_needed(node)
            return False
        condition = Condition.model_validate(node.rules.when)
        try:
            wanted = holds(condition, self.scope.at(before, error))
        except TemplateError as wrong:
            self._skips.leave_out(node, f"its condition can't be told: {wrong}")
            raise
        if not wanted:
            self._skips.leave_out(node, f"it runs only when {say(condition)}", not_needed=True)
            self._note_not_needed(node)
        return wanted

    def _note_not_needed(self, node: Node) -> None:
        for _, each in node.walk():
            self.scope.note(each.id, None, Status.NOT_NEEDED)

    def _was_begun(self, node: Node) -> bool:
        """Whether a part was begun by an earlier console, so that its condition held then.

        What is reused from another run was not: its condition is for this run to tell.
        """
        for path, _ in node.leaves():
            known = self._steps.known(path)
            if path in self.verdicts or (
                known is not None
                and known.status not in (Status.WAITING, Status.NOT_NEEDED)
                and known.source != "journal"
            ):
                return True
        return False

    def _all_not_needed(self, node: Node) -> bool:
        known = [self._steps.known(path) for path, _ in node.leaves()]
        return all(step is not None and step.status is Status.NOT_NEEDED for step in known)

    def _is_over(self) -> bool:
        """Whether all but the steps of ``finally`` ended before this walk."""
        return all(self._has_ended(path) for path in self._main_paths())

    def _was_out_of_time(self) -> bool:
        """Whether an earlier console stopped the run for its time, and came to ``finally``."""
        if self.timeout is None or not self._is_over():
            return False
        end = self.started + self.timeout
        known = [self._steps.known(path) for path in self._main_paths()]
        return any(
            step.status in (Status.REVOKED, Status.UNREACHABLE) and (step.ended_at or 0.0) >= end
            for step in known
            if step is not None
        )

    def _main_paths(self) -> list[str]:
        """All tasks but those of ``finally``."""
        finals = {path for node in self.plan.finals for path, _ in node.leaves()}
        return [path for path, _ in self.plan.leaves() if path not in finals]

    def _has_ended(self, path: str) -> bool:
        known = self._steps.known(path)
        return known is not None and known.status.ended

    def _was_under_way(self, path: str) -> bool:
        """Whether a step was sent by an earlier console: nothing is sent by going on with it."""
        verdict = self.verdicts.get(path)
        return self._has_ended(path) or (verdict is not None and verdict.what == "adopt")
