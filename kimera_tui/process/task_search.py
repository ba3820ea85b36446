"""Locates tasks that have not ended: in their queue, with workers, and once more after a pause."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from kimera_tui.errors import BrokerUnavailable
from kimera_tui.process.engine import Holders, Locator

LOOK_AGAIN = 2.0
"""Seconds between two looks: a message leaves its queue before its taker is recorded."""


@dataclass(frozen=True, slots=True)
class InQueue:
    """Waiting in a queue."""

    queue: str
    ahead: int
    """How many messages come first."""


@dataclass(frozen=True, slots=True)
class WithWorker:
    """Held by a worker."""

    worker: str
    runs: bool
    """Whether it is running rather than reserved."""


@dataclass(frozen=True, slots=True)
class Held:
    """Taken by a worker, but held by none that answered."""

    back_at: float
    """When it is redelivered, in seconds since the epoch."""
    gone: bool
    """Whether all workers answered, so that the taker must be gone."""


Place = InQueue | WithWorker | Held


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """The result of a search."""

    places: Mapping[str, Place] = field(default_factory=dict)
    """The place of each task found."""
    ended: AbstractSet[str] = frozenset()
    """Tasks whose result arrived meanwhile."""
    doubt: str = ""
    """Why the others may still exist; empty if they do not."""


Ended = Callable[[Sequence[str]], Awaitable[AbstractSet[str]]]
"""Returns which of some tasks have a result."""


async def search(
    locator: Locator,
    ended: Ended,
    queues: Collection[str],
    task_ids: Sequence[str],
    look_again: float = LOOK_AGAIN,
) -> Whereabouts:
    """Look for tasks; twice for those not found at once.

    A broker that becomes unavailable is a doubt, not an error.

    Args:
        locator: Searches the broker and asks the workers.
        ended: Called after each look, for tasks that ended meanwhile.
        queues: Queues the tasks may have been sent to.
        task_ids: Ids of the tasks.
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
    """The places of tasks, and the reason why others may have been missed.

    Looks in the order of a task's life, so that a task that moves is met at its next place.
    """
    places: dict[str, Place] = {}
    taken, too_long = list(task_ids), ""
    for queue in queues:
        queued = await locator.queued(queue, taken)
        places |= {task_id: InQueue(queue, ahead) for task_id, ahead in queued.ahead.items()}
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
        return f"queue {too_long} is too long to search"
    if not holders.answered:
        return "no worker answered"
    if (silent := holders.expected - holders.answered) > 0:
        return f"{silent} of {holders.expected} workers did not answer"
    return ""
