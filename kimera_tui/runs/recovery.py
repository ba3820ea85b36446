"""After a crash, or before a replay: what became of each step whose end is not known."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from kimera_tui.errors import BrokerUnavailable, KimeraError, RunTaken, UsageError
from kimera_tui.process.adoption import Traces
from kimera_tui.process.outcome import ENDED, REVOKED, SUCCESS, Outcome
from kimera_tui.process.task_manager import TaskManager
from kimera_tui.process.task_search import Held, InQueue, Place, Whereabouts, WithWorker
from kimera_tui.runs.events import StepIntended
from kimera_tui.runs.index import RunState, folded
from kimera_tui.runs.journal.journal import Journal
from kimera_tui.runs.journal.leases import OpenRun
from kimera_tui.runs.status import Status
from kimera_tui.runs.step import StepState
from kimera_tui.values.placeholders import is_whole

T = TypeVar("T")

RETRY_SECONDS = 1.0
"""Seconds between two attempts to reach an unavailable broker."""
INQUIRY_SECONDS = 60.0
"""How long broker, backend and workers may take to say what became of an earlier run's steps."""
RESULTS_KEPT = 86_400.0
"""Seconds for which backends keep results by default."""
_END_UNKNOWN = (
    Status.UNCERTAIN,
    Status.TIMED_OUT,
    Status.FINISHED_LATE,
    Status.INTERRUPTED,
    Status.RESULT_UNKNOWN,
)
"""Ended states in which the task may still run, or has run without its result being used."""

Intended = tuple[StepState, StepIntended]
"""A step with what was to be sent for it."""


@dataclass(frozen=True, slots=True)
class Past:
    """What the journal holds of a run to be resumed: its state, and what was about to be sent."""

    run: RunState
    intents: Mapping[str, StepIntended] = field(default_factory=dict)
    """By path."""

    @classmethod
    def of(cls, events: Sequence[object]) -> Past:
        """The past of the run that these events belong to.

        Raises:
            UsageError: its start is not among them, or can't be read.
        """
        if (run := folded(events)) is None:
            raise UsageError("No such run, or its start in the journal is unreadable.")
        intents = {event.path: event for event in events if isinstance(event, StepIntended)}
        return cls(run, intents)

    def under_way(self) -> list[Intended]:
        """The steps that may have been sent and have not ended."""
        steps = self.run.steps
        return [
            (steps[path], intent)
            for path, intent in self.intents.items()
            if not steps[path].status.ended and intent.task_id == steps[path].task_id
        ]


def may_have_run(step: StepState) -> bool:
    """Whether a step ended in a state that leaves open whether its task ran, or still runs."""
    return step.status in _END_UNKNOWN


def open_steps(past: Past, *, ended_only: bool) -> dict[str, Intended]:
    """The steps that may have been sent and whose end is not known, by path.

    Args:
        past: The run.
        ended_only: Leave out the steps that the run's console may still be watching.
    """
    steps = {}
    for path, intent in past.intents.items():
        step = past.run.steps[path]
        unknown = may_have_run(step) or not (ended_only or step.status.ended)
        if unknown and intent.task_id == step.task_id:
            steps[path] = step, intent
    return steps


# --- the verdict on a step of a resumed run ------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with a step that was under way."""

    what: Literal["adopt", "publish", "uncertain"]
    why: str = ""
    """Why it is uncertain, or where the task to adopt is, if that is known."""


def judge(
    step: StepState,
    intent: StepIntended,
    traces: Traces,
    found: Whereabouts | None = None,
    now: float = 0.0,
) -> Verdict:
    """What became of a step, judged from what broker, result backend and workers still know.

    A step is uncertain only if none of them can tell; the table is in docs/journal.md.

    Args:
        step: The step.
        intent: What was to be sent for it.
        traces: What broker and backend know.
        found: What a search for the task found; None if this broker can't be searched.
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
            "the console stopped while sending it, and this broker cannot tell whether it arrived",
        )
    if traces.published.get(step.task_id):
        return _judge_published(found, now - intent.at)
    if traces.server != intent.server:
        return Verdict(
            "uncertain",
            "the broker was restarted and has no trace of it: it may be lost, or have run"
            if sent
            else "the broker was restarted since, so nothing can tell whether it was sent",
        )
    if sent:
        return Verdict("uncertain", "it was sent, but neither broker nor backend has a trace of it")
    return Verdict("publish")


def _judge_published(found: Whereabouts | None, age: float) -> Verdict:
    """The verdict on a task that reached the broker, has no result and was not found."""
    if found is None:
        return Verdict("adopt")
    if found.doubt:
        return Verdict("adopt", f"not found yet: {found.doubt}")
    if age > RESULTS_KEPT:
        why = "it was sent more than a day ago and is gone: its result has expired"
    else:
        why = "it is in no queue and with no worker: one lost it, or the task stores no result"
    return Verdict("uncertain", why)


def where(place: Place, now: float) -> str:
    """Where a task is, for people."""
    match place:
        case InQueue(queue, 0):
            return f"in queue {queue}, next in line"
        case InQueue(queue, ahead):
            return f"in queue {queue}, {ahead} ahead of it"
        case WithWorker(worker, runs):
            return f"with worker {worker}" if runs else f"with worker {worker}, not started yet"
        case Held(back_at, gone):
            holder = "that is gone" if gone else "that does not answer"
            due = time.strftime("by %H:%M", time.localtime(back_at)) if back_at > now else "soon"
            return f"held by a worker {holder}: redelivered {due}"


async def judge_all(past: Past, manager: TaskManager, now: float) -> dict[str, Verdict]:
    """A verdict on each step that was under way, by path; waits for an unavailable broker."""

    async def judge_friend(friend: str, steps: Sequence[Intended]) -> dict[str, Verdict]:
        try:
            traces, found = await _inquire(manager, friend, steps, _may_be_found)
        except KimeraError as error:  # such as a friend that is no longer configured
            return {step.path: Verdict("uncertain", str(error)) for step, _ in steps}
        return {step.path: judge(step, intent, traces, found, now) for step, intent in steps}

    return await _for_each_friend(past.under_way(), judge_friend)


def _may_be_found(step: StepState, traces: Traces) -> bool:
    """Whether a search can add to the traces: a task that was never published is nowhere."""
    sent = step.sent_at is not None or (traces.published or {}).get(step.task_id, False)
    return sent and step.task_id not in traces.ended | traces.blind


# --- the fate of a step before it is sent again --------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a step of an earlier run."""

    what: Literal["done", "failed", "never sent", "in flight", "ran", "unknown"]
    """``failed`` includes revoked. ``in flight``: it is queued, held or running now. ``ran``: it
    ended, and its result is unknown."""
    why: str = ""
    """Where it is, or why its fate or its result is unknown."""
    result: Any = None

    @property
    def may_run_twice(self) -> bool:
        """Whether the task may run a second time if the step is sent again."""
        return self.what in ("in flight", "ran", "unknown")


Fates = Mapping[str, Fate]
"""By the step's path."""


async def fates_of(steps: Sequence[Intended], manager: TaskManager, now: float) -> Fates:
    """What became of steps, by path, according to markers, results, queues and workers.

    Raises:
        BrokerUnavailable: broker and workers did not answer in time.
    """

    async def fates_of_friend(friend: str, steps: Sequence[Intended]) -> dict[str, Fate]:
        try:
            traces, found = await _inquire(manager, friend, steps, _is_worth_a_search)
        except KimeraError as error:  # such as a friend that is no longer configured
            return {step.path: Fate("unknown", str(error).rstrip(".")) for step, _ in steps}
        return {step.path: _fate(step, intent, traces, found, now) for step, intent in steps}

    try:
        async with asyncio.timeout(INQUIRY_SECONDS):
            return await _for_each_friend(steps, fates_of_friend)
    except TimeoutError:
        raise BrokerUnavailable(
            f"The broker did not answer within {INQUIRY_SECONDS:g} s, so steps that may have run"
            " could not be checked. Nothing was sent."
        ) from None


def _is_worth_a_search(step: StepState, traces: Traces) -> bool:
    """Whether the task may be somewhere; another worker than its own may have stored REVOKED."""
    outcome = traces.outcomes.get(step.task_id)
    return step.task_id not in traces.blind and (outcome is None or outcome.state == REVOKED)


def _fate(
    step: StepState, intent: StepIntended, traces: Traces, found: Whereabouts | None, now: float
) -> Fate:
    if found is not None and (place := found.places.get(step.task_id)) is not None:
        return Fate("in flight", where(place, now))
    if (outcome := traces.outcomes.get(step.task_id)) is not None:
        return _fate_of_ended(outcome, intent)
    if found is not None and step.task_id in found.ended:
        return Fate("in flight", "it has just ended")
    if step.status is Status.RESULT_UNKNOWN:
        return Fate("ran", step.cause)
    verdict = judge(step, intent, traces, found, now)
    if verdict.what == "publish":
        return Fate("never sent")
    return Fate("unknown", verdict.why or "this broker cannot tell where it is")


def _fate_of_ended(outcome: Outcome, intent: StepIntended) -> Fate:
    if outcome.state == ENDED:
        return Fate("ran", outcome.error_message)
    if outcome.state != SUCCESS:
        return Fate("failed")
    if not is_whole(intent.args, intent.kwargs):  # its secret is not known here, to be masked
        return Fate("unknown", "it succeeded, but its result is not reused: it may hold a secret")
    return Fate("done", result=outcome.result)


# --- asking broker, backend and workers ----------------------------------------------------------


async def _for_each_friend(
    steps: Sequence[Intended],
    ask: Callable[[str, Sequence[Intended]], Awaitable[dict[str, T]]],
) -> dict[str, T]:
    """The answers about all steps, by path; each friend's steps are asked about together."""
    by_friend: defaultdict[str, list[Intended]] = defaultdict(list)
    for step, intent in steps:
        by_friend[step.friend].append((step, intent))
    answers = await asyncio.gather(*(ask(friend, each) for friend, each in by_friend.items()))
    return {path: answer for each in answers for path, answer in each.items()}


async def _inquire(
    manager: TaskManager,
    friend: str,
    steps: Sequence[Intended],
    is_sought: Callable[[StepState, Traces], bool],
) -> tuple[Traces, Whereabouts | None]:
    """What broker and backend know of a friend's steps, and where those sought are.

    The latter is None if there is nothing to search for, or this broker can't be searched.
    """
    traces = await traces_of(manager, friend, [step.task_id for step, _ in steps])
    sought = [step for step, _ in steps if is_sought(step, traces)]
    return traces, await _search_for(manager, friend, sought) if sought else None


async def _search_for(
    manager: TaskManager, friend: str, sought: Sequence[StepState]
) -> Whereabouts | None:
    queues = {step.queue for step in sought if step.queue}
    ids = [step.task_id for step in sought]
    return await manager.adoption.search(friend, ids, queues)


async def traces_of(manager: TaskManager, friend: str, task_ids: Sequence[str]) -> Traces:
    """What broker and backend know of a friend's tasks; waits for an unavailable broker."""
    while True:
        try:
            return await manager.adoption.traces(friend, task_ids)
        except BrokerUnavailable:
            await asyncio.sleep(RETRY_SECONDS)


# --- all open runs, when a console starts --------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Resumed:
    """A run that was resumed."""

    run_id: str
    name: str
    watched: int = 0
    """How many of its tasks are watched again."""
    needs: Sequence[str] = ()
    """What its operator must know or decide, in sentences."""


def resumed(past: Past, verdicts: Mapping[str, Verdict]) -> Resumed:
    """Describe a run that was resumed with these verdicts."""
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
    """Runs that were not resumed: run id, and why in a sentence."""
    elsewhere: Sequence[str] = ()
    """Runs that other consoles own."""

    @property
    def sentence(self) -> str:
        """One line for people; empty if there was nothing to recover."""
        total = len(self.adopted) + len(self.left)
        if not total:
            return ""
        interrupted = "1 run was interrupted" if total == 1 else f"{total} runs were interrupted"
        need = sum(bool(run.needs) for run in self.adopted) + len(self.left)
        parts = []
        if total > need:
            parts.append(f"{total - need} resumed")
        if need:
            parts.append(f"{need} {'needs' if need == 1 else 'need'} you")
        return f"{interrupted}: {', '.join(parts)}."


async def recover(
    journal: Journal, resume: Callable[[str], Awaitable[Resumed]], profile: str
) -> Recovery:
    """Resume every open run without a living owner.

    Args:
        journal: Holds the runs.
        resume: Resumes one run.
        profile: The broker in use; runs that were started with another one are left alone.

    Raises:
        JournalError: the journal can't be used.
    """
    adopted: list[Resumed] = []
    left: list[tuple[str, str]] = []
    elsewhere: list[str] = []

    async def recover_run(run: OpenRun) -> None:
        if run.alive:
            elsewhere.append(run.run_id)
        elif run.profile != profile:
            left.append((run.run_id, f"It was started with another broker: {run.profile}."))
        elif run.stuck:
            left.append((run.run_id, f"Its console crashed {run.recoveries} times at this point."))
        else:
            try:
                adopted.append(await resume(run.run_id))
            except RunTaken:
                elsewhere.append(run.run_id)
            except KimeraError as error:  # must not prevent the recovery of other runs
                left.append((run.run_id, str(error)))

    await asyncio.gather(*(recover_run(run) for run in await journal.open_runs()))
    return Recovery(adopted, left, elsewhere)
