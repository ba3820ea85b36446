"""After a crash: what became of each step that was under way, and which runs go on."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from kimera_tui.errors import BrokerUnavailable, KimeraError, RunTaken, UsageError
from kimera_tui.process.adoption import Traces
from kimera_tui.process.task_manager import TaskManager
from kimera_tui.runs.book import RunBook, RunState
from kimera_tui.runs.events import StepIntended
from kimera_tui.runs.journal import Journal
from kimera_tui.runs.leases import OpenRun
from kimera_tui.runs.state import StepState

ASK_AGAIN = 1.0
"""Seconds between two tries to reach a broker that is away."""


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
        book = RunBook()
        book.apply_all(events)
        if not book.runs:
            raise UsageError("There is no such run, or its beginning can't be read.")
        intents = {event.path: event for event in events if isinstance(event, StepIntended)}
        return cls(next(iter(book.runs.values())), intents)

    def under_way(self) -> list[tuple[StepState, StepIntended]]:
        """Steps that may have been sent and of which no end is known."""
        steps = self.run.steps
        return [
            (steps[path], intent)
            for path, intent in self.intents.items()
            if not steps[path].status.ended
        ]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done with a step that was under way."""

    what: Literal["adopt", "publish", "uncertain"]
    why: str = ""


def judge(step: StepState, intent: StepIntended, traces: Traces) -> Verdict:
    """What became of a step, told from what broker and result backend still know.

    Uncertain is only what neither of them can tell.
    """
    sent = step.sent_at is not None
    if step.task_id in traces.ended:
        return Verdict("adopt")
    if step.task_id in traces.blind:
        return Verdict("uncertain", "its result reaches only the console that sent it")
    if traces.published is None:
        if sent:
            return Verdict("adopt")
        return Verdict(
            "uncertain",
            "the console ended while it sent this, and this broker can't tell whether it arrived",
        )
    if traces.published.get(step.task_id):
        return Verdict("adopt")
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


async def judge_all(past: Past, manager: TaskManager) -> dict[str, Verdict]:
    """A verdict on each step that was under way, by path; waits for a broker that is away."""
    by_friend: defaultdict[str, list[tuple[StepState, StepIntended]]] = defaultdict(list)
    for step, intent in past.under_way():
        by_friend[step.friend].append((step, intent))
    verdicts: dict[str, Verdict] = {}
    for friend, steps in by_friend.items():
        try:
            traces = await _traces(manager, friend, [step.task_id for step, _ in steps])
        except KimeraError as error:  # such as a friend that is configured no more
            verdicts |= {step.path: Verdict("uncertain", str(error)) for step, _ in steps}
        else:
            verdicts |= {step.path: judge(step, intent, traces) for step, intent in steps}
    return verdicts


async def _traces(manager: TaskManager, friend: str, task_ids: Sequence[str]) -> Traces:
    while True:
        try:
            return await manager.adoption.traces(manager.friends, friend, task_ids)
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

    await asyncio.gather(*(go_on(run) for run in await journal.open_runs()))
    return Recovery(adopted, left, elsewhere)
