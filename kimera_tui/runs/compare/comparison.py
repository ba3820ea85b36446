"""Two runs compared step by step: payloads, results, states and durations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any

from kimera_tui.redaction import redact_text
from kimera_tui.runs.compare.align import Place, aligned
from kimera_tui.runs.compare.value_diff import Change, changes
from kimera_tui.runs.index import RunState
from kimera_tui.runs.plan import Node, Rules
from kimera_tui.runs.status import Status
from kimera_tui.runs.step import StepState
from kimera_tui.values.placeholders import TooLarge

MAX_WORKFLOW_CHANGES = 50
"""Differences of the workflow that are listed."""
_LONGEST_ERROR = 2000
_HAS_RESULT = (Status.DONE, Status.FINISHED_LATE)


@dataclass(frozen=True, slots=True)
class RunSide:
    """One of the runs."""

    run_id: str
    name: str
    status: Status
    started: float
    """Seconds since the epoch."""
    took: float | None
    """Seconds; None while it is open."""
    error: str = ""


@dataclass(frozen=True, slots=True)
class StepSide:
    """A step as one of the runs had it."""

    path: str
    id: str
    """Its id in its document; empty for plain calls."""
    task: str
    status: Status
    attempts: int
    waited: float | None
    """Seconds from when it was sent until a worker was seen to start it; None if none was."""
    ran: float | None
    """Seconds from its start as seen, or else from when it was sent, to its end."""
    reused: bool
    """Whether it was not sent because an earlier run's result was reused."""
    error: str = ""
    """Why it did not end as intended, or an empty string."""


@dataclass(frozen=True, slots=True)
class StepPair:
    """A step of both runs, or of only one of them."""

    one: StepSide | None
    other: StepSide | None
    payload: tuple[Change, ...] = ()
    """Differences of the calls; arguments are compared only if both runs sent it, or neither."""
    result: tuple[Change, ...] = ()
    """Differences of the results; also empty if a run has no result."""
    error: tuple[Change, ...] = ()
    unseen: bool = False
    """Whether a result was too large to keep, so that only its size was compared."""

    @property
    def name(self) -> str:
        """The step's id, or its task if it has none."""
        side = self.one or self.other
        return "" if side is None else side.id or side.task

    @property
    def changes(self) -> tuple[Change, ...]:
        """All values that differ."""
        return (*self.payload, *self.result, *self.error)

    @property
    def differs(self) -> bool:
        """Whether anything but timings differs."""
        if self.one is None or self.other is None:
            return True
        return self.one.status is not self.other.status or self.retried or bool(self.changes)

    @property
    def retried(self) -> bool:
        """Whether both were sent, with a different number of attempts."""
        if self.one is None or self.other is None or self.one.reused or self.other.reused:
            return False
        return self.one.attempts != self.other.attempts

    @property
    def waited_longer(self) -> float | None:
        """How many seconds longer the second waited, if both are known."""
        if self.one is None or self.other is None:
            return None
        return _longer(self.one.waited, self.other.waited)

    @property
    def ran_longer(self) -> float | None:
        """How many seconds longer the second ran, if both are known."""
        if self.one is None or self.other is None:
            return None
        return _longer(self.one.ran, self.other.ran)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between two runs."""

    one: RunSide
    other: RunSide
    steps: tuple[StepPair, ...]
    """All steps, including those that are the same."""
    inputs: tuple[Change, ...] = ()
    workflow: tuple[str, ...] = ()
    """How the workflows differ, in a few words each."""

    @property
    def divergent(self) -> list[int]:
        """Positions of the steps that differ."""
        return [at for at, pair in enumerate(self.steps) if pair.differs]

    @property
    def first(self) -> StepPair | None:
        """The first step that differs."""
        return next((pair for pair in self.steps if pair.differs), None)

    @property
    def differs(self) -> bool:
        """Whether anything but names, ids and times differs."""
        ends = (self.one.status, self.one.error) != (self.other.status, self.other.error)
        return bool(ends or self.inputs or self.workflow or self.divergent)


def compare(one: RunState, other: RunState) -> Comparison:
    """Compare a run with another one, which is shown as the newer of the two."""
    steps, others = list(one.steps.values()), list(other.steps.values())
    places = [[Place(step.id, step.path, step.name) for step in run] for run in (steps, others)]
    secret = _secret_inputs(one.header) | _secret_inputs(other.header)
    return Comparison(
        _run_side(one),
        _run_side(other),
        tuple(
            _pair(None if left is None else steps[left], None if right is None else others[right])
            for left, right in aligned(*places)
        ),
        changes(one.inputs, other.inputs, "inputs", secret),
        tuple(islice(_workflow_changes(one, other, secret), MAX_WORKFLOW_CHANGES)),
    )


def _run_side(run: RunState) -> RunSide:
    took = None if run.ended is None else max(0.0, run.ended - run.started)
    return RunSide(run.run_id, run.name, run.status, run.started, took, _cut(run.error))


def _pair(one: StepState | None, other: StepState | None) -> StepPair:
    left = None if one is None else _step_side(one)
    right = None if other is None else _step_side(other)
    if one is None or other is None or left is None or right is None:
        return StepPair(left, right)
    secret = one.secret | other.secret
    payload = changes(one.name, other.name, "task")
    if one.was_sent == other.was_sent:  # what was sent and what was only planned can't be compared
        payload += changes(one.args, other.args, "args")
        payload += changes(one.kwargs, other.kwargs, "kwargs", secret)
    both_have = one.status in _HAS_RESULT and other.status in _HAS_RESULT
    result = changes(one.result, other.result, "result", secret) if both_have else ()
    error = changes(_named_error(left.error), _named_error(right.error), "")
    unseen = isinstance(one.result, TooLarge) or isinstance(other.result, TooLarge)
    return StepPair(left, right, payload, result, error, unseen)


def _step_side(step: StepState) -> StepSide:
    error = f"{step.error_type}: {step.error_message}" if step.error_type else step.cause
    return StepSide(
        path=step.path,
        id=step.id,
        task=step.name,
        status=step.status,
        attempts=step.attempt,
        waited=_duration(step.sent_at, step.started_at),
        ran=_duration(step.began_at, step.ended_at),
        reused=step.status is Status.DONE and step.source == "journal",
        error=_cut(error) if step.status.bad else "",
    )


def _named_error(error: str) -> dict[str, str]:
    return {"error": error} if error else {}


def _duration(start: float | None, end: float | None) -> float | None:
    """Never negative, though a quick worker may report before the broker acknowledges."""
    return None if start is None or end is None else max(0.0, end - start)


def _longer(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else other - one


def _cut(text: str) -> str:
    return redact_text(text)[:_LONGEST_ERROR]


def _secret_inputs(header: Mapping[str, Any]) -> frozenset[str]:
    specs = header.get("inputs", ())
    return frozenset(spec["name"] for spec in specs if spec.get("type") == "secret")


def _workflow_changes(one: RunState, other: RunState, secret: frozenset[str]) -> Iterator[str]:
    if one.profile != other.profile:
        yield "sent to another broker"
    for change in changes(one.header, other.header, "", secret):
        yield f"{change.path} {change.kind}"
    yield from _plan_changes(list(one.plan.walk()), list(other.plan.walk()))


def _plan_changes(one: list[tuple[int, Node]], other: list[tuple[int, Node]]) -> Iterator[str]:
    if [(depth, node.kind) for depth, node in one] != [(depth, node.kind) for depth, node in other]:
        yield "its steps are arranged differently"
    places = [[_place(node) for _, node in nodes] for nodes in (one, other)]
    for left, right in aligned(*places):
        if left is None or right is None:  # listed with the steps
            continue
        node, counterpart = one[left][1], other[right][1]
        name = node.id or node.path or node.kind
        if node.id and counterpart.id and node.id != counterpart.id:
            yield f"{name}: renamed to {counterpart.id}"
        if rules := _changed_rules(node, counterpart):
            yield f"{name}: different {', '.join(rules)}"


def _place(node: Node) -> Place:
    return Place(node.id, node.path, node.kind if node.task is None else node.task.task_name)


def _changed_rules(one: Node, other: Node) -> list[str]:
    names = [
        rule.name.replace("_", " ")
        for rule in fields(Rules)
        if getattr(one.rules, rule.name) != getattr(other.rules, rule.name)
    ]
    if one.task is not None and other.task is not None and one.task.timeout != other.task.timeout:
        names.append("timeout")
    return names if one.kind == other.kind else ["kind", *names]
