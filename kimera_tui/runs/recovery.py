"""After a crash: what became of each step that was under way, and which runs go on."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from kimera_tui.errors import BrokerUnavailable, KimeraError, RunTaken, UsageError
from kimera_tui.process.adoption import Traces
from kimera_tui.process.task_manager import TaskManager
from kimera_tui.process.task_search import Held, InQueue, Place, Whereabouts, WithWorker
from kimera_tui.runs.events import StepIntended
from kimera_tui.runs.index import RunState, folded
from kimera_tui.runs.journal.journal import Journal
from kimera_tui.runs.journal.leases import OpenRun
from kimera_tui.runs.state import StepState

ASK_AGAIN = 1.0
"""Seconds between two tries to reach a broker that is away."""
RESULTS_KEPT = 86_400.0
"""Seconds for which results are kept, unless the workers are told otherwise."""


@dataclass(frozen=True, slots=True)
class Past:
    """What the journal tells of a run that goes on: its fold, and what was about to be sent."""

    run: RunState
    intents: Mapping[str, StepIntended] = field(default_factory=dict)

    @classmethod
    def of(cls, events: Sequence[object]) -> Past:
        """The past that these events of one run tell.

        Raises:
            UsageError: its beginning is not among them, or can't be read.
        """
        if (run := folded(events)) is None:
            raise UsageError("There is no such run, or its beginning can't be read.")
        intents = {event.path: event for event in events if isinstance(event, StepIntended)}
        return cls(run, intents)

    def under_way(self) -> list[tuple[StepState, StepIntended]]:
        """Steps that may have been sent and of which no end is known."""
        steps = self.run.steps
        return [
            (steps[path], intent)
            for path, intent in self.intents.items()
            if not steps[path].status.ended and intent.task_id == steps[path].task_id
        ]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done with a step that was under way."""

    what: Literal["adopt", "publish", "uncertain"]
    why: str = ""
    """What leaves it uncertain, or where the task is that is adopted, as far as is known."""


def judge(
    step: StepState,
    intent: StepIntended,
    traces: Traces,
    found: Whereabouts | None = None,
    now: float = 0.0,
) -> Verdict:
    """What became of a step, told from what broker, result backend and workers still know.

    Uncertain is only what none of them can tell.

    Args:
        step: The step.
        intent: What was to be sent.
        traces: What broker and backend know.
        found: What a search for the task found; None if nobody could search.
        now: Seconds since the epoch.
    """
    sent = step.sent_at is not None
    if step.task_id in traces.ended:
        return Verdict("adopt")
    if step.task_id in traces.blind:
        return Verdict("uncertain", "its result reaches only the console that sent it")
    if found is not None and step.task_id in found.ended:
        return Verdict("adopt")
    if found is not None and (place := found.places.get(step.task_id)):
        return Verdict("adopt", where(place, now))
    if traces.published is None:
        if sent:
            return Verdict("adopt")
        return Verdict(
            "uncertain",
            "the console ended while it sent this, and this broker can't tell whether it arrived",
        )
    if traces.published.get(step.task_id):
        return _published(found, now - intent.at)
    if traces.server != intent.server:
        return Verdict(
            "uncertain",
            "the broker was restarted and has no trace of it: it may be lost, or have run"
            if sent
            else "the broker was restarted since: nobody can say whether it was sent",
        )
    if sent:
        return Verdict("uncertain", "it was sent, and neither broker nor results know it any more")
    return Verdict("publish")


def where(place: Place, now: float) -> str:
    """Where a task is, in words."""
    match place:
        case InQueue(queue, 0):
            return f"in queue {queue}, the next to be taken"
        case InQueue(queue, before):
            return f"in queue {queue}, {before} before it"
        case WithWorker(worker, runs):
            return f"with worker {worker}" if runs else f"with worker {worker}, not begun yet"
        case Held(back_at, gone):
            holder = "that is gone" if gone else "that does not answer"
            back = time.strftime("by %H:%M", time.localtime(back_at))
            return f"held by a worker {holder}: back {back if back_at > now else 'any moment'}"


def _published(found: Whereabouts | None, age: float) -> Verdict:
    """On a task that reached the broker, has no result and was not found."""
    if found is None:
        return Verdict("adopt")
    if found.doubt:
        return Verdict("adopt", f"not found yet: {found.doubt}")
    if age > RESULTS_KEPT:
        why = "it was sent more than a day ago and is nowhere any more: its result has expired"
    else:
        why = "it is in no queue and with no worker: one lost it, or its task keeps no result"
    return Verdict("uncertain", why)


_Sent = Sequence[tuple[StepState, StepIntended]]


async def judge_all(past: Past, manager: TaskManager, now: float) -> dict[str, Verdict]:
    """A verdict on each step that was under way, by path; waits for a broker that is away."""
    by_friend: defaultdict[str, list[tuple[StepState, StepIntended]]] = defaultdict(list)
    for step, intent in past.under_way():
        by_friend[step.friend].append((step, intent))
    judged = await asyncio.gather(
        *(_judge_friend(manager, friend, steps, now) for friend, steps in by_friend.items())
    )
    return {path: verdict for verdicts in judged for path, verdict in verdicts.items()}


async def _judge_friend(
    manager: TaskManager, friend: str, steps: _Sent, now: float
) -> dict[str, Verdict]:
    try:
        traces = await traces_of(manager, friend, [step.task_id for step, _ in steps])
        sought = [step for step, _ in steps if _may_be_somewhere(step, traces)]
        found = await search_for(manager, friend, sought) if sought else None
    except KimeraError as error:  # such as a friend that is configured no more
        return {step.path: Verdict("uncertain", str(error)) for step, _ in steps}
    return {step.path: judge(step, intent, traces, found, now) for step, intent in steps}


async def search_for(
    manager: TaskManager, friend: str, sought: Sequence[StepState]
) -> Whereabouts | None:
    """Where a friend's tasks are; None where nobody can search."""
    queues = {step.queue for step in sought if step.queue}
    ids = [step.task_id for step in sought]
    return await manager.adoption.search(friend, ids, queues)


def _may_be_somewhere(step: StepState, traces: Traces) -> bool:
    """Whether a look for it can tell more than the traces; what was never published is nowhere."""
    sent = step.sent_at is not None or (traces.published or {}).get(step.task_id, False)
    return sent and step.task_id not in traces.ended | traces.blind


async def traces_of(manager: TaskManager, friend: str, task_ids: Sequence[str]) -> Traces:
    """What is still known of a friend's tasks; waits for a broker that is away."""
    while True:
        try:
            return await manager.adoption.traces(friend, task_ids)
        except BrokerUnavailable:
            await asyncio.sleep(ASK_AGAIN)


@dataclass(frozen=True, slots=True)
class Resumed:
    """A run that goes on."""

    run_id: str
    name: str
    watched: int = 0
    """How many tasks are watched again."""
    needs: Sequence[str] = ()
    """What its operator has to know or decide, in sentences."""


def resumed(past: Past, verdicts: Mapping[str, Verdict]) -> Resumed:
    """What is told of a run that goes on with these verdicts."""
    steps = past.run.steps
    return Resumed(
        past.run.run_id,
        past.run.name,
        sum(each.what == "adopt" for each in verdicts.values()),
        [
            f"{steps[path].name}: {each.why}."
            for path, each in verdicts.items()
            if each.what == "uncertain"
        ],
    )


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of the runs that were open when the console started."""

    adopted: Sequence[Resumed] = ()
    left: Sequence[tuple[str, str]] = ()
    """Runs that don't go on by themselves: run id, and why in a sentence."""
    elsewhere: Sequence[str] = ()
    """Runs that other consoles are at."""

    @property
    def sentence(self) -> str:
        """One line for people; empty when there was nothing to recover."""
        needy = [run for run in self.adopted if run.needs]
        total = len(self.adopted) + len(self.left)
        if not total:
            return ""
        what = "1 run was in flight" if total == 1 else f"{total} runs were in flight"
        parts = []
        if well := len(self.adopted) - len(needy):
            parts.append(f"{well} adopted")
        if need := len(needy) + len(self.left):
            parts.append(f"{need} {'needs' if need == 1 else 'need'} you")
        return f"{what}: {', '.join(parts)}."


async def recover(
    journal: Journal, resume: Callable[[str], Awaitable[Resumed]], profile: str
) -> Recovery:
    """Go on with every open run that nobody is at.

    Args:
        journal: Where the runs are.
        resume: Goes on with one of them.
        profile: Which broker is in use; runs that were started with another one are left.

    Raises:
        JournalError: the journal can't be used.
    """
    adopted: list[Resumed] = []
    left: list[tuple[str, str]] = []
    elsewhere: list[str] = []

    async def go_on(run: OpenRun) -> None:
        if run.alive:
            elsewhere.append(run.run_id)
        elif run.profile != profile:
            left.append((run.run_id, f"It was started with another broker: {run.profile}."))
        elif run.stuck:
            left.append((run.run_id, f"Its console crashed {run.recoveries} times here."))
        else:
            try:
                adopted.append(await resume(run.run_id))
            except RunTaken:
                elsewhere.append(run.run_id)
            except KimeraError as error:  # the others go on all the same
                left.append((run.run_id, str(error)))

    await asyncio.gather(*(go_on(run) for run in await journal.open_runs()))
    return Recovery(adopted, left, elsewhere)
