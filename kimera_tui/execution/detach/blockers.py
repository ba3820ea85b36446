"""What blocks detaching a run: features that a Celery canvas cannot express."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kimera_tui.documents.references import references_in
from kimera_tui.execution.detach.remaining import PENDING, Call, Fork, Known, Left, Rest, rest_of
from kimera_tui.execution.unknown_results import name_of
from kimera_tui.runs.plan import Node


@dataclass(frozen=True, slots=True)
class Blocker:
    """One reason why a run cannot be detached."""

    path: str
    id: str
    """Id of the step; empty for the whole run."""
    sentence: str
    """The step and the reason."""


@dataclass(frozen=True, slots=True)
class Ground:
    """The friends and the result backend that a canvas depends on."""

    friends: Mapping[str, Mapping[str, Any]]
    """As friends.yaml has them."""
    joins: bool = True
    """Whether the result backend can join paras: only Redis can."""


def find_blockers(plan: Node, ground: Ground, known: Known = lambda path: None) -> list[Blocker]:
    """What blocks detaching the rest of a plan, in the order of the steps.

    Args:
        plan: The root.
        ground: The friends and the result backend.
        known: Returns the state of a step.

    Raises:
        TemplateError: a template is malformed.
    """
    rest = rest_of(plan, known)
    order = {node.path: number for number, (_, node) in enumerate(plan.walk())}
    blockers = [*_of_ended(rest), *_of_nodes(plan, rest, known), *_Items(ground, rest).all()]
    blockers.sort(key=lambda blocker: order[blocker.path])
    if plan.finals:
        blockers.append(Blocker("", "finally", "finally: workers do not notice the end of a run"))
    return blockers


def _blocker(node: Node, why: str) -> Blocker:
    return Blocker(node.path, node.id, f"{name_of(node)}: {why}")


def _of_ended(rest: Rest) -> Iterator[Blocker]:
    for node in rest.failed:
        yield _blocker(node, "did not succeed, so the steps after it cannot run")
    for node in rest.unknown:
        why = "ended and its result is unknown: workers would send null in its place"
        yield _blocker(node, why)


def _of_nodes(plan: Node, rest: Rest, known: Known) -> Iterator[Blocker]:
    for _, node in plan.walk():
        if node.path in rest.paths:
            for why in _rules(node, begun=any(known(path) for path, _ in node.leaves())):
                yield _blocker(node, why)


def _rules(node: Node, *, begun: bool) -> Iterator[str]:
    rules = node.rules
    if rules.when is not None and not begun:
        yield "has `when`: workers do not evaluate conditions"
    if rules.retry is not None:
        yield "has `retry`: workers retry only as the task's own code says"
    if rules.start_timeout is not None:
        yield "has `start_timeout`: workers do not watch the queue"
    if node.handlers:
        yield "has `on_error` steps: workers do not run them"
    if rules.goes_on:
        yield "has `on_error: continue`: workers stop at a failed step"
    if rules.max_parallel is not None and rules.max_parallel < len(node.children):
        yield "has `max_parallel`: workers take all branches at once"
    if rules.fail_fast:
        yield "has `fail: fast`: workers do not revoke the other branches"


@dataclass(frozen=True, slots=True)
class _Items:
    """Checks which step follows which."""

    ground: Ground
    rest: Rest

    def all(self) -> Iterator[Blocker]:
        yield from self._sequence(self.rest.items, joined=False)

    def _sequence(self, items: Sequence[Left], *, joined: bool) -> Iterator[Blocker]:
        """Blockers in a sequence; ``joined`` if a join takes its result."""
        for number, item in enumerate(items):
            after = items[number + 1] if number + 1 < len(items) else None
            if isinstance(item, Call):
                yield from self._call(item)
                continue
            for why in self._fork(item, after, joined=joined):
                yield _blocker(item.node, why)
            for branch in item.branches:
                yield from self._sequence(branch, joined=after is not None)

    def _call(self, call: Call) -> Iterator[Blocker]:
        node, task = call.node, call.node.task
        if task is None:
            return
        entry = self.ground.friends.get(task.friend, {})
        if entry.get("broker") or entry.get("backend"):
            yield _blocker(
                node, f"`{task.friend}` has its own broker, which other workers do not use"
            )
        waits = call.upstream is PENDING
        if waits and (passing := node.rules.passing) not in ("first", "none"):
            why = "workers pass a result as the first argument, `pass: first`"
            yield _blocker(node, f"has `pass: {passing}`: {why}")
        if node.rules.templated:
            for name in self._unknown(call):
                yield _blocker(node, f"looks up `{name}`, which is not known yet")

    def _unknown(self, call: Call) -> Iterator[str]:
        """What its templates look up that has no value yet."""
        task = call.node.task
        if task is None:
            return
        names: dict[str, None] = {}
        for each in references_in([list(task.args), dict(task.kwargs)]):
            if each.root == "prev" and call.upstream is PENDING:
                names["prev"] = None
            if each.root == "steps" and each.path and each.path[0] not in self.rest.steps:
                names[f"steps.{each.path[0]}"] = None
        yield from names

    def _fork(self, fork: Fork, after: Left | None, *, joined: bool) -> Iterator[str]:
        if after is None:
            if joined:
                yield "is a para whose results feed another para: Celery makes one list of all"
            return
        if not self.ground.joins:
            yield "has a step after it, and only a Redis result backend can join a para"
        if not _takes(after):
            return
        if fork.node.rules.gather == "dict":
            yield "has `gather: dict`, but Celery passes a list"
        if fork.begun:
            yield "is half done: the step after it would miss the results so far"


def _takes(item: Left) -> bool:
    """Whether it uses its upstream result."""
    if isinstance(item, Call):
        return item.node.rules.passing != "none"
    return any(_takes(branch[0]) for branch in item.branches if branch)
