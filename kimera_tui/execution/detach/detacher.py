"""Detach runs: hand over a new run or the rest of one, and resume a detached one."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial

from kimera_tui.errors import KimeraError, UsageError
from kimera_tui.execution.detach.blockers import Blocker, Ground, find_blockers
from kimera_tui.execution.detach.canvas import Root, compiled, root_paths
from kimera_tui.execution.detach.handover import CannotDetach, Handover
from kimera_tui.execution.detach.remaining import Known, Rest, rest_of
from kimera_tui.execution.executor import Executor
from kimera_tui.execution.unknown_results import name_of
from kimera_tui.process.adoption import Traces
from kimera_tui.process.task_manager import TaskManager
from kimera_tui.runs.events import RunDetached
from kimera_tui.runs.journal.journal import Journal
from kimera_tui.runs.plan import Node
from kimera_tui.runs.recovery import Past, traces_of
from kimera_tui.runs.status import Status
from kimera_tui.runs.step import StepState


def nothing_known(path: str) -> StepState | None:
    """The state of any step of a new run: None."""
    return None


async def detach_blockers(
    plan: Node, manager: TaskManager, known: Known = nothing_known
) -> Sequence[Blocker]:
    """What blocks detaching the rest of a plan with this broker.

    Raises:
        KimeraError: the broker cannot be used.
    """
    blockers = find_blockers(plan, Ground(manager.friends, await manager.chords.supported()), known)
    return blockers or await _unseen(rest_of(plan, known), manager.adoption.traces)


async def hand_over(executor: Executor, manager: TaskManager) -> Handover:
    """Hand a whole run to the workers before its executor begins.

    Raises:
        CannotDetach: the workers cannot do everything in it.
        UsageError: nothing is left, or an argument cannot be filled in.
        BrokerUnavailable: the broker cannot be reached.
    """
    handover, downstream = await _prepared(executor, manager, nothing_known)
    executor.hand_over(handover, downstream)
    return handover


async def hand_over_rest(
    executor: Executor,
    journal: Journal,
    manager: TaskManager,
    is_active: Callable[[], bool],
    announce: Callable[[Handover], Awaitable[None]],
) -> Handover:
    """Hand the unsent steps of an active run to the workers, once nothing is in flight.

    Args:
        executor: Sends nothing in the meantime; if this fails, it continues as before.
        journal: The journal of the run.
        manager: Publishes and watches.
        is_active: Returns whether the run is still active.
        announce: Records the handover before anything is published.

    Raises:
        CannotDetach: the workers cannot do everything that is left.
        UsageError: nothing is left, an argument cannot be filled in, or the run was cancelled or
            ended in the meantime.
        KimeraError: the broker or the journal cannot be used.
    """

    async def past() -> Past:
        return await asyncio.to_thread(Past.of, await journal.events_of(executor.run_id))

    if blockers := await detach_blockers(executor.plan, manager, as_if_ended(await past())):
        raise CannotDetach(blockers)
    try:
        await executor.pause.begin()
        known = await past()
        if not executor.cancelled:
            handover, downstream = await _prepared(executor, manager, known.run.steps.get)
        if executor.cancelled or not is_active():
            raise UsageError("The run was cancelled, or ended in the meantime.")
        await announce(handover)
        executor.hand_over(handover, downstream)
        return handover
    finally:
        executor.pause.end()


async def _prepared(
    executor: Executor, manager: TaskManager, known: Known
) -> tuple[Handover, Sequence[str]]:
    """The handover of the rest of a run, and the paths of the steps that the workers send."""
    if blockers := await detach_blockers(executor.plan, manager, known):
        raise CannotDetach(blockers)
    rest = rest_of(executor.plan, known)
    if not rest.items:
        raise UsageError("Every step has been sent: nothing is left to hand over.")
    roots = compiled(rest, manager.friends, executor.scope, executor.run_id)
    handover = Handover(root_paths(rest), lambda: roots, manager.chords, fresh=True)
    return handover, _downstream(rest, handover)


async def resume_detached(
    executor: Executor, events: Sequence[object], manager: TaskManager
) -> None:
    """Resume watching a detached run.

    Root messages that were never published are published now, unchanged.

    Args:
        executor: The executor, not yet started.
        events: All events of the run.
        manager: Publishes and watches.
    """
    at, detached = next(
        (n, event) for n, event in enumerate(events) if isinstance(event, RunDetached)
    )
    rest = rest_of(executor.plan, Past.of(events[:at]).run.steps.get)

    def compile_roots() -> dict[str, Root]:
        return compiled(rest, manager.friends, executor.scope, executor.run_id)

    handover = Handover(detached.paths, compile_roots, manager.chords, fresh=False)
    executor.hand_over(handover, _downstream(rest, handover))
    with contextlib.suppress(KimeraError):  # such as an unknown friend: its step reports it
        await _unseen(rest, partial(traces_of, manager))


def as_if_ended(past: Past) -> Known:
    """The states of a run's steps once everything in flight has succeeded."""

    def known(path: str) -> StepState | None:
        step = past.run.steps.get(path)
        if step is None or step.sent_at is None or step.status.ended:
            return step
        return replace(step, status=Status.DONE)

    return known


def _downstream(rest: Rest, handover: Handover) -> list[str]:
    return [call.node.path for call in rest.calls() if call.node.path not in handover.paths]


async def _unseen(
    rest: Rest, ask: Callable[[str, Sequence[str]], Awaitable[Traces]]
) -> list[Blocker]:
    """Start watching the tasks that workers will send; return those that cannot be watched."""
    by_friend: defaultdict[str, dict[str, Node]] = defaultdict(dict)
    for call in rest.calls():
        if (task := call.node.task) is not None:
            by_friend[task.friend][task.task_id] = call.node
    unseen: list[Blocker] = []
    for friend, nodes in by_friend.items():
        blind = (await ask(friend, list(nodes))).blind
        unseen += [
            Blocker(node.path, node.id, f"{name_of(node)}: its result reaches only its sender")
            for task_id, node in nodes.items()
            if task_id in blind
        ]
    return unseen
