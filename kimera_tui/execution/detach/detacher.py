"""Hands runs over to the workers: a new one, the rest of one, and one that was handed over."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial

from kimera_tui.errors import KimeraError, UsageError
from kimera_tui.execution.detach.blockers import Ground, Stop, name_of, stops
from kimera_tui.execution.detach.canvas import Root, compiled, root_paths
from kimera_tui.execution.detach.handover import CannotDetach, Handover
from kimera_tui.execution.detach.remaining import Known, Rest, rest_of
from kimera_tui.execution.executor import Executor
from kimera_tui.process.adoption import Traces
from kimera_tui.process.task_manager import TaskManager
from kimera_tui.runs.events import RunDetached
from kimera_tui.runs.journal.journal import Journal
from kimera_tui.runs.plan import Node
from kimera_tui.runs.recovery import Past, traces_of
from kimera_tui.runs.state import StepState
from kimera_tui.runs.status import Status


def nothing_known(path: str) -> StepState | None:
    """What is known of the steps of a new run."""
    return None


async def stops_of(
    plan: Node, manager: TaskManager, known: Known = nothing_known
) -> Sequence[Stop]:
    """What keeps the rest of a plan from being handed over, with this broker.

    Raises:
        KimeraError: the broker can't be used.
    """
    found = stops(plan, Ground(manager.friends, await manager.chords.supported()), known)
    return found or await _unseen(rest_of(plan, known), manager.adoption.traces)


async def hand_over(executor: Executor, manager: TaskManager) -> Handover:
    """Have an executor that has not begun hand the whole run to the workers.

    Raises:
        CannotDetach: something keeps it from that.
        UsageError: nothing is left, or an argument can't be filled in.
        BrokerUnavailable: the broker can't be asked now.
    """
    handover, behind = await _prepared(executor, manager, nothing_known)
    executor.hand_over(handover, behind)
    return handover


async def hand_over_rest(
    executor: Executor,
    journal: Journal,
    manager: TaskManager,
    is_active: Callable[[], bool],
    announce: Callable[[Handover], Awaitable[None]],
) -> Handover:
    """Hand what has not been sent of an active run to the workers, once nothing is in flight.

    Args:
        executor: It sends nothing more meanwhile; if this fails, it continues as before.
        journal: Where its run is.
        manager: Publishes and watches.
        is_active: Whether the run has not ended.
        announce: Writes the handover down, before anything is published.

    Raises:
        CannotDetach: the workers can't do all that is left.
        UsageError: nothing is left, an argument can't be filled in, or the run was cancelled or
            ended meanwhile.
        KimeraError: the broker or the journal can't be asked now.
    """

    async def past() -> Past:
        return await asyncio.to_thread(Past.of, await journal.events_of(executor.run_id))

    if found := await stops_of(executor.plan, manager, as_if_ended(await past())):
        raise CannotDetach(found)
    try:
        await executor.pause.begin()
        known = await past()
        if not executor.cancelled:
            handover, behind = await _prepared(executor, manager, known.run.steps.get)
        if executor.cancelled or not is_active():
            raise UsageError("It was cancelled, or ended meanwhile.")
        await announce(handover)
        executor.hand_over(handover, behind)
        return handover
    finally:
        executor.pause.end()


async def _prepared(
    executor: Executor, manager: TaskManager, known: Known
) -> tuple[Handover, Sequence[str]]:
    """What is published for the rest of a run, and the paths that the workers send after it."""
    if found := await stops_of(executor.plan, manager, known):
        raise CannotDetach(found)
    rest = rest_of(executor.plan, known)
    if not rest.items:
        raise UsageError("Every step has been sent: nothing is left for the workers to go on with.")
    roots = compiled(rest, manager.friends, executor.scope, executor.run_id)
    handover = Handover(root_paths(rest), lambda: roots, manager.chords, fresh=True)
    return handover, _behind(rest, handover)


async def resume_detached(
    executor: Executor, events: Sequence[object], manager: TaskManager
) -> None:
    """Have an executor continue a run that has been handed over: it watches, and no more.

    What was to be published and wasn't is published, as it was to be.

    Args:
        executor: One that has not begun.
        events: All that happened to the run.
        manager: Publishes and watches.
    """
    at, detached = next(
        (n, event) for n, event in enumerate(events) if isinstance(event, RunDetached)
    )
    rest = rest_of(executor.plan, Past.of(events[:at]).run.steps.get)

    def compile_roots() -> dict[str, Root]:
        return compiled(rest, manager.friends, executor.scope, executor.run_id)

    handover = Handover(detached.paths, compile_roots, manager.chords, fresh=False)
    executor.hand_over(handover, _behind(rest, handover))
    with contextlib.suppress(KimeraError):  # such as a friend no more configured: its step tells
        await _unseen(rest, partial(traces_of, manager))


def as_if_ended(past: Past) -> Known:
    """What will be known once all that is in flight has ended well."""

    def known(path: str) -> StepState | None:
        step = past.run.steps.get(path)
        if step is None or step.sent_at is None or step.status.ended:
            return step
        return replace(step, status=Status.DONE)

    return known


def _behind(rest: Rest, handover: Handover) -> list[str]:
    return [call.node.path for call in rest.calls() if call.node.path not in handover.paths]


async def _unseen(rest: Rest, ask: Callable[[str, Sequence[str]], Awaitable[Traces]]) -> list[Stop]:
    """See to it that tasks can be watched which workers send; returns what can't be."""
    by_friend: defaultdict[str, dict[str, Node]] = defaultdict(dict)
    for call in rest.calls():
        if (task := call.node.task) is not None:
            by_friend[task.friend][task.task_id] = call.node
    unseen: list[Stop] = []
    for friend, nodes in by_friend.items():
        blind = (await ask(friend, list(nodes))).blind
        unseen += [
            Stop(node.path, node.id, f"{name_of(node)}: its result reaches only who sends it")
            for task_id, node in nodes.items()
            if task_id in blind
        ]
    return unseen
