"""Asks workers questions by remote control, and turns their answers into facts as they arrive."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, Literal

from kimera_tui.cluster.facts import Fact, Phase, TaskHeld, WorkerAnswered
from kimera_tui.process.control import ControlThread, within
from kimera_tui.process.loop.clock import Clock

ANSWER_SECONDS = 1.0
"""How long workers may take to answer."""

Question = Literal["ping", "active_queues", "registered", "stats", "query_task", "scheduled"]
"""Named as Celery's remote control names it."""
_PHASES: Final[Mapping[str, Phase]] = {
    "active": "running",
    "reserved": "reserved",
    "ready": "reserved",
    "scheduled": "scheduled",
}


class Questions:
    """Asks the workers of one Celery app, one question after the other on its own thread.

    Args:
        app: The Celery app.
        clock: Tells when answers arrive.
        on_facts: Called on the loop with each answer.
        name: The thread's name.
    """

    def __init__(
        self,
        app: Any,
        clock: Clock,
        on_facts: Callable[[Sequence[Fact]], None],
        name: str = "kimera-questions",
    ) -> None:
        self._clock = clock
        self._on_facts = on_facts
        self._control = ControlThread(app, name)

    async def ask(
        self,
        question: Question,
        workers: Collection[str] | None,
        task_ids: Sequence[str] = (),
        seconds: float = ANSWER_SECONDS,
    ) -> set[str]:
        """Ask workers, and return those that answered.

        Args:
            question: What to ask.
            workers: The workers to ask; None for all that listen, which takes the whole time.
            task_ids: The tasks that ``query_task`` asks about, and that are looked for among those
                that are ``scheduled``.
            seconds: How long they may take.

        Raises:
            Exception: the broker can't be used.
        """
        loop = asyncio.get_running_loop()
        answered: set[str] = set()
        wanted, asked_at = frozenset(task_ids), self._clock.now()

        def arrived(reply: object) -> None:
            answers = list(answers_in(reply))
            answered.update(worker for worker, _ in answers)
            at = self._clock.now()
            facts = [
                fact
                for worker, said in answers
                for fact in _facts(question, worker, said, at, wanted, asked_at)
            ]
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._on_facts, facts)

        def broadcast(control: Any, connection: Any) -> None:
            send = partial(
                control.broadcast,
                question,
                arguments={"ids": list(task_ids)} if question == "query_task" else {},
                destination=None if workers is None else sorted(workers),
                limit=None if workers is None else len(workers),
                connection=connection,
            )
            within(seconds, arrived, send)

        await self._control.call(broadcast)
        return answered

    def close(self) -> None:
        """Let the thread end; never waits."""
        self._control.close()


def answers_in(reply: object) -> Iterator[tuple[str, Any]]:
    """The workers in one reply with what each said, without those that said an error."""
    if isinstance(reply, Mapping):
        for worker, said in reply.items():
            if not (isinstance(said, Mapping) and "error" in said):
                yield str(worker), said


def _facts(
    question: Question,
    worker: str,
    said: Any,
    at: float,
    wanted: Collection[str],
    asked_at: float,
) -> Iterator[Fact]:
    """What an answer says; one of an unexpected shape still shows that the worker is there."""
    match question:
        case "active_queues" if _is_list_of(said, Mapping):
            queues = frozenset(str(queue["name"]) for queue in said if "name" in queue)
            yield WorkerAnswered(at=at, worker=worker, queues=queues)
        case "registered" if _is_list_of(said, str):
            yield WorkerAnswered(
                at=at,
                worker=worker,
                registered=frozenset(name.split(" [", 1)[0] for name in said),
                limited=frozenset(name.split(" [", 1)[0] for name in said if _LIMIT.search(name)),
            )
        case "stats" if isinstance(said, Mapping):
            yield _stats(worker, said, at, asked_at)
        case _:
            yield WorkerAnswered(at=at, worker=worker)
            if question == "query_task" and isinstance(said, Mapping):
                yield from _held(worker, said, at)
            elif question == "scheduled" and _is_list_of(said, Mapping):
                yield from _scheduled(worker, said, at, wanted)


def _held(worker: str, said: Mapping[str, Any], at: float) -> Iterator[TaskHeld]:
    for task_id, found in said.items():
        if isinstance(found, list | tuple) and len(found) == 2 and found[0] in _PHASES:
            info = found[1] if isinstance(found[1], Mapping) else {}
            yield TaskHeld(
                at=at,
                task_id=str(task_id),
                worker=worker,
                phase=_PHASES[found[0]],
                acknowledged=info.get("acknowledged") is True,
            )


def _scheduled(
    worker: str, said: Sequence[Mapping[str, Any]], at: float, wanted: Collection[str]
) -> Iterator[TaskHeld]:
    """The wanted tasks among all that a worker holds until their ETA."""
    for entry in said:
        request = entry.get("request")
        task_id = request.get("id") if isinstance(request, Mapping) else None
        if isinstance(task_id, str) and task_id in wanted:
            yield TaskHeld(at=at, task_id=task_id, worker=worker, phase="scheduled")


def _stats(worker: str, said: Mapping[str, Any], at: float, asked_at: float) -> WorkerAnswered:
    pool, pid = said.get("pool"), said.get("pid")
    pool = pool if isinstance(pool, Mapping) else {}
    kind = str(pool.get("implementation", "")).rpartition(":")[0].rpartition(".")[2]
    up = said.get("uptime")
    slots, processes = pool.get("max-concurrency"), pool.get("processes")
    return WorkerAnswered(
        at=at,
        worker=worker,
        pool=_POOLS.get(kind, kind),
        slots=slots if isinstance(slots, int) else None,
        processes=len(processes) if isinstance(processes, list) else None,
        pid=pid if isinstance(pid, int) else None,
        # Uptime is told in whole seconds, and was less when the worker was asked.
        began=asked_at - up - 1 if isinstance(up, int | float) else None,
    )


_LIMIT: Final = re.compile(r" \[.*\brate_limit=(?!0\b|None\b)")
"""Celery shows a task's rate limit behind its name; 0 and None stand for none."""
_POOLS: Final = {"thread": "threads"}


def _is_list_of(value: object, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(each, kind) for each in value)
