"""What cancelling a run brought: what will never run, and what could not be stopped and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kimera_tui.runs.index import RunState
from kimera_tui.runs.status import Status
from kimera_tui.runs.step import StepState

RUNNING_GOES_ON = "a revoke doesn't stop a running task; T terminates it where the pool can"


@dataclass(frozen=True, slots=True)
class LeftTask:
    """A task that was in flight and is not known to be over."""

    step: StepState
    what: str
    """What is known of it, after "1" or "2", such as ``runs on w1@host``."""
    why: str
    """Why it was not stopped, in a few words."""

    @property
    def acknowledged(self) -> bool:
        """Whether a worker acknowledged its revoke."""
        return bool(self.step.revoked_by)


@dataclass(frozen=True, slots=True)
class CancelReport:
    """What became of the tasks of a cancelled run."""

    taken_out: Sequence[StepState]
    """Those taken out of their queues: they never ran."""
    revoked: Sequence[StepState]
    """Others that ended as revoked."""
    left: Sequence[LeftTask]
    unsent: int
    """How many steps were never sent."""
    workers: Sequence[str]
    """The workers that acknowledged a revoke."""

    @property
    def text(self) -> str:
        """All of it, in a sentence or two."""
        parts = []
        if taken := len(self.taken_out):
            parts.append(
                f"{taken} {'was' if taken == 1 else 'were'} taken out of"
                f" {'its queue' if taken == 1 else 'their queues'} and never ran"
            )
        if self.revoked:
            parts.append(f"{len(self.revoked)} revoked")
        parts += grouped(self.left)
        if self.unsent:
            parts.append(f"{self.unsent} never sent")
        text = f"Cancelled: {', '.join(parts) or 'nothing was in flight'}."
        if self.revoked or self.left:
            text += f" Acknowledged by {', '.join(self.workers) or 'no worker'}."
        return text


def cancel_report(run: RunState) -> CancelReport:
    """What became of the tasks of a run that was cancelled and has ended."""
    steps = list(run.steps.values())
    heard = set(run.stop.workers if run.stop else ())
    why_not = run.stop.why_not[0].rstrip(".") if run.stop and run.stop.why_not else ""
    return CancelReport(
        [step for step in steps if step.taken_out],
        [step for step in steps if step.status is Status.REVOKED and not step.taken_out],
        [
            _left(step, why_not)
            for step in steps
            if step.was_sent and step.status is Status.INTERRUPTED and not step.taken_out
        ],
        sum(not step.was_sent and step.status is not Status.DONE for step in steps),
        sorted(heard.union(*(step.revoked_by for step in steps))),
    )


def grouped(left: Sequence[LeftTask]) -> list[str]:
    """What is left, counted by what is known and why."""
    counts: dict[tuple[str, str], int] = {}
    for each in left:
        counts[each.what, each.why] = counts.get((each.what, each.why), 0) + 1
    return [
        f"{count} {what if count == 1 else _plural(what)} ({why})"
        for (what, why), count in counts.items()
    ]


def _left(step: StepState, why_not: str) -> LeftTask:
    heard = ", ".join(step.revoked_by)
    told = f"its revoke was acknowledged by {heard}" if heard else "no worker acknowledged it"
    if step.started_at is not None:
        what = f"runs on {step.worker}" if step.worker else "runs"
        if step.revoke_asked != "terminate":
            return LeftTask(step, what, RUNNING_GOES_ON)
        ended = f"terminate acknowledged by {heard}" if heard else "no worker could terminate it"
        return LeftTask(step, what, f"{ended}; its end was not seen")
    if step.worker:
        drops = "which will drop it" if step.worker in step.revoked_by else "which did not answer"
        return LeftTask(step, f"is held by {step.worker}", drops)
    if why_not:
        return LeftTask(step, "may still run", f"{why_not[:1].lower()}{why_not[1:]}; {told}")
    return LeftTask(step, "may still run", f"no longer in its queue; {told}")


def _plural(what: str) -> str:
    verb, _, rest = what.partition(" ")
    return " ".join(filter(None, [{"is": "are", "runs": "run"}.get(verb, verb), rest]))
