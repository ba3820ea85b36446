"""The runner: walks a workflow's tree with the TaskManager and says what comes of each step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from kimera_tui.config.friends import secret_params
from kimera_tui.errors import KimeraError, TaskRevoked
from kimera_tui.process.announcer import Announcer
from kimera_tui.process.clock import Clock, new_id
from kimera_tui.process.engine import Receipt
from kimera_tui.process.events import Noticed
from kimera_tui.process.feeding import feed
from kimera_tui.process.task_manager import TaskManager
from kimera_tui.process.task_params import TaskParams
from kimera_tui.runs.events import RunEnded, RunStarted, StepSkipped
from kimera_tui.runs.plan import Node, PlannedTask
from kimera_tui.workflows.document import Chain, Para, Step, Task, Workflow


class RunCancelled(KimeraError):
    """Somebody cancelled the run."""

    exit_code = 4

    def __init__(self) -> None:
        super().__init__("the run was cancelled")


Findings = Callable[[str, str], Sequence[str]]
"""What stands against a friend's task, as far as is known now, in sentences."""


class Runner:
    """Launches workflows as runs, each in a background task of the running loop."""

    def __init__(
        self,
        manager: TaskManager,
        clock: Clock,
        new_id: Callable[[], str] = new_id,
        findings: Findings = lambda friend, task_name: [],
    ) -> None:
        self._findings = findings
        self._manager = manager
        self._announcer = Announcer(manager.events, clock)
        self._new_id = new_id
        self._runs: dict[str, asyncio.Task[Any]] = {}
        self._open: dict[str, set[str]] = {}
        self._cancelled: set[str] = set()

    def start(self, workflow: Workflow) -> str:
        """Start a run; returns its id. Every step is announced before anything is sent."""
        run_id = self._new_id()
        plan = plan_of(workflow.root, self._new_id, self._secret)
        self._announcer.tell(
            RunStarted(at=self._announcer.now(), run_id=run_id, name=workflow.name, plan=plan)
        )
        task = asyncio.get_running_loop().create_task(self._run(run_id, plan), name=run_id)
        self._runs[run_id] = task
        task.add_done_callback(lambda ended: self._ended(run_id, ended))
        return run_id

    def _secret(self, params: TaskParams) -> frozenset[str]:
        return secret_params(self._manager.friends.get(params.friend, {}), params.task_name)

    async def result(self, run_id: str) -> Any:
        """Wait for a run of this runner and return its result, or raise what ended it."""
        return await self._runs[run_id]

    async def cancel(self, run_id: str) -> list[Receipt]:
        """Send nothing more of a run and revoke what is in flight; that is watched to its end.

        Returns:
            Which workers acknowledged; empty when none answered.
        """
        self._cancelled.add(run_id)
        acts = [self._manager.revoke(task_id) for task_id in self._open.get(run_id, ())]
        return [receipt for receipts in await asyncio.gather(*acts) for receipt in receipts]

    async def stop(self) -> None:
        """Stop waiting for all runs; what was sent goes on remotely."""
        tasks = [task for task in self._runs.values() if not task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, run_id: str, task: asyncio.Task[Any]) -> None:
        if not task.cancelled():
            task.exception()  # told as events; ``result`` raises it for those who ask
        self._open.pop(run_id, None)
        self._cancelled.discard(run_id)
        # Whoever awaits ``result`` holds the task; the runner doesn't hold ended ones for ever.
        asyncio.get_running_loop().call_later(60, self._runs.pop, run_id, None)

    async def _run(self, run_id: str, plan: Node) -> Any:
        error = ""
        try:
            return await self._walk(run_id, plan, None)
        except Exception as raised:
            error = str(raised)
            raise
        except asyncio.CancelledError:
            error = "stopped"
            raise
        finally:
            self._announcer.tell(RunEnded(at=self._announcer.now(), run_id=run_id, error=error))

    async def _walk(self, run_id: str, node: Node, before: Any) -> Any:
        if node.task is not None:
            return await self._call(run_id, node, node.task, before)
        if node.kind == "para":
            return await self._all_at_once(run_id, node, before)
        result = before
        for position, child in enumerate(node.children):
            try:
                result = await self._walk(run_id, child, result)
            except Exception as error:
                because, revoked = _reason(child, error)
                self._skip(run_id, node.children[position + 1 :], because, unreachable=revoked)
                raise
        return result

    async def _call(self, run_id: str, node: Node, task: PlannedTask, before: Any) -> Any:
        if run_id in self._cancelled:
            self._skip(run_id, [node], "the run was cancelled")
            raise RunCancelled
        args, kwargs = feed(task.args, task.kwargs, before)
        arrived: list[Any] = []

        async def hand_on(result: Any) -> None:
            arrived.append(result)

        hand_on.__qualname__ = "hand on the result"
        handle = await self._manager.send_async(
            task.task_name,
            task.friend,
            args,
            kwargs,
            hand_on,
            task_id=task.task_id,
            timeout=task.timeout,
        )
        for text in self._findings(task.friend, task.task_name):
            self._announcer.tell(Noticed(at=self._announcer.now(), task_id=task.task_id, text=text))
        sent = self._open.setdefault(run_id, set())
        sent.add(task.task_id)
        try:
            await handle
        finally:
            sent.discard(task.task_id)
        return arrived[0]

    async def _all_at_once(self, run_id: str, node: Node, before: Any) -> list[Any]:
        branches = [
            asyncio.ensure_future(self._walk(run_id, each, before)) for each in node.children
        ]
        try:
            results = await asyncio.gather(*branches, return_exceptions=True)
        finally:
            for branch in branches:
                branch.cancel()
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return results

    def _skip(
        self, run_id: str, nodes: Sequence[Node], because: str, *, unreachable: bool = False
    ) -> None:
        for node in nodes:
            for path, _ in node.leaves():
                self._announcer.tell(
                    StepSkipped(
                        at=self._announcer.now(),
                        run_id=run_id,
                        path=path,
                        because=because,
                        unreachable=unreachable,
                    )
                )


def _reason(failed: Node, error: Exception) -> tuple[str, bool]:
    """Why the steps behind one that ended badly are never sent, and whether it was revoked."""
    name = failed.task.task_name if failed.task is not None else failed.kind
    if isinstance(error, RunCancelled):
        return error.message, False
    if isinstance(error, TaskRevoked):
        return f"{name} was revoked", True
    return f"upstream {name} failed", False


def plan_of(
    step: Step,
    new_id: Callable[[], str],
    secret: Callable[[TaskParams], frozenset[str]] = lambda _: frozenset(),
    path: str = "",
) -> Node:
    """The run's tree for a workflow's, with an id for each task.

    Args:
        step: The root of the workflow's tree, or of a part of it.
        new_id: Makes the tasks' ids.
        secret: Tells which of a call's named arguments are secret.
        path: Where the part stands in the whole.
    """
    match step:
        case Task():
            return Node("task", path, task=_planned(step.params, new_id(), secret(step.params)))
        case Chain() | Para():
            children = tuple(
                plan_of(child, new_id, secret, f"{path}/{position}" if path else str(position))
                for position, child in enumerate(step.steps)
            )
            return Node("chain" if isinstance(step, Chain) else "para", path, children)


def _planned(params: TaskParams, task_id: str, secret: frozenset[str]) -> PlannedTask:
    return PlannedTask(
        task_id,
        params.friend,
        params.task_name,
        tuple(params.args),
        dict(params.kwargs),
        params.timeout,
        secret,
    )
