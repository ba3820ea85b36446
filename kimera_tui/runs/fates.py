"""What became of steps of a past run of which no end is known, before any is sent again."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from kimera_tui.errors import BrokerUnavailable, KimeraError
from kimera_tui.process.adoption import Traces
from kimera_tui.process.outcome import REVOKED, SUCCESS, Outcome
from kimera_tui.process.task_manager import TaskManager
from kimera_tui.process.task_search import Whereabouts
from kimera_tui.runs.events import StepIntended
from kimera_tui.runs.recovery import Past, judge, search_for, traces_of, where
from kimera_tui.runs.state import StepState
from kimera_tui.runs.status import Status
from kimera_tui.values.placeholders import is_whole

LOOK_SECONDS = 60.0
"""The longest that broker, workers and results are asked."""
_NOBODY_KNOWS = (Status.UNCERTAIN, Status.TIMED_OUT, Status.INTERRUPTED)
"""How steps ended of which the last that was known may not be the last that happened."""

Open = Sequence[tuple[StepState, StepIntended]]
"""Steps with what was to be sent of them."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a step."""

    what: Literal["done", "over", "never sent", "there", "unknown"]
    """``over``: it failed or was revoked. ``there``: it is queued, kept or running now."""
    why: str = ""
    """Where it is, or what leaves it unknown."""
    result: Any = None

    @property
    def may_run_twice(self) -> bool:
        """Whether sending the step again may run it a second time."""
        return self.what in ("there", "unknown")


Fates = Mapping[str, Fate]
"""By the step's path."""


def may_have_run(step: StepState) -> bool:
    """Whether a step ended without anybody knowing whether its task ran, or runs."""
    return step.status in _NOBODY_KNOWS


def open_steps(past: Past, *, ended_only: bool) -> dict[str, tuple[StepState, StepIntended]]:
    """Steps that may have been sent and of which no end is known, by path.

    Args:
        past: The run.
        ended_only: Leave out those that its console may still be watching.
    """
    found = {}
    for path, intent in past.intents.items():
        step = past.run.steps[path]
        unknown = may_have_run(step) or not (ended_only or step.status.ended)
        if unknown and intent.task_id == step.task_id:
            found[path] = step, intent
    return found


async def fates_of(steps: Open, manager: TaskManager, now: float) -> Fates:
    """What became of steps, by path: asks markers, results, queues and workers.

    Raises:
        BrokerUnavailable: nobody could be asked in time.
    """
    by_friend: defaultdict[str, list[tuple[StepState, StepIntended]]] = defaultdict(list)
    for step, intent in steps:
        by_friend[step.friend].append((step, intent))
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            found = await asyncio.gather(
                *(_of_friend(manager, friend, each, now) for friend, each in by_friend.items())
            )
    except TimeoutError:
        raise BrokerUnavailable(
            f"The broker did not say in {LOOK_SECONDS:g} s what became of steps that may have run."
            " Nothing was sent."
        ) from None
    return {path: fate for fates in found for path, fate in fates.items()}


async def _of_friend(manager: TaskManager, friend: str, steps: Open, now: float) -> dict[str, Fate]:
    try:
        traces = await traces_of(manager, friend, [step.task_id for step, _ in steps])
        sought = [step for step, _ in steps if _is_to_be_sought(step, traces)]
        found = await search_for(manager, friend, sought) if sought else None
    except KimeraError as error:  # such as a friend that is configured no more
        return {step.path: Fate("unknown", str(error).rstrip(".")) for step, _ in steps}
    return {step.path: _fate(step, intent, traces, found, now) for step, intent in steps}


def _is_to_be_sought(step: StepState, traces: Traces) -> bool:
    """Whether it may be somewhere; a stored REVOKED can be the word of a worker without it."""
    outcome = traces.outcomes.get(step.task_id)
    return step.task_id not in traces.blind and (outcome is None or outcome.state == REVOKED)


def _fate(
    step: StepState, intent: StepIntended, traces: Traces, found: Whereabouts | None, now: float
) -> Fate:
    if found is not None and (place := found.places.get(step.task_id)) is not None:
        return Fate("there", where(place, now))
    if (outcome := traces.outcomes.get(step.task_id)) is not None:
        return _ended(outcome, intent)
    if found is not None and step.task_id in found.ended:
        return Fate("there", "it has just ended")
    verdict = judge(step, intent, traces, found, now)
    if verdict.what == "publish":
        return Fate("never sent")
    return Fate("unknown", verdict.why or "this broker cannot tell where it is")


def _ended(outcome: Outcome, intent: StepIntended) -> Fate:
    if outcome.state != SUCCESS:
        return Fate("over")
    if not is_whole(intent.args, intent.kwargs):  # the secret isn't known here, to be masked
        why = "it ended well, and its result is not taken over, for it may repeat a secret"
        return Fate("unknown", why)
    return Fate("done", result=outcome.result)
