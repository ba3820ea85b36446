"""Where tasks are that have not ended: looked for in their queue, among workers, and once more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from kimera_tui.errors import BrokerUnavailable
from kimera_tui.process.engine import Holders, Locator

LOOK_AGAIN = 2.0
"""Seconds between two looks: a message leaves its queue before it is noted who took it."""


@dataclass(frozen=True, slots=True)
class InQueue:
    """Nobody has taken it yet."""

    queue: str
    before: int
    """How many messages are taken before it."""


@dataclass(frozen=True, slots=True)
class WithWorker:
    """A worker has it."""

    worker: str
    runs: bool
    """Whether it runs now rather than being kept for later."""


@dataclass(frozen=True, slots=True)
class Held:
    """A worker took it, and none that answered has it."""

    back_at: float
    """When it is queued again, in seconds since the epoch."""
    gone: bool
    """Whether all workers answered, so that the one that took it is there no more."""


Place = InQueue | WithWorker | Held


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What a search found."""

    places: Mapping[str, Place] = field(default_factory=dict)
    """Where each task is that was found."""
    ended: AbstractSet[str] = frozenset()
    """Those whose result came meanwhile."""
    doubt: str = ""
    """Why the others may be somewhere all the same; empty when they are nowhere."""


Ended = Callable[[Sequence[str]], Awaitable[AbstractSet[str]]]
"""Which of some tasks have a result."""


async def search(
    locator: Locator,
    ended: Ended,
    queues: Collection[str],
    task_ids: Sequence[str],
    look_again: float = LOOK_AGAIN,
) -> Whereabouts:
    """Look for tasks; twice for those that seem to be nowhere.

    A broker that goes away meanwhile is a doubt, not an error.

    Args:
        locator: Looks at the broker and asks the workers.
        ended: Asked after each look, for what has moved on while it lasted.
        queues: Where the tasks may have been sent to.
        task_ids: Their ids.
        look_again: Seconds between the two looks.
    """
    places: dict[str, Place] = {}
    done: set[str] = set()
    left, doubt = list(task_ids), ""
    try:
        for pause in (0.0, look_again):
            await asyncio.sleep(pause)
            found, doubt = await _look(locator, queues, left)
            places |= found
            left = [task_id for task_id in left if task_id not in found]
            if left:
                done |= await ended(left)
                left = [task_id for task_id in left if task_id not in done]
            if doubt or not left:
                break
    except BrokerUnavailable as error:
        doubt = error.message.rstrip(".")
    return Whereabouts(places, done, doubt)


async def _look(
    locator: Locator, queues: Collection[str], task_ids: Collection[str]
) -> tuple[dict[str, Place], str]:
    """Where tasks are, and what may have hidden the others.

    In the order that a task goes through, so that one which moves on is met further along.
    """
    places: dict[str, Place] = {}
    taken, too_long = list(task_ids), ""
    for queue in queues:
        queued = await locator.queued(queue, taken)
        places |= {task_id: InQueue(queue, before) for task_id, before in queued.before.items()}
        taken = [task_id for task_id in taken if task_id not in places]
        too_long = too_long if queued.complete else queue
        if not taken:
            return places, ""
    held, holders = await locator.held(taken), await locator.workers(taken)
    gone = 0 < holders.expected <= holders.answered
    places |= {task_id: Held(back_at, gone) for task_id, back_at in held.items()}
    places |= {task_id: WithWorker(*holder) for task_id, holder in holders.by_task.items()}
    return places, _doubt(too_long, holders)


def _doubt(too_long: str, holders: Holders) -> str:
    if too_long:
        return f"queue {too_long} is too long to be looked through"
    if not holders.answered:
        return "no worker answered"
    if (silent := holders.expected - holders.answered) > 0:
        return f"{silent} of {holders.expected} workers did not answer"
    return ""
