"""What keeps a run from being handed to the workers: what a Celery canvas says otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kimera_tui.documents.references import references_in
from kimera_tui.execution.detach.remaining import PENDING, Call, Fork, Known, Left, Rest, rest_of
from kimera_tui.runs.plan import Node


@dataclass(frozen=True, slots=True)
class Stop:
    """Something that keeps a run from being handed over."""

    path: str
    id: str
    """Of the step; empty for what is about the whole run."""
    sentence: str
    """Names the step and says why."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a canvas would stand on."""

    friends: Mapping[str, Mapping[str, Any]]
    """As friends.yaml has them."""
    joins: bool = True
    """Whether the result backend can join paras: only Redis can."""


def stops(plan: Node, ground: Ground, known: Known = lambda path: None) -> list[Stop]:
    """What keeps the rest of a plan from being handed over, in the order of the steps.

    Args:
        plan: The root.
        ground: Friends and result backend.
        known: Tells what has ended, or begun.

    Raises:
        TemplateError: a template is malformed.
    """
    rest = rest_of(plan, known)
    order = {node.path: number for number, (_, node) in enumerate(plan.walk())}
    found = [*_of_ended(rest), *_of_nodes(plan, rest, known), *_Items(ground, rest).all()]
    found.sort(key=lambda stop: order[stop.path])
    if plan.finals:
        found.append(Stop("", "finally", "finally: workers can't tell how a run ends"))
    return found


def name_of(node: Node) -> str:
    """What to call a node."""
    return node.id or (node.task.task_name if node.task is not None else node.kind)


def _stop(node: Node, why: str) -> Stop:
    return Stop(node.path, node.id, f"{name_of(node)}: {why}")


def _of_ended(rest: Rest) -> Iterator[Stop]:
    for node in rest.failed:
        yield _stop(node, "it did not end well, so nothing goes on behind it")


def _of_nodes(plan: Node, rest: Rest, known: Known) -> Iterator[Stop]:
    for _, node in plan.walk():
        if node.path in rest.paths:
            for why in _rules(node, begun=any(known(path) for path, _ in node.leaves())):
                yield _stop(node, why)


def _rules(node: Node, *, begun: bool) -> Iterator[str]:
    rules = node.rules
    if rules.when is not None and not begun:
        yield "has `when`: workers look at no conditions"
    if rules.retry is not None:
        yield "has `retry`: workers try again only what the task's own code says"
    if rules.start_timeout is not None:
        yield "has `start_timeout`: workers watch no queue"
    if node.handlers:
        yield "has `on_error` steps: workers don't run them"
    if rules.goes_on:
        yield "has `on_error: continue`: workers stop at what fails"
    if rules.max_parallel is not None and rules.max_parallel < len(node.children):
        yield "has `max_parallel`: workers take all at once"
    if rules.fail_fast:
        yield "has `fail: fast`: workers don't give the other branches up"


@dataclass(frozen=True, slots=True)
class _Items:
    """Looks at what stands behind what."""

    ground: Ground
    rest: Rest

    def all(self) -> Iterator[Stop]:
        yield from self._sequence(self.rest.items, joined=False)

    def _sequence(self, items: Sequence[Left], *, joined: bool) -> Iterator[Stop]:
        """Stops of what goes on one after the other; ``joined`` if its result is for a join."""
        for number, item in enumerate(items):
            after = items[number + 1] if number + 1 < len(items) else None
            if isinstance(item, Call):
                yield from self._call(item)
                continue
            for why in self._fork(item, after, joined=joined):
                yield _stop(item.node, why)
            for branch in item.branches:
                yield from self._sequence(branch, joined=after is not None)

    def _call(self, call: Call) -> Iterator[Stop]:
        node, task = call.node, call.node.task
        if task is None:
            return
        entry = self.ground.friends.get(task.friend, {})
        if entry.get("broker") or entry.get("backend"):
            yield _stop(node, f"`{task.friend}` has a broker of its own, which workers don't know")
        waits = call.before is PENDING
        if waits and (passing := node.rules.passing) not in ("first", "none"):
            why = "workers pass a result on as the first argument, `pass: first`"
            yield _stop(node, f"has `pass: {passing}`: {why}")
        if node.rules.templated:
            for looked_up in self._looked_up(call):
                why = f"looks up `{looked_up}`, which isn't known before it ends"
                yield _stop(node, why)

    def _looked_up(self, call: Call) -> Iterator[str]:
        """What its templates look up and nobody knows yet."""
        task = call.node.task
        if task is None:
            return
        names: dict[str, None] = {}
        for each in references_in([list(task.args), dict(task.kwargs)]):
            if each.root == "prev" and call.before is PENDING:
                names["prev"] = None
            if each.root == "steps" and each.path and each.path[0] not in self.rest.steps:
                names[f"steps.{each.path[0]}"] = None
        yield from names

    def _fork(self, fork: Fork, after: Left | None, *, joined: bool) -> Iterator[str]:
        if after is None:
            if joined:
                yield "is a para whose results go into another para's: Celery makes one list of all"
            return
        if not self.ground.joins:
            yield "something follows it, and only a Redis result backend can join a para"
        if not _takes(after):
            return
        if fork.node.rules.gather == "dict":
            yield "has `gather: dict`, and Celery passes a list on"
        if fork.begun:
            yield "is half done: what follows it would miss the results that are there"


def _takes(item: Left) -> bool:
    """Whether the result before it comes in."""
    if isinstance(item, Call):
        return item.node.rules.passing != "none"
    return any(_takes(branch[0]) for branch in item.branches if branch)
